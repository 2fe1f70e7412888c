//! `GET /v1/auth/github/start`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{key, send_away};
use crate::error::ApiError;
use crate::extract::Query;
use crate::pages::redirect::allowed;
use crate::pages::{Page, Sign};
use crate::schema::{Invalid, Malformed, Open};
use crate::state::ApiState;

/// Where the browser goes in the end.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StartFields {
    /// The page to go to once signed in; its origin must be allowed. Without it, a page here.
    #[param(example = "https://app.example.com/auth/callback")]
    redirect_uri: Option<String>,
}

/// Sign in with a browser
///
/// Sends the browser to GitHub, which sends it back to the callback. In local mode, a page that asks
/// for an API key.
#[utoipa::path(get, path = "/v1/auth/github/start", operation_id = "start_browser_sign_in", tag = "auth",
    security(()), params(StartFields),
    responses(
        (status = 200, description = "A page that asks for an API key.", body = String, content_type = "text/html"),
        (status = 303, description = "To GitHub.", headers(("Location" = String), ("Set-Cookie" = String))),
        (status = 409, description = "Sign-in through GitHub is not set up.", body = String, content_type = "text/html"),
        Malformed, Invalid, Open
    ))]
pub(crate) async fn start_browser_sign_in(
    State(state): State<ApiState>,
    Query(fields): Query<StartFields>,
) -> Result<Response, ApiError> {
    let redirect_uri = match &fields.redirect_uri {
        None => None,
        Some(address) => Some(
            allowed(&state.options, address)
                .ok_or_else(|| {
                    ApiError::bad_request("redirect_uri must have one of the allowed origins")
                })?
                .to_string(),
        ),
    };
    let Some(roles) = &state.roles else {
        return Ok(key::ask(
            &state,
            StatusCode::OK,
            redirect_uri.as_deref(),
            None,
        ));
    };
    let Some(sign_in) = roles.sign_in() else {
        return Ok(not_set_up(&state));
    };
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    send_away(tx, &state, sign_in, None, redirect_uri, now).await
}

/// The page of a service in GitHub mode that has no app at GitHub.
pub(in crate::auth) fn not_set_up(state: &ApiState) -> Response {
    Page::new(
        StatusCode::CONFLICT,
        Sign::Failed,
        "Sign-in is not set up",
        "Sign-in through GitHub needs GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET, which the operator \
         of this service sets. Until then, send a token of GitHub's.",
    )
    .answer(state)
    .into_response()
}
