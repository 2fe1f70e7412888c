//! `GET /v1/auth/callback`

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use keyway_shared::crypto::pkce::verifier;
use keyway_shared::crypto::tokens::hash_token;
use keyway_shared::domain::account::User;
use keyway_shared::github::{GitHubError, RoleError, SignIn};
use keyway_shared::store::BrowserSignIn;
use keyway_shared::store::github::KeptToken;
use serde::Deserialize;
use url::Url;
use utoipa::IntoParams;

use super::start::not_set_up;
use super::{COOKIE, callback_url, set_cookie, signed_in};
use crate::auth::{cookies, session};
use crate::error::ApiError;
use crate::extract::{ClientInfo, Query};
use crate::pages::{Page, Sign, send_to};
use crate::schema::{Invalid, Open};
use crate::state::ApiState;

/// What GitHub says.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackFields {
    /// Proves that the user agreed.
    code: Option<String>,
    /// Tells which sign-in this ends.
    state: Option<String>,
    /// Why the user did not agree.
    error: Option<String>,
}

/// Why nobody was signed in: for a page of ours, and as the word that pages elsewhere are sent.
struct Refusal(StatusCode, &'static str, &'static str);

const SPENT: Refusal = Refusal(
    StatusCode::BAD_REQUEST,
    "invalid_state",
    "This sign-in is unknown, was used already, took too long, or was begun in another browser. \
     Please start again.",
);
const ON_OUR_SIDE: Refusal = Refusal(
    StatusCode::INTERNAL_SERVER_ERROR,
    "server_error",
    "Something went wrong on our side. Please try again.",
);

impl From<ApiError> for Refusal {
    fn from(_: ApiError) -> Self {
        ON_OUR_SIDE
    }
}

impl From<keyway_shared::store::StoreError> for Refusal {
    fn from(error: keyway_shared::store::StoreError) -> Self {
        ApiError::from(error).into()
    }
}

/// Finish a sign-in
///
/// Where GitHub sends the browser back to. Puts a session into the browser, or lets in the device that
/// it was sent for.
#[utoipa::path(get, path = "/v1/auth/callback", operation_id = "finish_sign_in", tag = "auth",
    security(()), params(CallbackFields),
    responses(
        (status = 200, description = "Signed in.", body = String, content_type = "text/html"),
        (status = 302, description = "To `redirect_uri`, or to its origin's `/auth/callback?error=…`.", headers(("Location" = String))),
        (status = 400, description = "The sign-in is declined, spent or too old.", body = String, content_type = "text/html"),
        (status = 409, description = "Sign-in through GitHub is not set up.", body = String, content_type = "text/html"),
        (status = 502, description = "GitHub did not answer as it should.", body = String, content_type = "text/html"),
        Invalid, Open
    ))]
pub(crate) async fn finish_sign_in(
    State(state): State<ApiState>,
    headers: HeaderMap,
    client: ClientInfo,
    Query(fields): Query<CallbackFields>,
) -> Response {
    let Some(sign_in) = state.roles.as_ref().and_then(|roles| roles.sign_in()) else {
        return not_set_up(&state);
    };
    let mut redirect_uri = None;
    let finished = finish(
        &state,
        sign_in,
        &headers,
        &client,
        &fields,
        &mut redirect_uri,
    )
    .await;
    let mut response = finished.unwrap_or_else(|Refusal(status, word, text)| {
        redirect_uri
            .as_deref()
            .and_then(|address| failed_at(address, word))
            .and_then(|address| send_to(&address))
            .unwrap_or_else(|| {
                Page::new(status, Sign::Failed, "Not signed in", text).answer(&state)
            })
    });
    // The cookie has done its work.
    set_cookie(&state, &mut response, "");
    response
}

/// Where existing pages show why a sign-in failed.
fn failed_at(redirect_uri: &str, word: &str) -> Option<String> {
    let mut page = Url::parse(redirect_uri).ok()?;
    page.set_path("/auth/callback");
    page.set_fragment(None);
    page.query_pairs_mut().clear().append_pair("error", word);
    Some(page.into())
}

