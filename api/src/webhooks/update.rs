//! `PATCH /v1/vaults/{owner}/{repo}/webhooks/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::webhook::{DisabledReason, EventType};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{OneWebhook, WebhookPath, check_events, check_url, open};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path, Strict, VaultPath};
use crate::schema::{Body, Guarded, Missing};
use crate::state::ApiState;
use crate::validate::Checks;

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookChange {
    /// An https address that anybody could reach.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// What it is told of.
    #[schema(value_type = Option<Vec<String>>)]
    events: Option<Vec<EventType>>,
    /// True also takes back that it was disabled for failing.
    enabled: Option<bool>,
}

/// Change a webhook
///
/// What is on its way goes to the new address; while it is disabled, nothing goes anywhere, and what was
/// on its way ends. Unknown fields are refused. Needs `write:secrets` and the role admin.
#[utoipa::path(patch, path = "/v1/vaults/{owner}/{repo}/webhooks/{id}", tag = "webhooks",
    params(VaultPath, ("id" = Uuid, Path, description = "The webhook.")),
    request_body = WebhookChange,
    responses((status = 200, body = Envelope<OneWebhook>), Guarded, Missing, Body))]
pub(crate) async fn update_webhook(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<WebhookPath>,
    Strict(change): Strict<WebhookChange>,
) -> Result<Data<OneWebhook>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut checks = Checks::default();
    if let Some(url) = &change.url {
        check_url(&mut checks, &state, url);
    }
    let events = change
        .events
        .map(|events| check_events(&mut checks, events));
    checks.done()?;

    let mut tx = state.store.begin().await?;
    let (access, mut webhook) = open(&mut tx, &caller, &vault, path.id).await?;
    let now = tx.now().await?;
    if let Some(url) = change.url
        && url != webhook.url
    {
        webhook.url = url;
        webhook.failing_since = None;
    }
    webhook.events = events.unwrap_or(webhook.events);
    match change.enabled {
        Some(true) => {
            webhook.disabled = None;
            webhook.failing_since = None;
        }
        Some(false) if webhook.disabled.is_none() => {
            webhook.disabled = Some((now, DisabledReason::Requested));
        }
        Some(false) | None => {}
    }
    webhook.updated_at = now;
    tx.update_webhook(&webhook).await?;
    let metadata = json!({
        "change": "updated",
        "webhook": webhook.id,
        "events": webhook.events,
        "enabled": webhook.disabled.is_none(),
    });
    let action = Action::WebhookChanged;
    caller
        .note(&mut tx, &state, now, action, Some(&access.vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(Data(OneWebhook {
        webhook: webhook.into(),
    }))
}
