//! Webhooks of a vault: for its admins, since an address may hold a token of its receiver's.

mod create;
mod delete;
mod deliveries;
mod get;
mod list;
mod rotate;
mod test;
mod update;

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::domain::vault::{Role, VaultAccess};
use keyway_shared::domain::webhook::{Delivery, DisabledReason, EventType, Webhook};
use keyway_shared::guarded::check_target;
use keyway_shared::secret::Secret;
use keyway_shared::store::Tx;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::auth::test_keys;
use crate::envelope::{Timestamp, shown};
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath};
use crate::state::ApiState;
use crate::validate::Checks;

const MAX_URL: usize = 2048;

/// The routes, to be merged into the one table.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_webhooks, create::create_webhook))
        .routes(routes!(
            get::get_webhook,
            update::update_webhook,
            delete::delete_webhook
        ))
        .routes(routes!(rotate::rotate_webhook_secret))
        .routes(routes!(test::test_webhook))
        .routes(routes!(deliveries::list_webhook_deliveries))
}

/// A webhook without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub(crate) struct WebhookBody {
    /// Identity.
    id: Uuid,
    /// Where it is.
    #[schema(example = "https://example.com/hooks/keyway")]
    url: String,
    /// What it is told of.
    #[schema(example = json!(["sync.failed", "drift.detected"]))]
    events: Vec<&'static str>,
    /// False: it is told nothing.
    enabled: bool,
    /// Why not: `requested`, `gone` (it answered 410) or `failing` (no attempt succeeded for days).
    disabled_reason: Option<&'static str>,
    /// Since when not.
    disabled_at: Option<Timestamp>,
    /// Since when no attempt has succeeded.
    failing_since: Option<Timestamp>,
    /// Until when the secret before signs as well.
    previous_secret_until: Option<Timestamp>,
    /// When it was made.
    created_at: Timestamp,
    /// Last change.
    updated_at: Timestamp,
}

impl From<Webhook> for WebhookBody {
    fn from(webhook: Webhook) -> Self {
        let (disabled_at, reason) = webhook.disabled.unzip();
        Self {
            id: webhook.id,
            url: webhook.url,
            events: webhook.events.iter().map(|event| event.as_str()).collect(),
            enabled: disabled_at.is_none(),
            disabled_reason: reason.map(DisabledReason::as_str),
            disabled_at: disabled_at.map(Timestamp),
            failing_since: webhook.failing_since.map(Timestamp),
            previous_secret_until: webhook.previous_until.map(Timestamp),
            created_at: webhook.created_at.into(),
            updated_at: webhook.updated_at.into(),
        }
    }
}

/// One webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OneWebhook {
    webhook: WebhookBody,
}

/// A webhook with its secret, which is shown this once only.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    webhook: WebhookBody,
    /// What its deliveries are signed with.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "whsec_…")]
    secret: Secret,
}

/// What was or is to be sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookDelivery)]
pub(crate) struct DeliveryBody {
    /// Identity. The header `webhook-id` is `msg_` and this without dashes.
    id: Uuid,
    /// What it tells.
    #[schema(example = "sync.failed")]
    event: &'static str,
    /// Where it stands.
    #[schema(pattern = "^(queued|running|waiting|succeeded|failed|cancelled)$")]
    state: &'static str,
    /// Attempts so far.
    attempts: i64,
    /// What the last one was answered with; null without an answer.
    response_status: Option<u16>,
    /// When the last one was.
    last_attempt_at: Option<Timestamp>,
    /// When the next one is.
    next_attempt_at: Option<Timestamp>,
    /// Why it ended without success.
    #[schema(example = "target-refused")]
    error_code: Option<&'static str>,
    /// The same as a sentence.
    error: Option<String>,
    /// When it happened.
    created_at: Timestamp,
    /// When it ended.
    finished_at: Option<Timestamp>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.event.as_str(),
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            response_status: delivery.last_status,
            last_attempt_at: delivery.last_attempt_at.map(Timestamp),
            next_attempt_at: delivery.next_attempt_at.map(Timestamp),
            error_code: delivery.error_code.map(ErrorCode::as_str),
            error: delivery.error,
            created_at: delivery.created_at.into(),
            finished_at: delivery.finished_at.map(Timestamp),
        }
    }
}

/// The webhook that the path names.
#[derive(Debug, Deserialize)]
pub(crate) struct WebhookPath {
    id: Uuid,
}

/// The webhook that the path names, and its vault, for an admin.
async fn open(
    tx: &mut Tx,
    caller: &Caller,
    vault: &VaultPath,
    id: Uuid,
) -> Result<(VaultAccess, Webhook), ApiError> {
    let access = vault.open(tx, caller, Role::Admin).await?;
    test_keys::may_touch_all(tx, caller, access.vault.id).await?;
    let webhook = tx
        .find_webhook(access.vault.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("webhook"))?;
    Ok((access, webhook))
}

/// 422 for an address that would not be called.
fn check_url(checks: &mut Checks, state: &ApiState, url: &str) {
    checks.that(
        url.len() <= MAX_URL,
        "url",
        format!("must be at most {MAX_URL} bytes"),
    );
    if let Err(problem) = check_target(url, state.options.webhooks_allow_private) {
        checks.that(false, "url", problem.to_string());
    }
}

/// 422 for a list of events that is none; gives it in the order of declaration, each once.
fn check_events(checks: &mut Checks, mut events: Vec<EventType>) -> Vec<EventType> {
    events.sort_unstable();
    events.dedup();
    checks.that(
        !events.is_empty(),
        "events",
        "must hold at least one type of events",
    );
    checks.that(
        !events.contains(&EventType::WebhookTest),
        "events",
        "cannot hold webhook.test, which is sent to whoever is tested",
    );
    events
}
