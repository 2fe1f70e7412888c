//! `POST /v1/integrations/{provider}/authorize-ticket`

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use keyway_shared::crypto::tokens::{hash_token, random_token};
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::secret::Secret;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::test_keys;
use crate::envelope::{Envelope, ShownOnce, Timestamp};
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::integrations::outside;
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// How long a browser may take to open.
const LASTS: TimeDelta = TimeDelta::minutes(2);

/// A link to open in a browser.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthorizeTicket {
    /// Works once.
    ticket: String,
    /// The same in the address to open; `&redirect_uri=…` may be added.
    url: String,
    /// After this time it is refused.
    expires_at: Timestamp,
}

/// Get a ticket to connect by OAuth
///
/// For clients that open a browser, which cannot send a header: the ticket stands for the caller in the
/// address of `authorize`, once and for two minutes. Needs `write:secrets`.
#[utoipa::path(
    post,
    path = "/v1/integrations/{provider}/authorize-ticket",
    operation_id = "create_authorize_ticket",
    tag = "integrations",
    params(("provider" = String, Path, description = "The provider.", example = "vercel")),
    responses((status = 200, body = Envelope<AuthorizeTicket>), Guarded, Missing)
)]
pub(crate) async fn create_authorize_ticket(
    State(state): State<ApiState>,
    caller: Caller,
    Path(provider): Path<String>,
) -> Result<ShownOnce<AuthorizeTicket>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let name = outside::provider_name(&provider)?;
    test_keys::may_connect(&state, &caller, name).await?;
    let (ticket, expires_at) = new_ticket(&state, caller.user.id, name).await?;
    let base = state.options.public_url.trim_end_matches('/');
    let ticket = ticket.expose().to_owned();
    Ok(ShownOnce(AuthorizeTicket {
        url: format!("{base}/v1/integrations/{name}/authorize?ticket={ticket}"),
        ticket,
        expires_at: expires_at.into(),
    }))
}

/// A ticket of that user.
pub(super) async fn new_ticket(
    state: &ApiState,
    user_id: Uuid,
    provider: ProviderName,
) -> Result<(Secret, DateTime<Utc>), ApiError> {
    let ticket = random_token(&state.ambient);
    let hash = hash_token(ticket.expose());
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let expires_at = now + LASTS;
    tx.prune_oauth_states(now).await?;
    tx.insert_authorize_ticket(&hash, user_id, provider, expires_at)
        .await?;
    tx.commit().await?;
    Ok((ticket, expires_at))
}
