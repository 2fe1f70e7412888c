//! `GET /v1/vaults/{owner}/{repo}/webhooks/{id}/deliveries`

use axum::extract::State;
use keyway_shared::domain::account::Scope;

use super::{DeliveryBody, WebhookPath, open};
use crate::envelope::{ListEnvelope, Listed};
use crate::error::ApiError;
use crate::extract::{Caller, Page, Path, VaultPath};
use crate::schema::{Guarded, Invalid, Missing};
use crate::state::ApiState;

/// List a webhook's deliveries
///
/// Newest first: what was sent, how often it was tried, and what was answered, without the body. Needs
/// `read:secrets` and the role admin.
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/webhooks/{id}/deliveries", tag = "webhooks",
    params(VaultPath, ("id" = Uuid, Path, description = "The webhook."), Page),
    responses((status = 200, body = ListEnvelope<DeliveryBody>), Guarded, Missing, Invalid))]
pub(crate) async fn list_webhook_deliveries(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<WebhookPath>,
    page: Page,
) -> Result<Listed<DeliveryBody>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let (_, webhook) = open(&mut tx, &caller, &vault, path.id).await?;
    let (deliveries, total) = tx
        .list_deliveries(webhook.id, page.limit, page.offset)
        .await?;
    tx.commit().await?;
    let items = deliveries.into_iter().map(DeliveryBody::from).collect();
    Ok(Listed::new(items, total, page))
}
