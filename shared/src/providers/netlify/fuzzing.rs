//! Answers of any kind, read by every reader that there is.

use serde::de::DeserializeOwned;

use super::client::json;
use super::wire::{Account, Build, Site, User, Variable};
use super::{oauth, projects, rows};
use crate::providers::fuzzing::{answer, plain};
use crate::providers::message::Answer;

/// An answer as [`answer`] reads it.
pub(crate) fn read(bytes: &[u8]) {
    let Some(answer) = answer(bytes) else {
        return;
    };
    answer.quota();
    let _ = answer.has_next_page();
    for row in rows::view(told(&answer).unwrap_or_default()).rows {
        assert!(!row.key.is_empty());
        assert!(!row.id.is_empty() || row.kind == rows::EMPTY);
    }
    if let Some(variable) = told::<Variable>(&answer) {
        rows::rows(variable, &mut Vec::new());
    }
    for site in told::<Vec<Site>>(&answer).into_iter().flatten() {
        if let Some(project) = projects::project(site) {
            assert!(!project.id.is_empty() && !project.name.is_empty());
        }
    }
    let _ = told::<Vec<Account>>(&answer);
    let _ = told::<User>(&answer);
    let _ = told::<Build>(&answer);
    if let Err(error) = oauth::exchanged(&answer) {
        plain(&error.to_string());
    }
}

fn told<T: DeserializeOwned>(answer: &Answer) -> Option<T> {
    json(answer).map_err(|error| plain(&error.to_string())).ok()
}
