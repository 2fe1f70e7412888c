//! `POST /v1/vaults/{owner}/{repo}/webhooks/{id}/test`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::job::JobClass;
use keyway_shared::domain::webhook::Event;
use serde::Serialize;
use utoipa::ToSchema;

use super::{DeliveryBody, WebhookPath, open};
use crate::envelope::{Accepted, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// The delivery that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestDelivery {
    delivery: DeliveryBody,
}

/// Test a webhook
///
/// Sends it an event of the type `webhook.test`, like any other: its deliveries show what became of it.
/// Needs `write:secrets` and the role admin.
#[utoipa::path(post, path = "/v1/vaults/{owner}/{repo}/webhooks/{id}/test", tag = "webhooks",
    params(VaultPath, ("id" = Uuid, Path, description = "The webhook.")),
    responses((status = 202, body = Envelope<TestDelivery>), Guarded, Missing, Conflicting))]
pub(crate) async fn test_webhook(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<WebhookPath>,
) -> Result<Accepted<TestDelivery>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let (access, webhook) = open(&mut tx, &caller, &vault, path.id).await?;
    if webhook.disabled.is_some() {
        return Err(ApiError::conflict(
            "The webhook is disabled: enable it to test it",
        ));
    }
    let (vault, by) = (&access.vault, caller.user.id);
    let name = vault.repo_full_name();
    let id = tx
        .queue_delivery(vault.id, &name, webhook.id, by, &Event::test())
        .await?;
    let delivery = tx
        .find_delivery(webhook.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("delivery"))?;
    tx.commit().await?;
    state.queue.ring(id, JobClass::Background).await;
    Ok(Accepted {
        data: TestDelivery {
            delivery: delivery.into(),
        },
        location: format!("/v1/vaults/{name}/webhooks/{}/deliveries", webhook.id),
    })
}
