//! What is sent to webhooks. A delivery is a job with one row more: the engine does with it what it does
//! with every job, and here is only what it sends and what became of it.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::wanted;
use crate::crypto::Aad;
use crate::domain::activity::{Action, Activity, Platform};
use crate::domain::connection::Connection;
use crate::domain::job::{ErrorCode, JobClass, JobKind, JobState, NewJob};
use crate::domain::webhook::{
    Attempt, DELIVERY_DEADLINE, Delivery, DisabledReason, Event, GIVE_UP, Outgoing,
};
use crate::store::tx::{changed, on, open_text, word};
use crate::store::{StoreError, Tx};
use crate::sync::options::{Direction, SyncRequest};

#[derive(sqlx::FromRow)]
struct ListenerRow {
    id: Uuid,
    created_by: Uuid,
    events: Json<serde_json::Value>,
    vault: String,
}

#[derive(sqlx::FromRow)]
struct OutgoingRow {
    webhook_id: Uuid,
    url: String,
    body: String,
    secret_ciphertext: Vec<u8>,
    secret_key_id: String,
    previous_ciphertext: Option<Vec<u8>>,
    previous_key_id: Option<String>,
    previous_until: Option<DateTime<Utc>>,
    disabled_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    id: Uuid,
    event: String,
    state: String,
    attempt: i64,
    last_status: Option<i64>,
    last_attempt_at: Option<DateTime<Utc>>,
    due_at: DateTime<Utc>,
    error_code: Option<String>,
    error: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let state: JobState = word(&row.state, "jobs", "state", row.id)?;
        let error_code = row
            .error_code
            .map(|code| word::<ErrorCode>(&code, "jobs", "error_code", row.id))
            .transpose()?;
        Ok(Self {
            id: row.id,
            event: word(&row.event, "webhook_deliveries", "event", row.id)?,
            state,
            attempts: row.attempt,
            last_status: row
                .last_status
                .and_then(|status| u16::try_from(status).ok()),
            last_attempt_at: row.last_attempt_at,
            next_attempt_at: (state == JobState::Waiting).then_some(row.due_at),
            error_code: error_code.filter(|_| state.is_final()),
            error: row.error.filter(|_| state.is_final()),
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

impl Tx {
    /// Tells a vault's webhooks of what happened: a delivery for each that wants it, accepted with
    /// this unit of work and lost only with it. Gives the jobs to ring for.
    pub async fn publish(
        &mut self,
        vault_id: Uuid,
        event: &Event,
    ) -> Result<Vec<Uuid>, StoreError> {
        // Kept until the end: one that were deleted in between would take the unit of work with it.
        let sql = format!(
            "SELECT w.id, w.created_by, w.events, v.repo_owner || '/' || v.repo_name AS vault
             FROM webhooks w JOIN vaults v ON v.id = w.vault_id
             WHERE w.vault_id = $1 AND w.disabled_at IS NULL ORDER BY w.created_at, w.id {}",
            self.dialect().keep_webhooks
        );
        let listeners: Vec<ListenerRow> = on!(self, |conn| sqlx::query_as(AssertSqlSafe(sql))
            .bind(vault_id)
            .fetch_all(conn))?;
        let mut jobs = Vec::new();
        for listener in listeners {
            if wanted(listener.events, listener.id)?.contains(&event.kind) {
                let (webhook, by) = (listener.id, listener.created_by);
                let job = self
                    .queue_delivery(vault_id, &listener.vault, webhook, by, event)
                    .await?;
                jobs.push(job);
            }
        }
        Ok(jobs)
    }

    /// Tells the webhooks of every vault that uses a connection, through a link or right now, that it
    /// has to be made again.
    pub async fn publish_needs_reconnect(
        &mut self,
        connection_id: Uuid,
        vault_id: Option<Uuid>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let found: Option<(Uuid,)> = on!(self, |conn| sqlx::query_as(
            "SELECT user_id FROM connections WHERE id = $1"
        )
        .bind(connection_id)
        .fetch_optional(conn))?;
        let Some((user_id,)) = found else {
            return Ok(Vec::new());
        };
        let connection: Option<Connection> = self.find_connection(user_id, connection_id).await?;
        let Some(connection) = connection else {
            return Ok(Vec::new());
        };
        let mut vaults: Vec<Uuid> = on!(self, |conn| sqlx::query_scalar(
            "SELECT vault_id FROM links WHERE connection_id = $1
             UNION SELECT vault_id FROM jobs
             WHERE connection_id = $1 AND state IN ('queued', 'running', 'waiting')"
        )
        .bind(connection_id)
        .fetch_all(conn))?;
        vaults.extend(vault_id);
        vaults.sort_unstable();
        vaults.dedup();
        let event = Event::needs_reconnect(&connection);
        let mut jobs = Vec::new();
        for vault_id in vaults {
            jobs.extend(self.publish(vault_id, &event).await?);
        }
        Ok(jobs)
    }

    /// Queues one delivery, and gives its job.
    pub async fn queue_delivery(
        &mut self,
        vault_id: Uuid,
        vault_name: &str,
        webhook_id: Uuid,
        user_id: Uuid,
        event: &Event,
    ) -> Result<Uuid, StoreError> {
        let now = self.now().await?;
        let id = self.context.ambient.new_id();
        self.insert_job(&NewJob {
            id,
            kind: JobKind::Webhook,
            class: JobClass::Background,
            user_id,
            vault_id,
            environment_id: Uuid::nil(),
            connection_id: Uuid::nil(),
            project_key: None,
            request: SyncRequest::new("", "", "", Direction::Push),
            retry_of: None,
            api_key_id: None,
            asked: None,
            created_at: now,
            deadline_at: now + DELIVERY_DEADLINE,
        })
        .await?;
        changed!(self, |conn| sqlx::query(
            "INSERT INTO webhook_deliveries (id, webhook_id, event, body) VALUES ($1, $2, $3, $4)"
        )
        .bind(id)
        .bind(webhook_id)
        .bind(event.kind.as_str())
        .bind(event.body(vault_id, vault_name, now))
        .execute(conn))?;
        Ok(id)
    }

    /// What a delivery's job is to send; nothing when its webhook is gone. For the engine.
    pub async fn outgoing(&mut self, job_id: Uuid) -> Result<Option<Outgoing>, StoreError> {
        let now = self.now().await?;
        let row: Option<OutgoingRow> = on!(self, |conn| sqlx::query_as(
            "SELECT w.id AS webhook_id, w.url, d.body, w.secret_ciphertext, w.secret_key_id,
                 w.previous_ciphertext, w.previous_key_id, w.previous_until, w.disabled_at
             FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE d.id = $1"
        )
        .bind(job_id)
        .fetch_optional(conn))?;
        let Some(row) = row else {
            return Ok(None);
        };
        let aad = Aad::webhook_secret(row.webhook_id);
        let open = |key_id: &str, bytes: &[u8]| {
            open_text(&self.context.ring, key_id, bytes, &aad).map_err(|error| {
                StoreError::from_crypto(error, "webhooks", row.webhook_id, "secret")
            })
        };
        let mut secrets = vec![open(&row.secret_key_id, &row.secret_ciphertext)?];
        if let (Some(bytes), Some(key_id), Some(until)) = (
            &row.previous_ciphertext,
            &row.previous_key_id,
            row.previous_until,
        ) && until > now
        {
            secrets.push(open(key_id, bytes)?);
        }
        Ok(Some(Outgoing {
            url: row.url,
            body: row.body,
            secrets,
            is_disabled: row.disabled_at.is_some(),
        }))
    }

    /// Notes how an attempt went, and disables a webhook that is gone or has not taken anything for
    /// days: that is an entry in the vault's activity. To follow the settlement of the delivery's job,
    /// in the same unit of work.
    pub async fn record_attempt(
        &mut self,
        job_id: Uuid,
        attempt: Attempt,
    ) -> Result<(), StoreError> {
        let now = self.now().await?;
        let webhook_id: Option<Uuid> = on!(self, |conn| sqlx::query_scalar(
            "UPDATE webhook_deliveries SET last_status = $2, last_attempt_at = $3 WHERE id = $1
             RETURNING webhook_id"
        )
        .bind(job_id)
        .bind(attempt.status.map(i64::from))
        .bind(now)
        .fetch_optional(conn))?;
        let Some(webhook_id) = webhook_id else {
            return Ok(());
        };
        if attempt.is_delivered() {
            changed!(self, |conn| sqlx::query(
                "UPDATE webhooks SET failing_since = NULL
                 WHERE id = $1 AND failing_since IS NOT NULL"
            )
            .bind(webhook_id)
            .execute(conn))?;
            return Ok(());
        }
        let reason = if attempt.is_gone() {
            DisabledReason::Gone
        } else {
            DisabledReason::Failing
        };
        changed!(self, |conn| sqlx::query(
            "UPDATE webhooks SET failing_since = $2 WHERE id = $1 AND failing_since IS NULL"
        )
        .bind(webhook_id)
        .bind(now)
        .execute(conn))?;
        let disabled: Option<(Uuid, String)> = on!(self, |conn| {
            sqlx::query_as(
            "UPDATE webhooks SET disabled_at = $2, disabled_reason = $3, updated_at = $2
             WHERE id = $1 AND disabled_at IS NULL AND ($4 OR failing_since <= $5)
             RETURNING vault_id,
                 (SELECT v.repo_owner || '/' || v.repo_name FROM vaults v WHERE v.id = webhooks.vault_id)"
        )
        .bind(webhook_id)
        .bind(now)
        .bind(reason.as_str())
        .bind(attempt.is_gone())
        .bind(now - GIVE_UP)
        .fetch_optional(conn)
        })?;
        let Some((vault_id, vault_name)) = disabled else {
            return Ok(());
        };
        tracing::warn!(webhook = %webhook_id, %reason, "a webhook is disabled");
        self.insert_activity(&Activity {
            id: self.context.ambient.new_id(),
            at: now,
            action: Action::WebhookChanged,
            user_id: None,
            username: String::new(),
            vault_id: Some(vault_id),
            repo_full_name: Some(vault_name),
            platform: Platform::Api,
            ip: None,
            api_key_id: None,
            session_id: None,
            request_id: None,
            metadata: serde_json::json!({
                "change": "disabled",
                "webhook": webhook_id,
                "reason": reason,
            }),
        })
        .await
    }

    /// A webhook's deliveries, newest first, and how many there are. Whose it is is settled by
    /// [`Tx::find_webhook`] before.
    pub async fn list_deliveries(
        &mut self,
        webhook_id: Uuid,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<Delivery>, i64), StoreError> {
        let rows: Vec<DeliveryRow> = on!(self, |conn| {
            sqlx::query_as(
            "SELECT d.id, d.event, j.state, j.attempt, d.last_status, d.last_attempt_at, j.due_at,
                 j.error_code, j.error, j.created_at, j.finished_at
             FROM webhook_deliveries d JOIN jobs j ON j.id = d.id
             WHERE d.webhook_id = $1 ORDER BY d.id DESC LIMIT $2 OFFSET $3"
        )
        .bind(webhook_id)
        .bind(limit)
        .bind(offset)
        .fetch_all(conn)
        })?;
        let total: i64 = on!(self, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM webhook_deliveries WHERE webhook_id = $1"
        )
        .bind(webhook_id)
        .fetch_one(conn))?;
        let deliveries: Result<Vec<_>, _> = rows.into_iter().map(Delivery::try_from).collect();
        Ok((deliveries?, total))
    }

    /// One of a webhook's deliveries.
    pub async fn find_delivery(
        &mut self,
        webhook_id: Uuid,
        id: Uuid,
    ) -> Result<Option<Delivery>, StoreError> {
        let row: Option<DeliveryRow> = on!(self, |conn| {
            sqlx::query_as(
            "SELECT d.id, d.event, j.state, j.attempt, d.last_status, d.last_attempt_at, j.due_at,
                 j.error_code, j.error, j.created_at, j.finished_at
             FROM webhook_deliveries d JOIN jobs j ON j.id = d.id
             WHERE d.webhook_id = $1 AND d.id = $2"
        )
        .bind(webhook_id)
        .bind(id)
        .fetch_optional(conn)
        })?;
        row.map(Delivery::try_from).transpose()
    }
}
