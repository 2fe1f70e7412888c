//! The secrets of the demo: the built-in sample, or a `.env` file of the user's own.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use keyway_shared::domain::names::{MAX_VALUE_BYTES, SECRET_NAME_RULE, is_secret_name};
use keyway_shared::secret::Secret;

use crate::failure::{Failure, Outcome};

/// What some providers take for a reference to another variable.
const REFERENCE: &str = "${{";

fn references(text: &str) -> usize {
    text.matches(REFERENCE).count()
}

pub(super) type Secrets = BTreeMap<String, Secret>;

/// The sample, or the file's content. What is wrong with a file is told without its lines, which may
/// be secret.
pub(super) fn load(file: Option<&Path>, sample: &str) -> Outcome<Secrets> {
    let Some(path) = file else {
        return parse(sample.as_bytes(), "the sample");
    };
    let name = path.display().to_string();
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    parse(file, &name)
}

fn parse(mut source: impl Read, name: &str) -> Outcome<Secrets> {
    let mut text = String::new();
    source
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    let mut secrets = Secrets::new();
    for (number, entry) in dotenvy::from_read_iter(text.as_bytes()).enumerate() {
        let (key, value) = entry.map_err(|error| {
            let problem = match error {
                dotenvy::Error::LineParse(_, column) => {
                    format!("cannot be understood near column {column}")
                }
                _ => "cannot be read".to_owned(),
            };
            Failure::usage(format!("{name}: entry {} {problem}", number + 1))
                .hint("each entry is NAME=value; quote values with spaces, quotes or line breaks")
        })?;
        if !is_secret_name(&key) {
            return Err(Failure::usage(format!("{name}: a name {SECRET_NAME_RULE}")));
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(Failure::usage(format!(
                "{name}: the value of {key} is longer than {MAX_VALUE_BYTES} bytes"
            )));
        }
        secrets.insert(key, Secret::new(value));
    }
    // Outside of single quotes such a file means a variable of its own by it.
    let kept: usize = secrets
        .values()
        .map(|value| references(value.expose()))
        .sum();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    if lines.map(references).sum::<usize>() > kept {
        return Err(Failure::usage(format!(
            "{name}: a value has {REFERENCE} without single quotes around it"
        ))
        .hint(format!(
            "{REFERENCE} is taken for a variable of the file and not kept; write NAME='{REFERENCE}Other.NAME}}}}'"
        )));
    }
    if secrets.is_empty() {
        return Err(Failure::usage(format!("{name} holds no secret")));
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::super::stage::ProviderChoice;
    use super::*;

    #[test]
    fn each_sample_has_the_values_that_are_easily_broken() {
        for choice in ProviderChoice::value_variants() {
            let secrets = load(None, choice.sample()).unwrap();
            let some = |is: fn(&str) -> bool| secrets.values().any(|value| is(value.expose()));
            assert!(some(str::is_empty), "{choice:?}");
            assert!(some(|value| value.lines().count() > 2), "{choice:?}");
            assert!(
                some(|value| value.contains('"') && value.contains("$5")),
                "{choice:?}"
            );
            assert!(some(|value| !value.is_ascii()), "{choice:?}");
        }
    }

    #[test]
    fn a_bad_line_is_told_without_its_text() {
        let failure = parse("GOOD=1\nhunter2 hunter2\n".as_bytes(), "x.env").unwrap_err();
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        let failure = parse("BAD-hunter2=1\n".as_bytes(), "x.env").unwrap_err();
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
    }
    #[test]
    fn a_reference_is_kept_or_refused() {
        let text = "# A comment may say ${{x.Y}}\nA='${{Postgres.URL}}'\n";
        let kept = parse(text.as_bytes(), "x.env").unwrap();
        assert_eq!(kept["A"].expose(), "${{Postgres.URL}}");
        for text in ["A=${{Postgres.URL}}\n", "A=\"${{Postgres.URL}}\"\n"] {
            let failure = parse(text.as_bytes(), "x.env").unwrap_err();
            assert!(failure.to_string().contains("single quotes"), "{failure}");
        }
    }
}
