//! What becomes of a job whose run fails: the policy of the worker, as `keyway doctor` and the
//! operations manual tell it.

use keyway_shared::domain::job::JobKind;
use keyway_worker::{RetryAnswer, RetryPolicy, RetryRule};
use serde_json::{Value, json};

/// Kinds of jobs that are treated alike, and how.
fn groups() -> Vec<(Vec<JobKind>, Vec<RetryRule>)> {
    let mut groups: Vec<(Vec<JobKind>, Vec<RetryRule>)> = Vec::new();
    for kind in JobKind::ALL {
        let rules = RetryPolicy::default().rules_of(*kind);
        match groups.iter_mut().find(|(_, known)| *known == rules) {
            Some((kinds, _)) => kinds.push(*kind),
            None => groups.push((vec![*kind], rules)),
        }
    }
    groups
}

fn words<T: std::fmt::Display>(items: &[T]) -> String {
    let words: Vec<_> = items.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn sentence(answer: &RetryAnswer) -> String {
    let told = |duration| humantime::format_duration(duration).to_string();
    match answer {
        RetryAnswer::Again { pauses } => {
            let runs = pauses.len() + 1;
            let pauses: Vec<_> = pauses.iter().copied().map(told).collect();
            let pauses = pauses.join(", ");
            format!("up to {runs} runs, with a random part of {pauses} between them")
        }
        RetryAnswer::Redeliver { pauses, .. } => {
            let runs = pauses.len() + 1;
            let pauses: Vec<_> = pauses.iter().copied().map(told).collect();
            let pauses = pauses.join(", ");
            format!(
                "up to {runs} runs, with {pauses} between them, each up to a tenth longer; none after a 410"
            )
        }
        RetryAnswer::Wait { untold, longest } => format!(
            "`waiting` for as long as the provider asks ({} when it does not say, at most {}); not \
             counted as a run",
            told(*untold),
            told(*longest)
        ),
        RetryAnswer::Held => {
            "`waiting` until a call on trial is answered; not counted as a run".to_owned()
        }
        RetryAnswer::End => "the job ends".to_owned(),
    }
}

/// Rows of kinds, causes and what is done. Without a heading.
pub(super) fn rows() -> Vec<[String; 3]> {
    let groups = groups();
    let rows = groups.iter().flat_map(|(kinds, rules)| {
        rules
            .iter()
            .map(|rule| [words(kinds), words(&rule.causes), sentence(&rule.answer)])
    });
    rows.collect()
}

/// The same for machines.
pub(super) fn document() -> Value {
    let millis = |duration: &std::time::Duration| duration.as_millis() as u64;
    let groups = groups();
    let entries = groups.iter().flat_map(|(kinds, rules)| {
        rules.iter().map(move |rule| {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
            let (runs, pauses, counted) = match &rule.answer {
                RetryAnswer::Again { pauses }
                | RetryAnswer::Redeliver {
                    longest: pauses, ..
                } => (Some(pauses.len() + 1), &pauses[..], true),
                RetryAnswer::Wait { .. } | RetryAnswer::Held => (None, &[][..], false),
                RetryAnswer::End => (Some(1), &[][..], true),
            };
            let pauses: Vec<_> = pauses.iter().map(millis).collect();
            json!({ "kinds": kinds, "causes": rule.causes, "runs": runs, "longestPausesMs": pauses,
                "counted": counted })
        })
    });
    Value::Array(entries.collect())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use keyway_shared::config;

    use super::*;

    const BEGIN: &str = "<!-- retry-policy: begin (written by `KEYWAY_UPDATE=1 cargo test -p keyway-cli retries`) -->\n";
    const END: &str = "<!-- retry-policy: end -->\n";

    #[test]
    fn the_table_in_the_docs_is_what_the_worker_does() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
        let document = std::fs::read_to_string(path).unwrap();
        let (before, rest) = document.split_once(BEGIN).expect("the begin marker");
        let (_, after) = rest.split_once(END).expect("the end marker");
        let mut table = "| jobs | cause | what happens |\n| --- | --- | --- |\n".to_owned();
        for [kinds, causes, then] in rows() {
            let quoted = |list: String| format!("`{}`", list.replace(", ", "`, `"));
            let _ = writeln!(table, "| {} | {} | {then} |", quoted(kinds), quoted(causes));
        }
        let fresh = format!("{before}{BEGIN}\n{table}\n{END}{after}");
        if config::environment("KEYWAY_UPDATE").is_some() {
            std::fs::write(path, fresh).unwrap();
        } else {
            assert!(
                document == fresh,
                "docs/operations.md is not what the program does: run \
                 `KEYWAY_UPDATE=1 cargo test -p keyway-cli retries`"
            );
        }
    }

    #[test]
    fn machines_are_told_the_same() {
        let document = document();
        assert_eq!(document.as_array().map(Vec::len), Some(rows().len()));
        assert_eq!(document[0]["runs"], 5);
        assert_eq!(
            document[0]["longestPausesMs"],
            json!([1_000, 2_000, 4_000, 8_000])
        );
        assert_eq!(document[1]["counted"], false);
        // A delivery meets none of what providers say.
        let told = |entry: &&Value| entry["kinds"] == json!(["webhook"]);
        let webhook: Vec<_> = document
            .as_array()
            .into_iter()
            .flatten()
            .filter(told)
            .collect();
        assert_eq!(webhook.len(), 1);
        assert_eq!(webhook[0]["runs"], 8);
        assert_eq!(webhook[0]["longestPausesMs"][1], 330_000);
    }
}
