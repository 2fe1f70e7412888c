//! What Netlify's refusals mean: by status alone. Their texts differ from call to call, come in four
//! forms, and may echo values, so they are not even read.

use crate::domain::job::ErrorCode;
use crate::providers::message::Answer;
use crate::providers::{ChangeFailure, ProviderError};

/// Code of a refusal of too much at once.
pub(super) const TOO_LARGE: &str = "too_large";

/// What a call that Netlify did not accept means.
pub(super) fn refusal(answer: &Answer) -> ProviderError {
    let limited = || ProviderError::RateLimited {
        until: answer.retry_at(None, None),
    };
    match answer.status {
        401 => ProviderError::Unauthorized,
        403 => ProviderError::Forbidden,
        404 => ProviderError::NotFound,
        409 => ProviderError::Conflict,
        429 => limited(),
        // Requests over 30 seconds are cut by a load balancer, whatever becomes of them behind it.
        408 | 500.. if answer.writes => ProviderError::OutcomeUnknown,
        408 => ProviderError::Timeout,
        503 if answer.has_retry_after() => limited(),
        500.. => ProviderError::Unavailable,
        413 => invalid(TOO_LARGE, "Netlify takes less at once."),
        400..500 => invalid(code(answer.status), "Netlify refused this variable."),
        _ => ProviderError::Protocol,
    }
}

const fn code(status: u16) -> &'static str {
    match status {
        402 => "payment_required",
        422 => "unprocessable",
        _ => "bad_request",
    }
}

/// A refusal for good, in words of ours.
pub(super) fn invalid(code: &str, sentence: &str) -> ProviderError {
    ProviderError::Invalid {
        code: code.to_owned(),
        message: format!("{sentence} ({code})"),
        key: None,
    }
}

/// What to tell of a change that ended so.
pub(super) fn of_change(error: &ProviderError) -> ChangeFailure {
    ChangeFailure {
        code: error.code(),
        message: match error {
            ProviderError::Invalid { message, .. } => message.clone(),
            other => other.to_string(),
        },
    }
}

/// A change that was not tried, and why.
pub(super) fn failure(code: ErrorCode, message: &str) -> ChangeFailure {
    ChangeFailure {
        code,
        message: message.to_owned(),
    }
}
