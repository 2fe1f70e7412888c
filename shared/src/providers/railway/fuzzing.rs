//! Answers of any kind, read by every reader that there is.

use serde::de::DeserializeOwned;

use super::errors::judge;
use super::wire::{
    AllProjects, ApiTokenAnswer, Deleted, MeAnswer, MoreVariables, Named, PartsAnswer, Project,
    ProjectAnswer, ProjectTokenAnswer, Upserted, Variables, WorkspaceAnswer,
};
use super::{oauth, rows};
use crate::providers::ProviderError;
use crate::providers::fuzzing::{answer, plain};
use crate::providers::message::Answer;
use crate::providers::oauth::renewed;
use crate::secret::Secret;
use crate::sync::remote::Destination;

/// An answer as [`answer`] reads it.
pub(crate) fn read(bytes: &[u8]) {
    let Some(answer) = answer(bytes) else {
        return;
    };
    answer.quota();
    if let Some(found) = told::<Variables>(&answer) {
        let place = Destination {
            project_id: "p".to_owned(),
            owner_id: None,
            service_id: None,
            scope: "e".to_owned(),
            custom: true,
            branch: None,
        };
        let known: Vec<_> = found.environment.variables.into_nodes().collect();
        for row in rows::rows(&place, known, found.variables) {
            assert!(place.has(&row));
        }
    }
    let _ = told::<MoreVariables>(&answer);
    let _ = told::<Upserted>(&answer);
    let _ = told::<Deleted>(&answer);
    let _ = told::<AllProjects>(&answer);
    let _ = told::<WorkspaceAnswer>(&answer);
    let _ = told::<ProjectAnswer>(&answer);
    let _ = told::<PartsAnswer>(&answer);
    let _ = told::<ProjectTokenAnswer<Project>>(&answer);
    let _ = told::<ProjectTokenAnswer<Named>>(&answer);
    let _ = told::<MeAnswer>(&answer);
    let _ = told::<ApiTokenAnswer>(&answer);
    let refresh = Secret::new("r");
    for pair in [oauth::exchanged(&answer), renewed(&answer, &refresh)] {
        match pair {
            Ok(pair) => assert!(!pair.access.is_empty()),
            Err(error) => plain_error(&error),
        }
    }
}

fn told<T: DeserializeOwned>(answer: &Answer) -> Option<T> {
    judge(answer).map_err(|error| plain_error(&error)).ok()
}

fn plain_error(error: &ProviderError) {
    plain(&error.to_string());
    if let ProviderError::Invalid { code, message, .. } = error {
        plain(code);
        plain(message);
    }
}
