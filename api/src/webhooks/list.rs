//! `GET /v1/vaults/{owner}/{repo}/webhooks`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;
use serde::Serialize;
use utoipa::ToSchema;

use super::WebhookBody;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// A vault's webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Webhooks {
    webhooks: Vec<WebhookBody>,
}

/// List webhooks
///
/// The vault's webhooks, oldest first, without their secrets. Needs `read:secrets` and the role admin.
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/webhooks", tag = "webhooks",
    params(VaultPath), responses((status = 200, body = Envelope<Webhooks>), Guarded, Missing))]
pub(crate) async fn list_webhooks(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
) -> Result<Data<Webhooks>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let access = path.open(&mut tx, &caller, Role::Admin).await?;
    let webhooks = tx.list_webhooks(access.vault.id).await?;
    tx.commit().await?;
    Ok(Data(Webhooks {
        webhooks: webhooks.into_iter().map(WebhookBody::from).collect(),
    }))
}
