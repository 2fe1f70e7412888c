//! `GET /v1/integrations/{provider}/authorize`

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::TimeDelta;
use keyway_shared::crypto::pkce::verifier;
use keyway_shared::crypto::tokens::{hash_token, random_token};
use keyway_shared::domain::account::{Scope, User};
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::providers::{Departure, Descriptor};
use keyway_shared::secret::Secret;
use keyway_shared::store::OAuthState;
use serde::Deserialize;
use url::Url;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::ticket::new_ticket;
use super::{AWAY, Refusal, callback_url, origin};
use crate::auth::cookies;
use crate::auth::test_keys;
use crate::error::ApiError;
use crate::extract::{Caller, Form, Path, Query};
use crate::integrations::outside;
use crate::pages::redirect::allowed;
use crate::pages::{self, Page, Sign, send_to};
use crate::schema::{Conflicting, Guarded, Invalid, Missing, Open};
use crate::state::ApiState;

/// Where the browser goes in the end.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuthorizeFields {
    /// The page to go to once connected; its origin must be allowed. Without it, a page here.
    #[param(example = "https://app.example.com/connected")]
    redirect_uri: Option<String>,
    /// Instead of a header, which a link cannot bear: see `authorize-ticket`.
    ticket: Option<String>,
    /// For old clients, where the operator allows it: a token, instead of a header.
    #[param(value_type = Option<String>)]
    token: Option<Secret>,
}

/// Connect by OAuth
///
/// Sends the browser to the provider, which sends it back to the callback. A cookie ties the two
/// together. Needs `write:secrets`. A browser that cannot send a header shows a ticket.
#[utoipa::path(
    get,
    path = "/v1/integrations/{provider}/authorize",
    operation_id = "authorize_provider",
    tag = "integrations",
    security(("bearer" = []), ("ticket" = [])),
    params(("provider" = String, Path, description = "The provider.", example = "vercel"), AuthorizeFields),
    responses(
        (status = 200, description = "With a ticket: a page that asks.", body = String, content_type = "text/html"),
        (status = 302, description = "To the provider.", headers(("Location" = String), ("Set-Cookie" = String))),
        Guarded, Missing, Conflicting, Invalid
    )
)]
pub(crate) async fn authorize_provider(
    State(state): State<ApiState>,
    Path(provider): Path<String>,
    Query(fields): Query<AuthorizeFields>,
    mut parts: Parts,
) -> Result<Response, ApiError> {
    let name = outside::provider_name(&provider)?;
    if let Some(ticket) = &fields.ticket {
        let mut tx = state.store.begin_read().await?;
        let now = tx.now().await?;
        let user = tx
            .find_authorize_ticket(&hash_token(ticket), name, now)
            .await?;
        tx.commit().await?;
        let redirect_uri = fields.redirect_uri.as_deref();
        return ask(&state, &parts.headers, name, user, ticket, redirect_uri).await;
    }
    let caller = match &fields.token {
        Some(token) if state.options.token_in_query => {
            Caller::from_token(&parts, &state, token.expose()).await?
        }
        _ => Caller::from_request_parts(&mut parts, &state).await?,
    };
    caller.require(Scope::WriteSecrets)?;
    test_keys::may_connect(&state, &caller, name).await?;
    if fields.token.is_some() && state.options.token_in_query {
        let ticket = new_ticket(&state, caller.user.id, name).await?;
        let (ticket, redirect_uri) = (ticket.0.expose(), fields.redirect_uri.as_deref());
        let user = Some(caller.user);
        return ask(&state, &parts.headers, name, user, ticket, redirect_uri).await;
    }
    send_away(&state, caller.user.id, name, fields.redirect_uri.as_deref()).await
}

/// What the page sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AuthorizeForm {
    ticket: String,
    redirect_uri: Option<String>,
}

/// Connect by OAuth, with a ticket
///
/// What the page sends that a ticket opens: it asks first, because a link can come from anybody.
#[utoipa::path(
    post,
    path = "/v1/integrations/{provider}/authorize",
    operation_id = "confirm_authorization",
    tag = "integrations",
    security(()),
    params(("provider" = String, Path, description = "The provider.", example = "vercel")),
    request_body(content = AuthorizeForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 302, description = "To the provider.", headers(("Location" = String), ("Set-Cookie" = String))),
        (status = 400, description = "The form is not what the page sends.", body = String, content_type = "text/html"),
        (status = 401, description = "The ticket was used, or is too old.", body = String, content_type = "text/html"),
        (status = 403, description = "The form does not come from our page, or `redirect_uri` is not allowed.", body = String, content_type = "text/html"),
        Missing, Conflicting, Open
    )
)]
pub(crate) async fn confirm_authorization(
    State(state): State<ApiState>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    form: Result<Form<AuthorizeForm>, ApiError>,
) -> Result<Response, ApiError> {
    let name = outside::provider_name(&provider)?;
    if !cookies::is_from_own_page(&state.options, &headers) {
        return Ok(Refusal::not_our_form().answer(&state));
    }
    let Ok(Form(form)) = form else {
        return Ok(Refusal::broken_form().answer(&state));
    };
    let elsewhere = |address: &String| allowed(&state.options, address).is_none();
    if form.redirect_uri.as_ref().is_some_and(elsewhere) {
        let refusal = Refusal::new(
            StatusCode::FORBIDDEN,
            "Not connected",
            "This link would have sent you on to a page that Keyway does not send anybody to. Nothing \
             was connected.",
            "If somebody sent you the link, do not trust it. Otherwise, whoever runs this service can \
             allow that page.",
        );
        return Ok(refusal.answer(&state));
    }
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let hash = hash_token(&form.ticket);
    let user_id = tx.take_authorize_ticket(&hash, name, now).await?;
    tx.commit().await?;
    match user_id {
        Some(user_id) => send_away(&state, user_id, name, form.redirect_uri.as_deref()).await,
        None => Ok(spent().answer(&state)),
    }
}

