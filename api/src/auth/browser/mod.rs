//! Signing a browser in, through GitHub or with an API key.
//!
//! What ties the way to GitHub and the way back together is a random state that works once, of which
//! only a hash is kept, and a cookie. The verifier of the code comes from that cookie, so that no
//! other browser and nobody who caught the code can use it.

pub(super) mod callback;
pub(super) mod key;
pub(super) mod start;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use keyway_shared::crypto::pkce::verifier;
use keyway_shared::crypto::tokens::{hash_token, random_token};
use keyway_shared::github::SignIn;
use keyway_shared::secret::Secret;
use keyway_shared::store::{BrowserSignIn, Tx};
use uuid::Uuid;

use super::cookies;
use crate::error::ApiError;
use crate::options::ApiOptions;
use crate::pages::private;
use crate::state::ApiState;

/// The cookie of a browser that was sent to GitHub.
const COOKIE: &str = "keyway_sign_in";
/// How long it may stay away.
const AWAY: TimeDelta = TimeDelta::minutes(10);

/// Where GitHub sends the browser back to. From the configuration only.
fn callback_url(options: &ApiOptions) -> String {
    let base = options.public_url.trim_end_matches('/');
    format!("{base}/v1/auth/callback")
}

/// Sends the browser to GitHub: to sign in itself, or to let a device in.
pub(super) async fn send_away(
    mut tx: Tx,
    state: &ApiState,
    sign_in: &SignIn,
    device_id: Option<Uuid>,
    redirect_uri: Option<String>,
    now: DateTime<Utc>,
) -> Result<Response, ApiError> {
    let (token, browser) = (random_token(&state.ambient), random_token(&state.ambient));
    let callback = callback_url(&state.options);
    let page = sign_in
        .authorize_url(token.expose(), &callback, &verifier(browser.expose()))
        .ok_or(ApiError::Internal)?;
    tx.prune_sign_ins(now).await?;
    tx.insert_browser_sign_in(&BrowserSignIn {
        state_hash: hash_token(token.expose()),
        browser_hash: hash_token(browser.expose()),
        device_id,
        redirect_uri,
        expires_at: now + AWAY,
    })
    .await?;
    tx.commit().await?;
    let location = HeaderValue::from_str(&page).map_err(|error| ApiError::internal(&error))?;
    // A form's answer: whatever the method was, the browser is to GET what follows.
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    set_cookie(state, &mut response, browser.expose());
    private(&mut response);
    Ok(response)
}

/// Sets the cookie, or with an empty value removes it.
fn set_cookie(state: &ApiState, response: &mut Response, value: &str) {
    let age = if value.is_empty() {
        0
    } else {
        AWAY.num_seconds()
    };
    let secure = if state.options.public_url.starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    let cookie =
        format!("{COOKIE}={value}; Path=/v1/auth; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Puts the session into the browser.
fn signed_in(state: &ApiState, mut response: Response, token: &Secret) -> Response {
    cookies::sign_in(&state.options, response.headers_mut(), token.expose());
    response
}
