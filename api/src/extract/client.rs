//! Where a request came from, for routes that nobody has to be signed in for.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use keyway_shared::domain::activity::Platform;

use super::caller::{address, platform};

/// Where a request came from, as far as can be told.
#[derive(Debug, Clone)]
pub struct ClientInfo {
    /// What kind of client it is, by what it says of itself.
    pub platform: Platform,
    /// Where the connection came from.
    pub ip: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for ClientInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            platform: platform(&parts.headers),
            ip: address(parts),
        })
    }
}
