//! What goes to a provider and what comes back, before and after the wire. The body of either may
//! hold values, so neither can be printed.

use std::fmt::{self, Debug};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::retry_after::{self, RetryHints};
use super::{CallFamily, ProviderError, Quota};
use crate::secret::Secret;

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Edits.
    Patch,
    /// Deletes.
    Delete,
}

/// What is sent.
pub enum Body {
    /// Nothing.
    None,
    /// JSON, already written. The transport takes it over and keeps copies that cannot be wiped.
    Json(Vec<u8>),
    /// A form.
    Form(Vec<(&'static str, Secret)>),
}

impl Body {
    /// Writes `value` as JSON.
    pub fn json(value: &impl Serialize) -> Result<Self, ProviderError> {
        serde_json::to_vec(value)
            .map(Self::Json)
            .map_err(|_| ProviderError::Protocol)
    }
}

impl Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(…)")
    }
}

/// One call.
#[derive(Debug)]
pub struct Call<'a> {
    /// Its name in traces, such as `variables.list`.
    pub op: &'static str,
    /// What the provider counts it with.
    pub family: CallFamily,
    /// Its method.
    pub verb: Verb,
    /// Its path, with `{…}` for each segment that is filled in.
    pub route: &'static str,
    /// What fills the path, in order. Each is one segment, whatever it contains.
    pub segments: Vec<&'a str>,
    /// The query.
    pub query: Vec<(&'static str, String)>,
    /// Header fields besides the credential, by names in lower case. Their values may let whoever has
    /// them change something, and are kept out of what is printed.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body.
    pub body: Body,
}

impl Call<'_> {
    /// Whether it matters that it arrived when its answer is lost. A form exchanges a code or a token,
    /// which works once, so that such a call is not to be made again as a read is.
    pub(super) const fn writes(&self) -> bool {
        self.family.writes() || matches!(self.body, Body::Form(_))
    }
}

impl<'a> Call<'a> {
    /// A read with nothing but its path. Whoever makes it gives it its name, and what else it is.
    pub const fn get(route: &'static str, segments: Vec<&'a str>) -> Self {
        Self {
            op: "",
            family: CallFamily::Read,
            verb: Verb::Get,
            route,
            segments,
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::None,
        }
    }
}

/// An answer, read to its end. The body is wiped when dropped, since it may hold values.
pub struct Answer {
    /// Its status, never 3xx.
    pub status: u16,
    /// Its body.
    pub body: Zeroizing<Vec<u8>>,
    /// Whether the call was to change something.
    pub writes: bool,
    pub(super) link: Option<String>,
    pub(super) retry_after: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) remaining: Option<String>,
    pub(super) reset: Option<String>,
    pub(super) date: Option<String>,
    pub(super) received: DateTime<Utc>,
}

impl Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Whether the call succeeded.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Reads the body of a success. One that cannot be read leaves a write unconfirmed.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        serde_json::from_slice(&self.body).map_err(|_| self.unreadable())
    }

    /// What a success whose body says nothing amounts to.
    pub fn unreadable(&self) -> ProviderError {
        if self.writes {
            ProviderError::OutcomeUnknown
        } else {
            ProviderError::Protocol
        }
    }

    /// Whether the header `Link` names a next page (RFC 8288); `None` without such a header.
    pub fn has_next_page(&self) -> Option<bool> {
        let link = self.link.as_deref()?.to_ascii_lowercase();
        Some(link.contains("rel=\"next\"") || link.contains("rel=next"))
    }

    /// Whether the answer says in a header when to come again.
    pub fn has_retry_after(&self) -> bool {
        self.retry_after.is_some()
    }

    /// What the headers say of the calls that the provider takes.
    pub(super) fn quota(&self) -> Quota {
        let number = |text: &Option<String>| text.as_deref()?.trim().parse().ok();
        let hints = RetryHints {
            header_reset: self.reset.as_deref(),
            date: self.date.as_deref(),
            ..RetryHints::default()
        };
        Quota {
            total: number(&self.limit),
            left: number(&self.remaining),
            end: retry_after::retry_at(&hints, self.received),
        }
    }

    /// When to come again, from the headers and what the body says.
    pub fn retry_at(
        &self,
        reset_secs: Option<f64>,
        reset_ms: Option<f64>,
    ) -> Option<DateTime<Utc>> {
        retry_after::retry_at(
            &RetryHints {
                retry_after: self.retry_after.as_deref(),
                header_reset: self.reset.as_deref(),
                reset_secs,
                reset_ms,
                date: self.date.as_deref(),
            },
            self.received,
        )
    }
}
