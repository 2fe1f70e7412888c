//! Webhooks of vaults. Their secrets are sealed here and leave only to sign a delivery.

mod deliveries;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, inconsistent, on, one_row, word};
use super::{StoreError, Tx};
use crate::crypto::Aad;
use crate::domain::webhook::{DisabledReason, EventType, Webhook};
use crate::secret::Secret;

macro_rules! columns {
    () => {
        "id, vault_id, created_by, url, events, previous_until, failing_since, disabled_at,
         disabled_reason, created_at, updated_at"
    };
}

#[derive(sqlx::FromRow)]
struct WebhookRow {
    id: Uuid,
    vault_id: Uuid,
    created_by: Uuid,
    url: String,
    events: Json<serde_json::Value>,
    previous_until: Option<DateTime<Utc>>,
    failing_since: Option<DateTime<Utc>>,
    disabled_at: Option<DateTime<Utc>>,
    disabled_reason: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<WebhookRow> for Webhook {
    type Error = StoreError;

    fn try_from(row: WebhookRow) -> Result<Self, StoreError> {
        let reason = row
            .disabled_reason
            .map(|reason| word::<DisabledReason>(&reason, "webhooks", "disabled_reason", row.id))
            .transpose()?;
        Ok(Self {
            events: wanted(row.events, row.id)?,
            disabled: row.disabled_at.zip(reason),
            id: row.id,
            vault_id: row.vault_id,
            created_by: row.created_by,
            url: row.url,
            previous_until: row.previous_until,
            failing_since: row.failing_since,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn wanted(events: Json<serde_json::Value>, id: Uuid) -> Result<Vec<EventType>, StoreError> {
    serde_json::from_value(events.0).map_err(|_| inconsistent("webhooks", "events", id))
}

impl Tx {
    /// Adds a webhook.
    pub async fn insert_webhook(
        &mut self,
        webhook: &Webhook,
        secret: &Secret,
    ) -> Result<(), StoreError> {
        let sealed = self.seal_text(&Aad::webhook_secret(webhook.id), secret);
        changed!(self, |conn| sqlx::query(
            "INSERT INTO webhooks (id, vault_id, created_by, url, events, secret_ciphertext,
                 secret_key_id, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)"
        )
        .bind(webhook.id)
        .bind(webhook.vault_id)
        .bind(webhook.created_by)
        .bind(&webhook.url)
        .bind(Json(&webhook.events))
        .bind(&sealed.bytes)
        .bind(&sealed.key_id)
        .bind(webhook.created_at)
        .execute(conn))?;
        Ok(())
    }

    /// A vault's webhooks, oldest first.
    pub async fn list_webhooks(&mut self, vault_id: Uuid) -> Result<Vec<Webhook>, StoreError> {
        let rows: Vec<WebhookRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM webhooks WHERE vault_id = $1 ORDER BY created_at, id"
        ))
        .bind(vault_id)
        .fetch_all(conn))?;
        rows.into_iter().map(Webhook::try_from).collect()
    }

    /// One of a vault's webhooks.
    pub async fn find_webhook(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
    ) -> Result<Option<Webhook>, StoreError> {
        let row: Option<WebhookRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM webhooks WHERE vault_id = $1 AND id = $2"
        ))
        .bind(vault_id)
        .bind(id)
        .fetch_optional(conn))?;
        row.map(Webhook::try_from).transpose()
    }

    /// Saves where a webhook is, what it wants and whether it is told anything. One that is told
    /// something again begins anew: what failed before does not count.
    pub async fn update_webhook(&mut self, webhook: &Webhook) -> Result<(), StoreError> {
        let (disabled_at, reason) = webhook.disabled.unzip();
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE webhooks SET url = $3, events = $4, failing_since = $5, disabled_at = $6,
                 disabled_reason = $7, updated_at = $8
             WHERE vault_id = $1 AND id = $2"
        )
        .bind(webhook.vault_id)
        .bind(webhook.id)
        .bind(&webhook.url)
        .bind(Json(&webhook.events))
        .bind(webhook.failing_since)
        .bind(disabled_at)
        .bind(reason.map(DisabledReason::as_str))
        .bind(webhook.updated_at)
        .execute(conn))?;
        one_row(rows, "webhooks", webhook.id)
    }

    /// Gives a webhook a new secret; the one before signs as well until `previous_until`.
    pub async fn rotate_webhook_secret(
        &mut self,
        id: Uuid,
        secret: &Secret,
        previous_until: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let sealed = self.seal_text(&Aad::webhook_secret(id), secret);
        // Both columns are bound to the row alike, so what was the secret moves over as it is.
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE webhooks SET previous_ciphertext = secret_ciphertext,
                 previous_key_id = secret_key_id, previous_until = $4, secret_ciphertext = $2,
                 secret_key_id = $3, updated_at = $5
             WHERE id = $1"
        )
        .bind(id)
        .bind(&sealed.bytes)
        .bind(&sealed.key_id)
        .bind(previous_until)
        .bind(at)
        .execute(conn))?;
        one_row(rows, "webhooks", id)
    }

    /// Removes a webhook. What was still to be sent is cancelled.
    pub async fn delete_webhook(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE jobs SET state = 'cancelled', error_code = 'cancelled', finished_at = $2
             WHERE id IN (SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = $1)
                 AND state IN ('queued', 'waiting')"
        )
        .bind(id)
        .bind(at)
        .execute(conn))?;
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM webhooks WHERE vault_id = $1 AND id = $2"
        )
        .bind(vault_id)
        .bind(id)
        .execute(conn))?;
        Ok(rows == 1)
    }
}
