//! `GET /v1/integrations/{provider}/callback`

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use keyway_shared::crypto::pkce::verifier;
use keyway_shared::crypto::tokens::hash_token;
use keyway_shared::domain::account::User;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::secret::Secret;
use keyway_shared::store::OAuthState;
use serde::Deserialize;
use utoipa::IntoParams;

use super::connected::{Connecting, connect};
use super::exchange::{exchange, present};
use super::{AWAY, Refusal, pending, provider_page};
use crate::auth::cookies;
use crate::extract::{ClientInfo, Path, Query};
use crate::integrations::outside;
use crate::pages::{private, send_to};
use crate::schema::Open;
use crate::state::ApiState;

/// What the provider says.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackFields {
    /// Proves that the user agreed.
    pub(super) code: Option<String>,
    /// Tells which authorization this ends. Without it, it was begun at the provider: the answer is a
    /// page that asks.
    state: Option<String>,
    /// The installation at the provider. It must be that of the code.
    #[param(example = "icfg_xxx")]
    pub(super) configuration_id: Option<String>,
    /// The team, for one's installation. It must be that of the code.
    #[param(example = "team_xxx")]
    pub(super) team_id: Option<String>,
    /// A page of the provider's to go on to. An address elsewhere is ignored.
    pub(super) next: Option<String>,
    /// Where it was begun: `external`, `marketplace` or `deploy-button`.
    pub(super) source: Option<String>,
    /// Who gave the code, at providers that say so. It must be the provider.
    #[param(example = "https://backboard.railway.com/oauth")]
    pub(super) iss: Option<String>,
    /// Why the user did not agree.
    error: Option<String>,
}

/// Finish an authorization
///
/// Where the provider sends the browser back to. Saves the connection, then sends the browser to the
/// `redirect_uri` of its start, or shows a page. Without a `state`, nothing is connected until the user
/// who is signed in has said so on the page that the browser is sent to.
#[utoipa::path(
    get,
    path = "/v1/integrations/{provider}/callback",
    operation_id = "finish_authorization",
    tag = "integrations",
    security(()),
    params(("provider" = String, Path, description = "The provider.", example = "vercel"), CallbackFields),
    responses(
        (status = 200, description = "Connected.", body = String, content_type = "text/html"),
        (status = 302, description = "Connected; to `redirect_uri`. Or not yet; to the page that asks.", headers(("Location" = String))),
        (status = 400, description = "The authorization is declined, spent or too old, or the code is for another account than the address says.", body = String, content_type = "text/html"),
        (status = 403, description = "Another browser began it, or another user is signed in.", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such provider.", body = String, content_type = "text/html"),
        (status = 409, description = "OAuth with the provider is not set up here.", body = String, content_type = "text/html"),
        (status = 422, description = "A parameter appears twice."),
        (status = 502, description = "The provider did not answer as it should.", body = String, content_type = "text/html"),
        Open
    )
)]
pub(crate) async fn finish_authorization(
    State(state): State<ApiState>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    client: ClientInfo,
    Query(fields): Query<CallbackFields>,
) -> Response {
    let begun_here = present(fields.state.as_deref());
    let finished = match begun_here {
        Some(token) => finish(&state, &provider, token, &headers, &client, &fields).await,
        None => begun_elsewhere(&state, &provider, &fields).await,
    };
    let mut response = finished.unwrap_or_else(|refusal| refusal.answer(&state));
    private(&mut response);
    if begun_here.is_some() {
        // The cookie has done its work.
        AWAY.remove(&state.options, &mut response);
    }
    response
}

async fn finish(
    state: &ApiState,
    provider: &str,
    token: &str,
    headers: &HeaderMap,
    client: &ClientInfo,
    fields: &CallbackFields,
) -> Result<Response, Refusal> {
    let name = outside::provider_name(provider)?;
    let provider = outside::provider(state, name)?;
    let display = provider.descriptor().display_name;
    let Taken {
        started,
        user,
        verifier,
    } = take(state, name, headers, token).await?;
    if fields.error.is_some() {
        return Err(declined(display));
    }
    is_still(state, headers, &user).await?;
    let exchanged = exchange(state, &*provider, name, fields, Some(&verifier)).await?;
    let who = Connecting {
        user: &user,
        provider: name,
        client,
        session_id: None,
        source: None,
    };
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let connected = connect(&mut tx, state, &who, exchanged, now).await?;
    tx.commit().await?;
    let back = started.redirect_uri;
    let back = back.or_else(|| provider_page(&*provider, fields.next.as_deref()));
    Ok(back
        .and_then(|back| send_to(&back))
        .unwrap_or_else(|| connected.page(state, display, &user)))
}

/// Nobody here began it, so whoever made the browser come may be somebody else than who sits before
/// it: what a stranger connects must not become theirs, nor theirs a stranger's.
async fn begun_elsewhere(
    state: &ApiState,
    provider: &str,
    fields: &CallbackFields,
) -> Result<Response, Refusal> {
    let name = outside::provider_name(provider)?;
    let provider = outside::provider(state, name)?;
    if fields.error.is_some() {
        return Err(declined(provider.descriptor().display_name));
    }
    let oauth = provider.descriptor().sign_in.oauth;
    if !oauth.is_some_and(|oauth| oauth.begins_there) {
        return Err(spent());
    }
    // What such a start always brings: without either this is a broken link, and no reason to ask the
    // provider anything.
    if present(fields.code.as_deref()).is_none()
        || present(fields.configuration_id.as_deref()).is_none()
    {
        return Err(spent());
    }
    pending::begin(state, &*provider, name, fields).await
}

/// What was begun.
struct Taken {
    started: OAuthState,
    user: User,
    /// What the code may be bound to.
    verifier: Secret,
}

/// Takes the state out, which works once, and sees that this is the browser that began.
async fn take(
    state: &ApiState,
    name: ProviderName,
    headers: &HeaderMap,
    token: &str,
) -> Result<Taken, Refusal> {
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let found = tx.take_oauth_state(&hash_token(token), now).await?;
    let started = found.filter(|started| started.provider == name);
    let user = match &started {
        Some(started) => tx.find_user(started.user_id).await?,
        None => None,
    };
    tx.commit().await?;
    let (Some(started), Some(user)) = (started, user) else {
        return Err(spent());
    };
    match AWAY.find(headers, &started.browser_hash) {
        Some(cookie) => Ok(Taken {
            verifier: verifier(cookie),
            started,
            user,
        }),
        None => Err(Refusal::another_browser()),
    }
}

/// A browser need not be signed in here: what began may have been a client with an API key. One that
/// is signed in as somebody else has changed hands meanwhile.
async fn is_still(state: &ApiState, headers: &HeaderMap, user: &User) -> Result<(), Refusal> {
    match cookies::signed_in(state, headers).await? {
        Some((_, other)) if other.id != user.id => Err(Refusal::other_user(
            "Signed in as somebody else",
            &format!(
                "The Keyway user {} began this, and this browser is signed in as {}. Nothing was connected.",
                user.username, other.username
            ),
            "If both are you, sign in as the one whom you mean, and start again.",
        )),
        _ => Ok(()),
    }
}

fn declined(display: &str) -> Refusal {
    Refusal::wanted(
        StatusCode::BAD_REQUEST,
        &format!("{display} says that you declined. Nothing was connected, and nothing was kept."),
        "You can close this page, or start again from Keyway when you change your mind.",
    )
}

fn spent() -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "This link no longer works",
        "It is not complete, was used already, or is older than ten minutes. Nothing was connected.",
        "Please start again from Keyway.",
    )
}
