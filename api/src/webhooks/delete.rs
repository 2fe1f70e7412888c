//! `DELETE /v1/vaults/{owner}/{repo}/webhooks/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use serde_json::json;

use super::{WebhookPath, open};
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Delete a webhook
///
/// What was still to be sent is not sent. Needs `write:secrets` and the role admin.
#[utoipa::path(delete, path = "/v1/vaults/{owner}/{repo}/webhooks/{id}", tag = "webhooks",
    params(VaultPath, ("id" = Uuid, Path, description = "The webhook.")),
    responses((status = 204), Guarded, Missing))]
pub(crate) async fn delete_webhook(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<WebhookPath>,
) -> Result<NoContent, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let (access, webhook) = open(&mut tx, &caller, &vault, path.id).await?;
    let now = tx.now().await?;
    if !tx.delete_webhook(access.vault.id, webhook.id, now).await? {
        return Err(ApiError::not_found("webhook"));
    }
    let metadata = json!({ "change": "deleted", "webhook": webhook.id });
    let action = Action::WebhookChanged;
    caller
        .note(&mut tx, &state, now, action, Some(&access.vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(NoContent)
}
