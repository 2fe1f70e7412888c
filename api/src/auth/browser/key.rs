//! `POST /v1/auth/sign-in`: local mode.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::signed_in;
use crate::auth::{cookies, local, session};
use crate::error::ApiError;
use crate::extract::{ClientInfo, Form};
use crate::pages::redirect::allowed;
use crate::pages::{self, Page, Sign, private};
use crate::schema::Open;
use crate::state::ApiState;

/// What the page asks for.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SignInForm {
    #[schema(value_type = String)]
    api_key: keyway_shared::secret::Secret,
    redirect_uri: Option<String>,
}

/// The page that asks.
pub(super) fn ask(
    state: &ApiState,
    status: StatusCode,
    redirect_uri: Option<&str>,
    problem: Option<&str>,
) -> Response {
    let mut page = Page::new(
        status,
        if problem.is_some() {
            Sign::Failed
        } else {
            Sign::Question
        },
        "Sign in",
        problem.unwrap_or(
            "Users of this service sign in with an API key of theirs that has every scope.",
        ),
    );
    // Where the form leads is held against the policy, too.
    let origin = redirect_uri
        .and_then(|address| url::Url::parse(address).ok())
        .map(|address| address.origin().ascii_serialization());
    page.form = Some(pages::Form {
        action: "/v1/auth/sign-in",
        hidden: redirect_uri
            .map(|address| ("redirect_uri", address))
            .into_iter()
            .collect(),
        fields: vec![local::FIELD],
        submit: "Sign in",
        refuse: None,
        leads_to: origin.as_deref(),
    });
    page.answer(state)
}

/// Sign in with an API key
///
/// What the page of local mode sends. Puts a session into the browser.
#[utoipa::path(post, path = "/v1/auth/sign-in", operation_id = "sign_in_with_key", tag = "auth",
    security(()),
    request_body(content = SignInForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Signed in.", body = String, content_type = "text/html"),
        (status = 303, description = "Signed in; to `redirect_uri`.", headers(("Location" = String), ("Set-Cookie" = String))),
        (status = 400, description = "The form is not what the page sends.", body = String, content_type = "text/html"),
        (status = 401, description = "The key is not taken.", body = String, content_type = "text/html"),
        (status = 403, description = "The form does not come from our page.", body = String, content_type = "text/html"),
        (status = 404, description = "This service is not in local mode.", body = String, content_type = "text/html"),
        Open
    ))]
pub(crate) async fn sign_in_with_key(
    State(state): State<ApiState>,
    headers: HeaderMap,
    client: ClientInfo,
    form: Result<Form<SignInForm>, ApiError>,
) -> Result<Response, ApiError> {
    let refuse =
        |status, text| Page::new(status, Sign::Failed, "Not signed in", text).answer(&state);
    if state.roles.is_some() {
        let text = "Users of this service sign in through GitHub.";
        return Ok(refuse(StatusCode::NOT_FOUND, text));
    }
    if !cookies::is_from_own_page(&state.options, &headers) {
        let text = "The form was not sent from our own page. Please open it again.";
        return Ok(refuse(StatusCode::FORBIDDEN, text));
    }
    let Ok(Form(form)) = form else {
        let text = "The form is not complete. Please open the page again.";
        return Ok(refuse(StatusCode::BAD_REQUEST, text));
    };
    let redirect_uri = form
        .redirect_uri
        .and_then(|address| allowed(&state.options, &address))
        .map(String::from);
    let user = match local::user_of(&state, form.api_key.expose(), &client).await? {
        Ok(user) => user,
        Err(text) => {
            let status = StatusCode::UNAUTHORIZED;
            return Ok(ask(&state, status, redirect_uri.as_deref(), Some(&text)));
        }
    };
    let name = user.username.clone();
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let (_, token) = session::begin(&mut tx, &state, user, &client, now).await?;
    tx.commit().await?;
    let location = redirect_uri.and_then(|address| HeaderValue::from_str(&address).ok());
    let response = if let Some(location) = location {
        let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
        private(&mut response);
        response
    } else {
        let text = format!("You are signed in as {name}. You can close this page.");
        Page::new(StatusCode::OK, Sign::Done, "Signed in", &text).answer(&state)
    };
    Ok(signed_in(&state, response, &token))
}
