//! The secrets of the demo: the built-in sample, or a `.env` file of the user's own.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use keyway_shared::domain::names::{MAX_VALUE_BYTES, SECRET_NAME_RULE, is_secret_name};
use keyway_shared::secret::Secret;

use crate::failure::{Failure, Outcome};

const SAMPLE: &str = include_str!("sample.env");

pub(super) type Secrets = BTreeMap<String, Secret>;

/// The sample, or the file's content. What is wrong with a file is told without its lines, which may
/// be secret.
pub(super) fn load(file: Option<&Path>) -> Outcome<Secrets> {
    let Some(path) = file else {
        return parse(SAMPLE.as_bytes(), "the sample");
    };
    let name = path.display().to_string();
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    parse(file, &name)
}

fn parse(text: impl Read, name: &str) -> Outcome<Secrets> {
    let mut secrets = Secrets::new();
    for (number, entry) in dotenvy::from_read_iter(text).enumerate() {
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
    if secrets.is_empty() {
        return Err(Failure::usage(format!("{name} holds no secret")));
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_the_values_that_are_easily_broken() {
        let secrets = load(None).unwrap();
        assert_eq!(secrets.len(), 12);
        let value = |key: &str| secrets[key].expose();
        assert_eq!(value("MAINTENANCE_MESSAGE"), "");
        assert!(value("SMTP_PASSWORD").contains('"') && value("SMTP_PASSWORD").contains("$5"));
        assert_eq!(value("TLS_CERTIFICATE").lines().count(), 3);
    }

    #[test]
    fn a_bad_line_is_told_without_its_text() {
        let failure = parse("GOOD=1\nhunter2 hunter2\n".as_bytes(), "x.env").unwrap_err();
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        let failure = parse("BAD-hunter2=1\n".as_bytes(), "x.env").unwrap_err();
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
    }
}
