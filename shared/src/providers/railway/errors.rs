//! What Railway's errors mean. They come inside of answers with any status, 200 above all, and say what
//! they are by their message: the code is `INTERNAL_SERVER_ERROR` for nearly all. A message is looked
//! at and dropped, since it may hold values.

use chrono::TimeDelta;
use serde::de::DeserializeOwned;

use super::wire::{ErrorDetail, Errors, Reply};
use crate::providers::ProviderError;
use crate::providers::message::Answer;

/// Railway counts calls by the hour: no window lasts longer, whatever the unit of what it says.
const LONGEST_WINDOW: TimeDelta = TimeDelta::hours(1);

const TWO_FACTOR: &str = "Railway asks for two-factor authentication: set it up in the account's settings there, \
     and connect again.";
const OUTDATED: &str =
    "Railway does not know the request any more; this program may need an update.";
/// Codes of refusals that somebody has to do something about, whatever is sent.
const PERSONS: &[&str] = &["two_factor", "graphql_validation_failed"];
/// Code of a refusal of too much at once.
const TOO_LARGE: &str = "too_large";
/// Code of a refusal whose reason is not known.
const UNTOLD: &str = "unrecognised";
const NO_REASON: &str = "Railway did not take this variable, and gave no reason that is known.";
const REFUSED: &str = "Railway refused the request.";

/// What there is to read in an answer, or why nothing is. Any error is a failure, data beside it or not.
pub(super) fn judge<T: DeserializeOwned>(answer: &Answer) -> Result<T, ProviderError> {
    let told: Option<Errors> = serde_json::from_slice(&answer.body).ok();
    let errors = told.and_then(|told| told.errors).unwrap_or_default();
    if let Some(error) = by_status(answer, !errors.is_empty()) {
        return Err(error);
    }
    if !errors.is_empty() {
        return Err(by_errors(answer, &errors));
    }
    let reply: Reply<T> = answer.json()?;
    reply.data.ok_or_else(|| answer.unreadable())
}

/// The same for a call that can be made again without harm, in another way. An error that Railway tells and
/// that is not known is taken for a refusal then, for whoever called to find out of what. An answer that
/// is broken stays what it is.
pub(super) fn judge_told<T: DeserializeOwned>(answer: &Answer) -> Result<T, ProviderError> {
    judge(answer).map_err(|error| {
        let is_told = answer.is_success()
            && serde_json::from_slice::<Errors>(&answer.body)
                .is_ok_and(|told| told.errors.is_some_and(|errors| !errors.is_empty()));
        match error {
            ProviderError::OutcomeUnknown | ProviderError::Protocol if is_told => {
                invalid(UNTOLD, NO_REASON)
            }
            error => error,
        }
    })
}

/// The same for a redeploy. A service that was never deployed has no instance, and nothing that runs with old
/// values: `None`.
pub(super) fn judge_redeploy<T: DeserializeOwned>(
    answer: &Answer,
) -> Result<Option<T>, ProviderError> {
    if tells_only(answer, "serviceinstance not found") {
        return Ok(None);
    }
    judge(answer).map(Some)
}

/// The same for a delete: what is gone already is done. Of anything else that is not found nobody knows what
/// became of the variable.
pub(super) fn judge_delete<T: DeserializeOwned>(
    answer: &Answer,
) -> Result<Option<T>, ProviderError> {
    if tells_only(answer, "variable not found") {
        return Ok(None);
    }
    judge(answer).map(Some)
}

/// Whether all errors of an answer are this one.
fn tells_only(answer: &Answer, message: &str) -> bool {
    let told: Option<Errors> = serde_json::from_slice(&answer.body).ok();
    let errors = told.and_then(|told| told.errors).unwrap_or_default();
    let is_it = |error: &ErrorDetail| {
        let text = error.message.as_ref().map_or("", |text| text.expose());
        text.trim()
            .trim_end_matches('.')
            .eq_ignore_ascii_case(message)
    };
    answer.is_success() && !errors.is_empty() && errors.iter().all(is_it)
}

