//! Answers of any kind, read by every reader that there is.

use serde::de::DeserializeOwned;

use super::client::{json, secrets};
use super::errors::Failure;
use super::wire::{App, Apps, Lease, Machine, MachineUpdate, Tokens};
use super::{projects, rows, token};
use crate::providers::fuzzing::{answer, plain};
use crate::providers::message::Answer;

/// An answer as [`answer`] reads it; its body as a pasted token, too.
pub(crate) fn read(bytes: &[u8]) {
    let Some(answer) = answer(bytes) else {
        return;
    };
    answer.quota();
    if let Ok(text) = std::str::from_utf8(&answer.body)
        && let Some(token) = token::pasted(text)
    {
        let again = token::pasted(token.expose());
        assert_eq!(again.as_ref(), Some(&token));
    }
    match secrets(&answer) {
        Ok(found) => {
            found.version();
            for row in rows::rows(found.secrets()).rows {
                assert!(!row.key.is_empty());
            }
        }
        Err(failure) => plain_failure(&failure),
    }
    if let Some(found) = told::<Tokens>(&answer) {
        for team in [None, Some("acme")] {
            if let Err(error) = projects::reach(found.tokens.clone(), team) {
                plain(&error.to_string());
            }
        }
    }
    let _ = told::<Apps>(&answer);
    if let Some(app) = told::<App>(&answer) {
        let _ = projects::project(app);
    }
    let _ = told::<Lease>(&answer).and_then(Lease::nonce);
    let _ = told::<Vec<Machine>>(&answer);
    if let Some(config) = told::<Machine>(&answer).and_then(|machine| machine.config) {
        let update = MachineUpdate {
            config: &config,
            min_secrets_version: 1,
            skip_launch: true,
        };
        let body = serde_json::to_string(&update).unwrap_or_default();
        assert!(body.contains(config.get()));
    }
}

fn told<T: DeserializeOwned>(answer: &Answer) -> Option<T> {
    json(answer).map_err(|failure| plain_failure(&failure)).ok()
}

fn plain_failure(failure: &Failure) {
    plain(&failure.error.to_string());
    plain(&failure.of_change().message);
}
