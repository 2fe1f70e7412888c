//! The leave to call: every call of a job passes here, is counted, and can be refused.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::ProviderError;
use crate::domain::connection::Credential;
use crate::domain::words;

words! {
    /// Calls that a provider counts together.
    pub enum CallFamily {
        /// Lists and single values.
        Read = "read",
        /// Creates and upserts.
        Create = "create",
        /// Edits of one row.
        Update = "update",
        /// Deletes.
        Delete = "delete",
        /// Projects, environments, users, teams.
        Account = "account",
        /// OAuth.
        OAuth = "oauth",
    }
}

impl CallFamily {
    /// Whether such a call changes something at the provider.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }
}

/// Says before each call whether it may be made, and learns how it went.
#[async_trait]
pub trait CallGuard: Send + Sync + Debug {
    /// Refuses with [`ProviderError::Stopped`] when the job must not go on (lease too short for a
    /// write, cancelled, shutting down), or with [`ProviderError::RateLimited`].
    async fn before(&self, family: CallFamily) -> Result<(), ProviderError>;

    /// Learns the outcome.
    fn after(&self, family: CallFamily, error: Option<&ProviderError>);
}

/// A guard for calls outside jobs: it lets everything pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unguarded;

#[async_trait]
impl CallGuard for Unguarded {
    async fn before(&self, _: CallFamily) -> Result<(), ProviderError> {
        Ok(())
    }

    fn after(&self, _: CallFamily, _: Option<&ProviderError>) {}
}

/// Counts the calls of one run.
#[derive(Debug)]
pub struct Calls {
    guard: Arc<dyn CallGuard>,
    made: AtomicU64,
    request_id: Option<String>,
}

impl Calls {
    /// No calls so far.
    pub fn new(guard: Arc<dyn CallGuard>) -> Self {
        Self {
            guard,
            made: AtomicU64::new(0),
            request_id: None,
        }
    }

    /// Each call bears this as `X-Request-Id`, so that a provider's log can be held against ours.
    #[must_use]
    pub fn with_request_id(mut self, id: String) -> Self {
        self.request_id = Some(id);
        self
    }

    /// What each call bears as `X-Request-Id`.
    pub(super) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// How many were made.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Asks for leave and counts. Called by the HTTP layer only.
    pub(super) async fn begin(&self, family: CallFamily) -> Result<(), ProviderError> {
        self.guard.before(family).await?;
        self.made.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Passes the outcome on. Called by the HTTP layer only.
    pub(super) fn end(&self, family: CallFamily, error: Option<&ProviderError>) {
        self.guard.after(family, error);
    }
}

/// A credential and the leave to use it.
#[derive(Debug, Clone)]
pub struct Session {
    /// What calls are made with.
    pub credential: Credential,
    /// Their leave and count.
    pub calls: Arc<Calls>,
}

impl Session {
    /// A session outside any job.
    pub fn unguarded(credential: Credential) -> Self {
        Self {
            credential,
            calls: Arc::new(Calls::new(Arc::new(Unguarded))),
        }
    }
}
