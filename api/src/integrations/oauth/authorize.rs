//! `GET /v1/integrations/{provider}/authorize`

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use keyway_shared::crypto::tokens::{hash_token, random_token};
use keyway_shared::domain::account::Scope;
use keyway_shared::providers::Descriptor;
use keyway_shared::store::OAuthState;
use serde::Deserialize;
use url::Url;
use utoipa::IntoParams;

use super::{AWAY, callback_url, set_cookie};
use crate::error::ApiError;
use crate::extract::{Caller, Path, Query};
use crate::integrations::outside;
use crate::pages::private;
use crate::pages::redirect::allowed;
use crate::schema::{Conflicting, Guarded, Invalid, Missing};
use crate::state::ApiState;

/// Where the browser goes in the end.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuthorizeFields {
    /// The page to go to once connected; its origin must be allowed. Without it, a page here.
    #[param(example = "https://app.example.com/connected")]
    redirect_uri: Option<String>,
}

/// Connect by OAuth
///
/// Sends the browser to the provider, which sends it back to the callback. A cookie ties the two
/// together. Needs `write:secrets`.
#[utoipa::path(
    get,
    path = "/v1/integrations/{provider}/authorize",
    operation_id = "authorize_provider",
    tag = "integrations",
    params(("provider" = String, Path, description = "The provider.", example = "vercel"), AuthorizeFields),
    responses(
        (status = 302, description = "To the provider.", headers(("Location" = String), ("Set-Cookie" = String))),
        Guarded, Missing, Conflicting, Invalid
    )
)]
pub(crate) async fn authorize_provider(
    State(state): State<ApiState>,
    caller: Caller,
    Path(provider): Path<String>,
    Query(fields): Query<AuthorizeFields>,
) -> Result<Response, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let name = outside::provider_name(&provider)?;
    let provider = outside::provider(&state, name)?;
    let redirect_uri = match &fields.redirect_uri {
        Some(address) => Some(allowed(&state.options, address).ok_or_else(|| {
            ApiError::forbidden("redirect_uri must have one of the allowed origins")
        })?),
        None => None,
    };
    let (token, browser) = (random_token(&state.ambient), random_token(&state.ambient));
    let callback = callback_url(&state.options, name);
    let page = provider
        .authorize_url(token.expose(), &callback)
        .ok_or_else(|| not_set_up(provider.descriptor()))?;

    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    tx.prune_oauth_states(now).await?;
    tx.insert_oauth_state(&OAuthState {
        state_hash: hash_token(token.expose()),
        user_id: caller.user.id,
        provider: name,
        redirect_uri: redirect_uri.map(Url::into),
        browser_hash: hash_token(browser.expose()),
        expires_at: now + TimeDelta::seconds(AWAY),
    })
    .await?;
    tx.commit().await?;

    let location = HeaderValue::from_str(&page).map_err(|error| ApiError::internal(&error))?;
    let cookie = HeaderValue::from_str(&set_cookie(&state.options, browser.expose()))
        .map_err(|error| ApiError::internal(&error))?;
    let mut response = (
        StatusCode::FOUND,
        [(header::LOCATION, location), (header::SET_COOKIE, cookie)],
    )
        .into_response();
    private(&mut response);
    Ok(response)
}

fn not_set_up(provider: &Descriptor) -> ApiError {
    ApiError::conflict(format!(
        "OAuth with {} is not set up here: the operator has to set {}. A token works without: POST \
         /v1/integrations/{}/connect",
        provider.display_name,
        provider.oauth_settings.join(", "),
        provider.name
    ))
}
