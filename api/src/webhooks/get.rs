//! `GET /v1/vaults/{owner}/{repo}/webhooks/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;

use super::{OneWebhook, WebhookPath, open};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Get a webhook
///
/// Needs `read:secrets` and the role admin.
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/webhooks/{id}", tag = "webhooks",
    params(VaultPath, ("id" = Uuid, Path, description = "The webhook.")),
    responses((status = 200, body = Envelope<OneWebhook>), Guarded, Missing))]
pub(crate) async fn get_webhook(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<WebhookPath>,
) -> Result<Data<OneWebhook>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let (_, webhook) = open(&mut tx, &caller, &vault, path.id).await?;
    tx.commit().await?;
    Ok(Data(OneWebhook {
        webhook: webhook.into(),
    }))
}
