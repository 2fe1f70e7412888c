//! What Fly.io's refusals mean: by their status. Bodies come in several forms, repeat values, and have
//! no code that tells more, so that they are not read.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::job::ErrorCode;
use crate::providers::http::Classified;
use crate::providers::message::Answer;
use crate::providers::{ChangeFailure, ProviderError};

/// What a refusal is about, as far as the executor must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The whole call: going on would meet it again.
    Call,
    /// Something of what was sent, for good.
    Content,
    /// There is too much of it.
    TooLarge,
}

/// A call that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: ProviderError,
    pub refusal: Refusal,
}

impl Failure {
    /// What to tell of a change that ended so.
    pub(super) fn of_change(&self) -> ChangeFailure {
        ChangeFailure {
            code: self.error.code(),
            message: match &self.error {
                ProviderError::Invalid { message, .. } => message.clone(),
                error => error.to_string(),
            },
        }
    }

    /// Whether Fly.io only asks to come later.
    pub(super) const fn is_limit(&self) -> bool {
        matches!(self.error, ProviderError::RateLimited { .. })
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self {
            error,
            refusal: Refusal::Call,
        }
    }
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Classified for Failure {
    fn class(&self) -> &ProviderError {
        &self.error
    }
}

/// One action may be done to an app once a second.
const NEXT: TimeDelta = TimeDelta::seconds(1);

const REFUSED: &str = "Fly.io refused what was sent";
const TOO_LARGE: &str = "Fly.io takes less at once";

/// What a call that Fly.io did not accept means.
pub(super) fn refusal(answer: &Answer) -> Failure {
    let status = answer.status;
    let error = match status {
        401 => ProviderError::Unauthorized,
        // UNCERTAIN: for an app of others it is 403 or 404.
        403 => ProviderError::Forbidden,
        404 => ProviderError::NotFound,
        // UNCERTAIN, both: another write was under way, or what was named is not there yet.
        409 | 412 => ProviderError::Conflict,
        429 => ProviderError::RateLimited {
            until: Some(next(answer)),
        },
        // A gateway's 502 to 504, and a 500 after the fact, may follow a write that took effect,
        // and nothing in the answer tells.
        408 | 500.. if answer.writes => ProviderError::OutcomeUnknown,
        408 => ProviderError::Timeout,
        503 if answer.has_retry_after() => ProviderError::RateLimited {
            until: Some(next(answer)),
        },
        500.. => ProviderError::Unavailable,
        413 => invalid(status, TOO_LARGE),
        400..500 => invalid(status, REFUSED),
        _ => ProviderError::Protocol,
    };
    let refusal = match status {
        400 | 422 => Refusal::Content,
        413 => Refusal::TooLarge,
        _ => Refusal::Call,
    };
    Failure { error, refusal }
}

fn invalid(status: u16, sentence: &str) -> ProviderError {
    ProviderError::Invalid {
        code: status.to_string(),
        message: format!("{sentence} (status {status})."),
        key: None,
    }
}

/// When to come again. UNCERTAIN: no header says so; the limits are known from the documentation.
fn next(answer: &Answer) -> DateTime<Utc> {
    let told = answer.retry_at(None, None);
    told.unwrap_or(answer.received + NEXT)
}

/// What was not tried because others failed.
pub(super) fn not_attempted(message: &str) -> ChangeFailure {
    ChangeFailure {
        code: ErrorCode::NotAttempted,
        message: message.to_owned(),
    }
}