/// Whether Railway takes less at once.
pub(super) fn is_too_large(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Invalid { code, .. } if code == TOO_LARGE)
}

/// Whether Railway told an error of which nothing is known.
pub(super) fn is_untold(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Invalid { code, .. } if code == UNTOLD)
}

/// Whether a refusal can be about what was sent, so that a part of it may be taken.
pub(super) fn is_about_the_input(error: &ProviderError) -> bool {
    match error {
        ProviderError::Invalid { code, .. } => !PERSONS.contains(&code.as_str()),
        _ => false,
    }
}

/// What the status alone says. One that only says that the request was refused leaves the rest to the
/// errors beside it.
fn by_status(answer: &Answer, has_errors: bool) -> Option<ProviderError> {
    Some(match answer.status {
        200..300 => return None,
        401 => ProviderError::Unauthorized,
        403 => ProviderError::Forbidden,
        413 => invalid(TOO_LARGE, "Railway takes less at once."),
        429 => limited(answer),
        // A gateway's answer may follow a write that took effect, and nothing in it tells.
        408 | 500.. if answer.writes => ProviderError::OutcomeUnknown,
        408 => ProviderError::Timeout,
        503 if answer.has_retry_after() => limited(answer),
        500.. => ProviderError::Unavailable,
        _ if has_errors => return None,
        _ => invalid("refused", REFUSED),
    })
}

/// What errors mean together. A write failed for certain only if each of them says so: an error may come
/// after the effect.
fn by_errors(answer: &Answer, errors: &[ErrorDetail]) -> ProviderError {
    let all: Vec<Option<ProviderError>> = errors.iter().map(|error| one(answer, error)).collect();
    let uncertain = answer.writes && all.iter().any(Option::is_none);
    let mut known = all.into_iter().flatten();
    match known.next() {
        Some(error) if !uncertain => error,
        _ => answer.unreadable(),
    }
}

/// What one error means; `None` when that is not known. "Not Authorized" is said of a missing right, of
/// what does not exist and of a dead token alike: whoever asks next whose the token is finds out.
fn one(answer: &Answer, error: &ErrorDetail) -> Option<ProviderError> {
    let message = error.message.as_ref().map_or("", |text| text.expose());
    let message = message.trim().trim_end_matches('.').to_ascii_lowercase();
    let code = error.extensions.as_ref().and_then(|it| it.code.as_deref());
    match message.as_str() {
        "problem processing request" => return None,
        "not authorized" if code == Some("UNAUTHENTICATED") => {
            return Some(ProviderError::Unauthorized);
        }
        "not authorized" => return Some(ProviderError::Forbidden),
        "project token not found" => return Some(ProviderError::Unauthorized),
        "two factor authentication required" => return Some(invalid("two_factor", TWO_FACTOR)),
        "too many requests" => return Some(limited(answer)),
        // A write may have had its effect, and failed at the deployment that it sets off.
        "serviceinstance not found" if answer.writes => return None,
        text if text.ends_with(" not found") => return Some(ProviderError::NotFound),
        _ => {}
    }
    Some(match code? {
        "UNAUTHENTICATED" => ProviderError::Unauthorized,
        "FORBIDDEN" => ProviderError::Forbidden,
        "NOT_FOUND" => ProviderError::NotFound,
        "RATE_LIMITED" => limited(answer),
        "BAD_USER_INPUT" => invalid("bad_user_input", REFUSED),
        "GRAPHQL_VALIDATION_FAILED" | "GRAPHQL_PARSE_FAILED" => {
            invalid("graphql_validation_failed", OUTDATED)
        }
        _ => return None,
    })
}

fn limited(answer: &Answer) -> ProviderError {
    let latest = answer.received + LONGEST_WINDOW;
    ProviderError::RateLimited {
        until: answer.retry_at(None, None).map(|until| until.min(latest)),
    }
}

/// A refusal for good.
pub(super) fn invalid(code: &str, message: impl Into<String>) -> ProviderError {
    ProviderError::Invalid {
        code: code.to_owned(),
        message: message.into(),
        key: None,
    }
}
