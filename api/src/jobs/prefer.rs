//! How long a caller is ready to wait for a job (RFC 7240), and what kind of caller it is.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::at_once::{Held, Open};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::options::ApiOptions;
use crate::state::ApiState;

/// A caller's patience.
#[derive(Debug)]
pub(crate) struct Patience {
    /// How long to wait for the job.
    pub(super) wait: Duration,
    /// The caller said so itself, so it knows what a 202 means.
    pub(super) stated: bool,
    /// A browser: existing pages take every 2xx without `status: "error"` for a success.
    pub(super) browser: bool,
    /// What a caller who waits has taken.
    pub(super) held: Held,
}

impl FromRequestParts<ApiState> for Patience {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let mut patience = Self::of(&parts.headers, &state.options);
        if !patience.wait.is_zero() {
            // Before anything is accepted: who is refused has changed nothing.
            let caller = Caller::from_request_parts(parts, state).await?;
            patience.held = Held::take(state, &caller, Open::Wait).await?;
        }
        Ok(patience)
    }
}

impl Patience {
    fn of(headers: &HeaderMap, options: &ApiOptions) -> Self {
        let preferences = headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        let mut asked: Option<Duration> = None;
        let mut at_once = false;
        for preference in preferences {
            // A preference may have parameters; what is not understood is to be ignored.
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("respond-async") {
                at_once = true;
            } else if name.eq_ignore_ascii_case("wait") && asked.is_none() {
                asked = value.parse().ok().map(Duration::from_secs);
            }
        }
        let at_once = at_once.then_some(Duration::ZERO);
        Self {
            wait: asked
                .or(at_once)
                .map_or(options.default_wait, |wait| wait.min(options.max_wait)),
            stated: asked.or(at_once).is_some(),
            browser: headers.contains_key(header::COOKIE),
            held: Held::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn patience(prefer: &[&'static str]) -> (u64, bool) {
        let mut headers = HeaderMap::new();
        for value in prefer {
            headers.append("prefer", HeaderValue::from_static(value));
        }
        let patience = Patience::of(&headers, &ApiOptions::default());
        (patience.wait.as_secs(), patience.stated)
    }

    #[test]
    fn preferences_are_read_as_the_rfc_says() {
        let cases: &[(&[&'static str], (u64, bool))] = &[
            (&[], (25, false)),
            (&["wait=3"], (3, true)),
            (&["Wait = \"3\""], (3, true)),
            (&["wait=1000"], (120, true)),
            (&["respond-async"], (0, true)),
            (&["respond-async, wait=10"], (10, true)),
            (&["respond-async", "wait=10"], (10, true)),
            (&["handling=lenient; x=y, wait=5"], (5, true)),
            (&["wait=soon"], (25, false)),
            (&["wait=-1"], (25, false)),
            (&["return=minimal"], (25, false)),
        ];
        for (prefer, expected) in cases {
            assert_eq!(patience(prefer), *expected, "{prefer:?}");
        }
    }
}
