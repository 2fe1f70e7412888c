//! What a failure at a provider, or a job that failed, is answered with. The one table for both.

use std::borrow::Cow;

use keyway_shared::domain::job::{ErrorCode, Job, JobState};
use serde_json::Value;

use crate::error::{ApiError, ConflictCode, FieldError};

/// Seconds until it is worth trying again when the provider does not say.
const RETRY_AFTER: u64 = 30;

/// The answer for a code. `text` is a sentence of ours that says more than the code; the text of a
/// 5xx is constant all the same. `retry_after`: seconds, when known.
pub(crate) fn refuse(code: ErrorCode, text: Option<String>, retry_after: Option<u64>) -> ApiError {
    let or = |fallback: &'static str| text.map_or(Cow::Borrowed(fallback), Cow::Owned);
    match code {
        ErrorCode::NotFound => ApiError::NotFound(or(
            "The provider does not know the project, or does not show it to this connection",
        )),
        ErrorCode::AuthorityGone => ApiError::NotFound(or(
            "The vault, its environment, the connection or the right to use them is gone",
        )),
        ErrorCode::UnknownEnvironment => {
            const FIELD: &str = "providerEnvironment";
            let text = or("must be one of the project's environments");
            // The sentence names the field, and so does the answer.
            let rest = text.strip_prefix(FIELD).unwrap_or(&text).trim_start();
            ApiError::field(FIELD, rest.trim_end_matches('.').to_owned())
        }
        ErrorCode::ReconnectRequired => ApiError::Conflict(
            ConflictCode::ReconnectRequired,
            "The provider no longer accepts this connection's credential. Connect again.".into(),
        ),
        ErrorCode::PlanStale => ApiError::Conflict(
            ConflictCode::PlanStale,
            or("The plan no longer fits what is there; preview again"),
        ),
        ErrorCode::EmptySource => ApiError::Conflict(
            ConflictCode::EmptySource,
            or("The source has no secrets; send confirmEmptySource to delete everything"),
        ),
        ErrorCode::TooManyDeletes => ApiError::Conflict(
            ConflictCode::TooManyDeletes,
            or("This would delete more than an automatic run may"),
        ),
        ErrorCode::VaultCorrupt => ApiError::Conflict(
            ConflictCode::VaultCorrupt,
            or("Secrets of the vault cannot be decrypted"),
        ),
        ErrorCode::IncompleteView => ApiError::Conflict(
            ConflictCode::IncompleteView,
            or("The provider showed only a part of the variables"),
        ),
        ErrorCode::TooManySecrets => ApiError::Validation(vec![FieldError::new(
            "",
            or("The destination would hold more variables than the provider takes"),
        )]),
        ErrorCode::Reference => ApiError::conflict(or(
            "Values refer to other variables at the provider; send allowReferences if that is meant",
        )),
        ErrorCode::Rejected => ApiError::Validation(vec![FieldError::new(
            "",
            or("The provider refused the request"),
        )]),
        ErrorCode::Forbidden => ApiError::forbidden(or(
            "The connection's credential may not do this at the provider: it lacks a right there",
        )),
        ErrorCode::Cancelled => ApiError::conflict("The job was cancelled"),
        ErrorCode::RateLimited => ApiError::Unavailable {
            detail: "The provider limits requests. Please try again later.",
            retry_after: retry_after.unwrap_or(RETRY_AFTER),
            location: None,
        },
        ErrorCode::Deadline => ApiError::Unavailable {
            detail: "The job was not done within its time. Please try again.",
            retry_after: retry_after.unwrap_or(RETRY_AFTER),
            location: None,
        },
        ErrorCode::Unavailable => {
            ApiError::Provider("The provider did not answer, or failed. Please try again.")
        }
        ErrorCode::ProviderError => {
            ApiError::Provider("The provider's answer could not be understood.")
        }
        ErrorCode::Conflict => {
            ApiError::Provider("Another change was in the way at the provider. Please try again.")
        }
        ErrorCode::RolloutFailed => {
            ApiError::Provider("What was written could not be put into effect everywhere.")
        }
        ErrorCode::OutcomeUnknown => ApiError::Provider("The provider did not confirm a write."),
        ErrorCode::Unreadable => ApiError::Provider("The provider does not show the value."),
        ErrorCode::NotAttempted
        | ErrorCode::TargetRefused
        | ErrorCode::Undelivered
        | ErrorCode::Poison
        | ErrorCode::Internal => {
            tracing::error!(code = code.as_str(), "a job failed by a fault of ours");
            ApiError::Internal
        }
    }
}

/// Whether a sync that failed so did so before it wrote anything, because of what was asked for.
/// Every other end of a sync is told by its report.
const fn is_refusal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotFound
            | ErrorCode::UnknownEnvironment
            | ErrorCode::PlanStale
            | ErrorCode::EmptySource
            | ErrorCode::TooManyDeletes
            | ErrorCode::TooManySecrets
            | ErrorCode::ReconnectRequired
            | ErrorCode::VaultCorrupt
    )
}

/// The refusal that a finished sync stands for, if it is one.
pub(super) fn refused(job: &Job, result: Option<&Value>) -> Option<ApiError> {
    let code = job
        .error_code
        .filter(|code| job.state == JobState::Failed && is_refusal(*code))?;
    // A code may also be that of a key which was tried; then the report is the answer.
    let tried = result
        .and_then(|result| result.get("failures")?.as_array())
        .into_iter()
        .flatten()
        .any(|failure| {
            failure.get("code").and_then(Value::as_str) != Some(ErrorCode::NotAttempted.as_str())
        });
    (!tried).then(|| refuse(code, job.error.clone(), None))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn every_code_has_its_status() {
        let of = |code| refuse(code, Some("sentence".to_owned()), None);
        for code in ErrorCode::ALL {
            let status = of(*code).status();
            assert!(status.is_client_error() || status.is_server_error());
            if is_refusal(*code) {
                assert!(status.is_client_error(), "{code}");
            }
            if status.is_server_error() {
                assert!(!of(*code).to_string().contains("sentence"), "{code}");
            }
        }
        assert_eq!(of(ErrorCode::NotFound).status(), StatusCode::NOT_FOUND);
        assert_eq!(of(ErrorCode::Unavailable).code(), "provider-error");
        assert_eq!(of(ErrorCode::RateLimited).code(), "unavailable");
        assert_eq!(
            of(ErrorCode::ReconnectRequired).code(),
            "reconnect-required"
        );
        assert_eq!(of(ErrorCode::UnknownEnvironment).code(), "validation-error");
    }
}
