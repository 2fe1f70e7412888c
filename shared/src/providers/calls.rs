//! The leave to call: every call of a job passes here, is counted, and can be refused.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use chrono::{DateTime, Utc};

use super::ProviderError;
use crate::domain::connection::Credential;
pub use crate::domain::gate::CallFamily;

/// What an answer says of the calls that a provider takes. Nothing is invented: most say nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Calls in a window.
    pub total: Option<u32>,
    /// Those that are left.
    pub left: Option<u32>,
    /// The window's end.
    pub end: Option<DateTime<Utc>>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub struct CallEnd<'a> {
    /// Why it did not succeed.
    pub error: Option<&'a ProviderError>,
    /// What its answer said besides.
    pub quota: Quota,
}

/// Says before each call whether it may be made, and learns how it went.
#[async_trait]
pub trait CallGuard: Send + Sync + Debug {
    /// Waits until the call may be made. Refuses with [`ProviderError::Stopped`] when the job must not
    /// go on (lease too short for a write, cancelled, shutting down), and with
    /// [`ProviderError::RateLimited`] or [`ProviderError::Held`] when the wait would be too long.
    async fn before(&self, family: CallFamily) -> Result<(), ProviderError>;

    /// Learns how a call ended.
    async fn after(&self, family: CallFamily, end: CallEnd<'_>);

    /// Learns that a call was given up from our side before its answer.
    fn given_up(&self, _family: CallFamily) {}
}

/// A guard for calls outside jobs: it lets everything pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unguarded;

#[async_trait]
impl CallGuard for Unguarded {
    async fn before(&self, _: CallFamily) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn after(&self, _: CallFamily, _: CallEnd<'_>) {}
}

/// Counts the calls of one run.
#[derive(Debug)]
pub struct Calls {
    guard: Arc<dyn CallGuard>,
    made: Arc<AtomicU64>,
    told: Arc<Mutex<Quota>>,
    request_id: Option<String>,
}

impl Calls {
    /// No calls so far.
    pub fn new(guard: Arc<dyn CallGuard>) -> Self {
        Self {
            guard,
            made: Arc::default(),
            told: Arc::default(),
            request_id: None,
        }
    }

    /// Calls that are counted with these and need another leave: those of another credential.
    #[must_use]
    pub fn under(&self, guard: Arc<dyn CallGuard>) -> Self {
        Self {
            guard,
            made: Arc::clone(&self.made),
            told: Arc::clone(&self.told),
            request_id: self.request_id.clone(),
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

    /// What the last answer that said anything said of the calls that are left.
    pub fn told(&self) -> Quota {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for leave and counts. Called by the HTTP layer only.
    pub(super) async fn begin(&self, family: CallFamily) -> Result<(), ProviderError> {
        self.guard.before(family).await?;
        self.made.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Passes the outcome on. Called by the HTTP layer only.
    pub(super) async fn end(&self, family: CallFamily, end: CallEnd<'_>) {
        if end.quota.left.is_some() {
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = end.quota;
        }
        self.guard.after(family, end).await;
    }

    /// The same for a call without one. Called by the HTTP layer only.
    pub(super) fn given_up(&self, family: CallFamily) {
        self.guard.given_up(family);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_answer_said_is_kept_until_another_says_more() {
        let calls = Calls::new(Arc::new(Unguarded));
        let another = calls.under(Arc::new(Unguarded));
        for left in [Some(7), None] {
            let quota = Quota {
                left,
                ..Quota::default()
            };
            let end = CallEnd { error: None, quota };
            calls.end(CallFamily::Read, end).await;
        }
        assert_eq!(another.told().left, Some(7));
    }
}
