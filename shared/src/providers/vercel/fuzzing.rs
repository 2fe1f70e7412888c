//! Answers of any kind, read by every reader that there is.

use super::client::{env_page, json, project_page};
use super::errors::{Failure, of_failed, refusal};
use super::wire::{Created, CustomEnvironments, Deleted, Env, Project, Team, UserAnswer};
use super::{oauth, projects, rows};
use crate::providers::fuzzing::{answer, plain};

/// An answer as [`answer`] reads it.
pub(crate) fn read(bytes: &[u8]) {
    let Some(answer) = answer(bytes) else {
        return;
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
