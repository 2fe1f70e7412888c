//! Connecting by OAuth: the browser is sent to the provider and comes back with a code.
//!
//! What ties the two ends together is a random state that works once and of which only a hash is
//! kept, and a cookie that shows that the browser which comes back is the one that was sent.

pub(super) mod authorize;
pub(super) mod callback;
pub(super) mod ticket;

use axum::http::{HeaderMap, header};
use keyway_shared::domain::connection::ProviderName;

use crate::options::ApiOptions;

/// The cookie of a browser that was sent to a provider.
const COOKIE: &str = "keyway_oauth";
/// Seconds that a browser may stay away.
const AWAY: i64 = 600;

/// Where the provider sends the browser back to. From the configuration only: a `Host` header could
/// send the code elsewhere.
fn callback_url(options: &ApiOptions, provider: ProviderName) -> String {
    format!(
        "{}/v1/integrations/{provider}/callback",
        options.public_url.trim_end_matches('/')
    )
}

/// A `Set-Cookie` header; `value` is one of our own tokens, or empty to remove the cookie.
fn set_cookie(options: &ApiOptions, value: &str) -> String {
    let age = if value.is_empty() { 0 } else { AWAY };
    let secure = if options.public_url.starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    format!(
        "{COOKIE}={value}; Path=/v1/integrations; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"
    )
}

/// Our cookies of that request. A browser may send one of an outer path or domain as well.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}
