//! Answers of any kind, read by every reader that there is.

use chrono::DateTime;
use zeroize::Zeroizing;

use super::client::{env_page, json, project_page};
use super::errors::{Failure, of_failed, refusal};
use super::wire::{Created, CustomEnvironments, Deleted, Env, Project, Team, UserAnswer};
use super::{oauth, projects, rows};
use crate::providers::message::Answer;

/// Longest sentence of ours.
const LONGEST: usize = 400;

/// A status, `write` when something was to be changed, header fields as `name: value`, each in a line;
/// an empty line; the body.
pub(crate) fn read(bytes: &[u8]) {
    let Some(at) = bytes.windows(2).position(|pair| pair == b"\n\n") else {
        return;
    };
    let (head, body) = (String::from_utf8_lossy(&bytes[..at]), &bytes[at + 2..]);
    let mut lines = head.lines();
    let Some(status) = lines.next().and_then(|status| status.parse().ok()) else {
        return;
    };
    let field = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        fields
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.to_owned())
    };
    let answer = Answer {
        status,
        body: Zeroizing::new(body.to_vec()),
        writes: head.lines().any(|line| line == "write"),
        link: field("link"),
        retry_after: field("retry-after"),
        limit: field("limit"),
        remaining: field("remaining"),
        reset: field("reset"),
        date: field("date"),
        received: DateTime::from_timestamp(1_768_471_200, 0).unwrap_or_default(),
    };
    answer.quota();
    if let Ok(page) = told(env_page(&answer)) {
        for env in page.rows {
            rows::read_value(env);
        }
    }
    for env in told(env_page(&answer))
        .map(|page| page.rows)
        .unwrap_or_default()
    {
        if let Ok(row) = rows::row(env, Some("icfg_ours")) {
            assert!(!row.id.is_empty() && !row.key.is_empty());
        }
    }
    if let Ok(list) = told(project_page(&answer)) {
        for project in list.projects.into_iter().flatten() {
            if let Some(project) = projects::project(project) {
                assert!(!project.id.is_empty());
            }
        }
    }
    if let Ok(created) = told(json::<Created>(&answer)) {
        for failed in created.failed {
            for detail in &failed.error {
                plain(&of_failed(detail).0.message);
            }
        }
    }
    let _ = told(json::<Env>(&answer));
    let _ = told(json::<Deleted>(&answer));
    let _ = told(json::<Project>(&answer)).map(projects::project);
    let _ = told(json::<CustomEnvironments>(&answer));
    let _ = told(json::<UserAnswer>(&answer));
    let _ = told(json::<Team>(&answer));
    if let Err(error) = oauth::judge(&answer) {
        plain(&error.to_string());
    }
    let failure = refusal(&answer);
    plain(&failure.of_change().message);
    plain(&failure.sentence);
}

/// A failure is told in words of ours, whatever the answer says.
fn told<T>(read: Result<T, Failure>) -> Result<T, ()> {
    read.map_err(|failure| {
        plain(&failure.sentence);
        plain(&failure.error.to_string());
    })
}

fn plain(sentence: &str) {
    assert!(sentence.len() <= LONGEST, "{sentence}");
    assert!(!sentence.contains(char::is_control), "{sentence:?}");
}
