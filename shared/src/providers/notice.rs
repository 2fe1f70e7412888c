//! What a provider tells by itself, on a call of its own.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// An older notice is not acted on: one that comes again after it was forgotten that it came would be
/// taken for a new one.
pub const NOTICE_COUNTS: Duration = Duration::from_hours(7 * 24);

/// What a provider tells, after it was seen that it is the provider who does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The provider's id of it: the same for each time that it is sent.
    pub id: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: NoticeKind,
}

/// What happened at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// Somebody removed the installation there: its tokens are worthless.
    InstallationRemoved {
        /// The installation.
        installation_id: String,
    },
    /// Something that does not concern us.
    Other,
}

/// Why a call that should bring a notice is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// The provider has none, or there is nothing here to know it by.
    #[error("no notices are taken from this provider")]
    NotConfigured,
    /// It is not the provider's, or was changed on its way.
    #[error("the signature does not fit")]
    BadSignature,
    /// It is the provider's and cannot be understood.
    #[error("the notice cannot be understood")]
    Unreadable,
}
