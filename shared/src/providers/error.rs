//! What can go wrong with a provider, by what the caller must do.

use chrono::{DateTime, Utc};

use crate::domain::gate::Barrier;
use crate::domain::job::ErrorCode;

/// The outcome of a call that did not succeed. Texts are ours: what a provider says is mapped by
/// its code at the client boundary, because providers echo values in their messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The credential is not accepted: ask the user to connect again.
    #[error("the provider no longer accepts this connection's credential")]
    Unauthorized,
    /// The credential works but may not do this: tell the user which right is missing.
    #[error("the connection's credential may not do this at the provider")]
    Forbidden,
    /// What was named does not exist, or not for this credential.
    #[error("the provider does not know it, or does not show it to this connection")]
    NotFound,
    /// Not before `until`. Nothing happened.
    #[error("the provider limits requests")]
    RateLimited {
        /// When the provider will take calls again; `None` when it does not say.
        until: Option<DateTime<Utc>>,
    },
    /// Nobody calls the provider before `until`, because it fails. Nothing happened.
    #[error("the provider is unavailable, and is left alone for a while")]
    Held {
        /// When to ask again.
        until: DateTime<Utc>,
    },
    /// Another writer or another row was in the way. Nothing happened; look again before writing.
    #[error("another change was in the way at the provider")]
    Conflict,
    /// The provider refuses this input for good.
    #[error("the provider refused the request ({code})")]
    Invalid {
        /// The provider's code, reduced to safe characters.
        code: String,
        /// Sentence of ours.
        message: String,
        /// The key it is about, when it is about one.
        key: Option<String>,
    },
    /// The provider has no environment of that name. The only text of this that people see, in an
    /// answer, a job and a log alike.
    #[error("providerEnvironment must be one of the project's environments: {}", known.join(", "))]
    UnknownEnvironment {
        /// The names that would have done.
        known: Vec<String>,
    },
    /// The provider cannot be reached, or a read failed there. For a write: nothing was sent. (A
    /// write that the provider answers with 5xx is [`ProviderError::OutcomeUnknown`].)
    #[error("the provider is unavailable")]
    Unavailable,
    /// No answer in time, and nothing was written.
    #[error("the provider did not answer in time")]
    Timeout,
    /// A write was sent and no answer came: it may or may not have happened. List before writing
    /// again.
    #[error("the provider did not confirm a write")]
    OutcomeUnknown,
    /// The answer is not what the provider's description says.
    #[error("the provider's answer could not be understood")]
    Protocol,
    /// Our own side refused the call: lease lost, job cancelled, shutting down. Nothing was sent.
    #[error("stopped before the call")]
    Stopped,
}

impl ProviderError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Held { .. }
                | Self::Conflict
                | Self::Unavailable
                | Self::Timeout
                | Self::OutcomeUnknown
                | Self::Protocol
        )
    }

    /// The stable word that a job which ends with this error bears.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unauthorized => ErrorCode::ReconnectRequired,
            Self::Forbidden => ErrorCode::Forbidden,
            Self::NotFound => ErrorCode::NotFound,
            Self::RateLimited { .. } => ErrorCode::RateLimited,
            Self::Conflict => ErrorCode::Conflict,
            Self::Invalid { .. } => ErrorCode::Rejected,
            Self::UnknownEnvironment { .. } => ErrorCode::UnknownEnvironment,
            Self::Unavailable | Self::Timeout | Self::Held { .. } => ErrorCode::Unavailable,
            Self::OutcomeUnknown => ErrorCode::OutcomeUnknown,
            Self::Protocol => ErrorCode::ProviderError,
            Self::Stopped => ErrorCode::Cancelled,
        }
    }

    /// Whether the provider, or the way to it, failed: whoever calls next may meet the same.
    pub const fn is_failure_of_provider(&self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::Timeout | Self::OutcomeUnknown
        )
    }

    /// The stable word for why a job waits that met this error.
    pub const fn waiting_reason(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => Barrier::Limit.as_str(),
            Self::Held { .. } => Barrier::Outage.as_str(),
            other => other.code().as_str(),
        }
    }

    /// The word for metrics.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::Held { .. } => "held",
            Self::Conflict => "conflict",
            Self::Invalid { .. } => "invalid",
            Self::UnknownEnvironment { .. } => "unknown_environment",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Protocol => "protocol",
            Self::Stopped => "stopped",
        }
    }
}