async fn finish(
    state: &ApiState,
    sign_in: &SignIn,
    headers: &HeaderMap,
    client: &ClientInfo,
    fields: &CallbackFields,
    redirect_uri: &mut Option<String>,
) -> Result<Response, Refusal> {
    let (begun, cookie) = take(state, headers, fields.state.as_deref()).await?;
    redirect_uri.clone_from(&begun.redirect_uri);
    if fields.error.is_some() {
        if let Some(device) = begun.device_id {
            let mut tx = state.store.begin().await?;
            let now = tx.now().await?;
            tx.answer_device_sign_in(device, None, now).await?;
            tx.commit().await?;
        }
        return Err(Refusal(
            StatusCode::BAD_REQUEST,
            "access_denied",
            "GitHub says that you declined. Nobody was signed in.",
        ));
    }
    let code = fields.code.as_deref().filter(|code| !code.is_empty());
    let code = code.ok_or(Refusal(
        StatusCode::BAD_REQUEST,
        "invalid_request",
        "GitHub sent no code. Please start again.",
    ))?;
    let (user, kept) = ask(state, sign_in, code, cookie).await?;
    let name = user.username.clone();
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    tx.set_github_token(user.id, Some(&kept), now).await?;
    if let Some(device) = begun.device_id {
        if !tx.answer_device_sign_in(device, Some(user.id), now).await? {
            return Err(SPENT);
        }
        tx.commit().await?;
        let text = format!(
            "The device is signed in as {name}. You can close this page and go back to it."
        );
        return Ok(Page::new(StatusCode::OK, Sign::Done, "You are all set", &text).answer(state));
    }
    let (_, token) = session::begin(&mut tx, state, user, client, now).await?;
    tx.commit().await?;
    let elsewhere = begun.redirect_uri.as_deref().and_then(send_to);
    let response = elsewhere.unwrap_or_else(|| {
        let text = format!("You are signed in as {name}. You can close this page.");
        Page::new(StatusCode::OK, Sign::Done, "Signed in", &text).answer(state)
    });
    Ok(signed_in(state, response, &token))
}

/// Takes the state out, which works once, and sees that this is the browser that was sent away.
async fn take<'a>(
    state: &ApiState,
    headers: &'a HeaderMap,
    token: Option<&str>,
) -> Result<(BrowserSignIn, &'a str), Refusal> {
    let token = token.ok_or(SPENT)?;
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let begun = tx.take_browser_sign_in(&hash_token(token), now).await?;
    tx.commit().await?;
    let begun = begun.ok_or(SPENT)?;
    let cookie = cookies::all(headers, COOKIE)
        .find(|cookie| hash_token(cookie) == begun.browser_hash)
        .ok_or(SPENT)?;
    Ok((begun, cookie))
}

/// Exchanges the code and asks who it is.
async fn ask(
    state: &ApiState,
    sign_in: &SignIn,
    code: &str,
    cookie: &str,
) -> Result<(User, KeptToken), Refusal> {
    let away = Refusal(
        StatusCode::BAD_GATEWAY,
        "temporarily_unavailable",
        "GitHub did not answer as it should. Please try again.",
    );
    let callback = callback_url(&state.options);
    let exchanged = sign_in.exchange(code, &callback, &verifier(cookie)).await;
    let token = exchanged.map_err(|error| match error {
        GitHubError::Unauthorized => Refusal(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "GitHub did not accept the sign-in; it works once and not for long. Please start again. \
             If this happens again, the app's client id and secret need the operator's care.",
        ),
        _ => away,
    })?;
    let kept = KeptToken::new(token, state.ambient.now());
    let roles = state.roles.as_ref().ok_or(ON_OUR_SIDE)?;
    match roles.identify(&kept.access).await {
        Ok(user) => Ok((user, kept)),
        Err(RoleError::Store(error)) => Err(error.into()),
        Err(_) => Err(Refusal(
            StatusCode::BAD_GATEWAY,
            "temporarily_unavailable",
            "GitHub did not say who you are. Please try again.",
        )),
    }
}
