//! `POST /v1/vaults/{owner}/{repo}/webhooks/{id}/rotate`

use axum::extract::State;
use keyway_shared::crypto::webhooks::new_secret;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::webhook::OVERLAP;
use serde_json::json;

use super::{WebhookPath, WebhookWithSecret, open};
use crate::envelope::{Envelope, ShownOnce};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Give a webhook a new secret
///
/// It is shown in this answer only. For 24 hours deliveries bear two signatures, one with each secret, so
/// that the receiver can be given the new one in peace. Needs `write:secrets` and the role admin.
#[utoipa::path(post, path = "/v1/vaults/{owner}/{repo}/webhooks/{id}/rotate", tag = "webhooks",
    params(VaultPath, ("id" = Uuid, Path, description = "The webhook.")),
    responses((status = 200, body = Envelope<WebhookWithSecret>), Guarded, Missing))]
pub(crate) async fn rotate_webhook_secret(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<WebhookPath>,
) -> Result<ShownOnce<WebhookWithSecret>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let (access, mut webhook) = open(&mut tx, &caller, &vault, path.id).await?;
    let now = tx.now().await?;
    let (secret, until) = (new_secret(&state.ambient), now + OVERLAP);
    tx.rotate_webhook_secret(webhook.id, &secret, until, now)
        .await?;
    webhook.previous_until = Some(until);
    webhook.updated_at = now;
    let metadata = json!({ "change": "rotated", "webhook": webhook.id });
    let action = Action::WebhookChanged;
    caller
        .note(&mut tx, &state, now, action, Some(&access.vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(ShownOnce(WebhookWithSecret {
        webhook: webhook.into(),
        secret,
    }))
}
