//! `POST /v1/vaults/{owner}/{repo}/webhooks`

use axum::extract::State;
use axum::http::StatusCode;
use keyway_shared::crypto::webhooks::new_secret;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use keyway_shared::domain::webhook::{EventType, MAX_PER_VAULT, Webhook};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{WebhookWithSecret, check_events, check_url};
use crate::auth::test_keys;
use crate::envelope::{Envelope, ShownOnce};
use crate::error::ApiError;
use crate::extract::{Caller, Strict, VaultPath};
use crate::schema::{Body, Conflicting, Guarded, Missing};
use crate::state::ApiState;
use crate::validate::Checks;

/// What is to be told where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateWebhook {
    /// An https address that anybody could reach.
    #[schema(max_length = 2048, example = "https://example.com/hooks/keyway")]
    url: String,
    /// `sync.succeeded`, `sync.partial`, `sync.failed`, `drift.detected`,
    /// `connection.needs-reconnect`; all of them without it.
    #[schema(value_type = Option<Vec<String>>, example = json!(["sync.failed"]))]
    events: Option<Vec<EventType>>,
}

/// Create a webhook
///
/// The secret that its deliveries are signed with is shown in this answer only. Unknown fields are
/// refused. Needs `write:secrets` and the role admin; a vault has at most ten.
#[utoipa::path(post, path = "/v1/vaults/{owner}/{repo}/webhooks", tag = "webhooks",
    params(VaultPath), request_body = CreateWebhook,
    responses((status = 201, body = Envelope<WebhookWithSecret>),
        Guarded, Missing, Conflicting, Body))]
pub(crate) async fn create_webhook(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Strict(body): Strict<CreateWebhook>,
) -> Result<(StatusCode, ShownOnce<WebhookWithSecret>), ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut checks = Checks::default();
    check_url(&mut checks, &state, &body.url);
    let all = || EventType::subscribable().collect();
    let events = check_events(&mut checks, body.events.unwrap_or_else(all));
    checks.done()?;

    let mut tx = state.store.begin().await?;
    let vault = path.open(&mut tx, &caller, Role::Admin).await?.vault;
    test_keys::may_touch_all(&mut tx, &caller, vault.id).await?;
    if tx.list_webhooks(vault.id).await?.len() >= MAX_PER_VAULT {
        let message = format!("A vault has at most {MAX_PER_VAULT} webhooks");
        return Err(ApiError::conflict(message));
    }
    let now = tx.now().await?;
    let webhook = Webhook {
        id: state.ambient.new_id(),
        vault_id: vault.id,
        created_by: caller.user.id,
        url: body.url,
        events,
        previous_until: None,
        failing_since: None,
        disabled: None,
        created_at: now,
        updated_at: now,
    };
    let secret = new_secret(&state.ambient);
    tx.insert_webhook(&webhook, &secret).await?;
    let metadata = json!({ "change": "created", "webhook": webhook.id, "events": webhook.events });
    let action = Action::WebhookChanged;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    let made = WebhookWithSecret {
        webhook: webhook.into(),
        secret,
    };
    Ok((StatusCode::CREATED, ShownOnce(made)))
}