fn spent() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "This link no longer works",
        "It was used already, or is older than two minutes. Nothing was connected.",
        "Please go back to where you got it, and start again.",
    )
}

/// The page that a link opens. Whoever follows a stranger's link would give the stranger their account
/// at the provider: so it says whose user it is, and is none for a browser that is signed in as
/// somebody else.
async fn ask(
    state: &ApiState,
    headers: &HeaderMap,
    name: ProviderName,
    user: Option<User>,
    ticket: &str,
    redirect_uri: Option<&str>,
) -> Result<Response, ApiError> {
    let provider = outside::provider(state, name)?;
    let display = provider.descriptor().display_name;
    let Some(user) = user else {
        return Ok(spent().answer(state));
    };
    if let Some((_, other)) = cookies::signed_in(state, headers).await?
        && other.id != user.id
    {
        let refusal = Refusal::other_user(
            "This link is somebody else's",
            &format!(
                "It would connect your account at {display} with the Keyway user {}. You are signed in \
                 as {}. Nothing was connected.",
                user.username, other.username
            ),
            "If somebody sent you this link, close the page. If both are you, sign in as the one who made \
             the link, and open it again.",
        );
        return Ok(refusal.answer(state));
    }
    let origin = origin(&*provider).ok_or_else(|| not_set_up(provider.descriptor()))?;
    let title = format!("Connect your {display} account?");
    let text = format!(
        "The Keyway user {} could then read and change the variables of its projects. On the next page, \
         {display} asks you to allow that.",
        user.username
    );
    let (action, submit) = (
        format!("/v1/integrations/{name}/authorize"),
        format!("Continue to {display}"),
    );
    let mut page = Page::new(StatusCode::OK, Sign::Question, &title, &text);
    page.warning = Some("Go on only if this is you, and you began this yourself a moment ago.");
    page.facts = vec![("Keyway user", &user.username)];
    let mut hidden = vec![("ticket", ticket)];
    hidden.extend(redirect_uri.map(|address| ("redirect_uri", address)));
    page.form = Some(pages::Form {
        action: &action,
        hidden,
        submit: &submit,
        leads_to: Some(&origin),
        ..pages::Form::default()
    });
    Ok(page.answer(state))
}

/// Sends the browser to the provider.
async fn send_away(
    state: &ApiState,
    user_id: Uuid,
    name: ProviderName,
    redirect_uri: Option<&str>,
) -> Result<Response, ApiError> {
    let provider = outside::provider(state, name)?;
    let redirect_uri = match redirect_uri {
        Some(address) => Some(allowed(&state.options, address).ok_or_else(|| {
            ApiError::forbidden("redirect_uri must have one of the allowed origins")
        })?),
        None => None,
    };
    let (token, browser) = (random_token(&state.ambient), random_token(&state.ambient));
    let callback = callback_url(&state.options, name);
    let page = provider
        .authorize_url(&Departure {
            state: token.expose(),
            callback: &callback,
            verifier: &verifier(browser.expose()),
        })
        .ok_or_else(|| not_set_up(provider.descriptor()))?;

    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    tx.prune_oauth_states(now).await?;
    tx.insert_oauth_state(&OAuthState {
        state_hash: hash_token(token.expose()),
        user_id,
        provider: name,
        redirect_uri: redirect_uri.map(Url::into),
        browser_hash: hash_token(browser.expose()),
        expires_at: now + TimeDelta::seconds(AWAY.lasts),
    })
    .await?;
    tx.commit().await?;

    // Also the answer to a form: 302 is what existing clients look for, and browsers GET what follows.
    let mut response = send_to(&page).ok_or(ApiError::Internal)?;
    AWAY.set(&state.options, &mut response, browser.expose());
    Ok(response)
}

fn not_set_up(provider: &Descriptor) -> ApiError {
    let (display, name) = (provider.display_name, provider.name);
    let with_a_token = format!("POST /v1/integrations/{name}/connect");
    ApiError::conflict(match &provider.sign_in.oauth {
        Some(oauth) => format!(
            "OAuth with {display} is not set up here: the operator has to set {}. A token works without: \
             {with_a_token}",
            oauth.settings.join(", "),
        ),
        None => format!(
            "{display} has no OAuth for services like this one. Connect with a token: {with_a_token}"
        ),
    })
}
