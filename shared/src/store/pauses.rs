//! Pauses: jobs are accepted, and wait for somebody to say that they may start.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::tx::{changed, on, word};
use super::{StoreError, Tx};
use crate::domain::connection::{ConnectionStatus, ProviderName};
use crate::domain::upkeep::{Pause as LinkPause, PauseReason};

/// Whether a job, by the name that the query has for it, may not start: everything is paused, its
/// provider is, or, where it writes, the link of its pair. What is paused is gathered once for a
/// statement, mostly from an empty table and an empty index, and not looked up for each job.
macro_rules! is_paused {
    ($job:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM pauses p WHERE p.provider = '') OR ",
            $job,
            ".connection_id IN (SELECT c.id FROM pauses p
                  JOIN connections c ON c.provider = p.provider)
              OR (",
            $job,
            ".kind = 'sync' AND (",
            $job,
            ".environment_id, ",
            $job,
            ".connection_id) IN
                  (SELECT l.environment_id, l.connection_id FROM links l WHERE l.paused)
                  AND EXISTS (SELECT 1 FROM links l WHERE l.paused
                      AND l.environment_id = ",
            $job,
            ".environment_id AND l.connection_id = ",
            $job,
            ".connection_id AND (l.project_key = ",
            $job,
            ".project_key OR l.project_id = ",
            $job,
            ".request ->> 'projectId' OR l.project_name = ",
            $job,
            ".request ->> 'projectId')
                      AND l.service_id = COALESCE(",
            $job,
            ".request ->> 'serviceId', '')
                      AND l.provider_environment = ",
            $job,
            ".request ->> 'providerEnvironment'
                      AND l.git_branch = COALESCE(",
            $job,
            ".request ->> 'gitBranch', ''))))"
        )
    };
}
pub(super) use is_paused;

/// What is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Identity.
    pub id: Uuid,
    /// This provider's jobs, or all.
    pub provider: Option<ProviderName>,
    /// Who paused it; none for the command line.
    pub user_id: Option<Uuid>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct PauseRow {
    id: Uuid,
    provider: String,
    user_id: Option<Uuid>,
    created_at: DateTime<Utc>,
}

impl TryFrom<PauseRow> for Pause {
    type Error = StoreError;

    fn try_from(row: PauseRow) -> Result<Self, StoreError> {
        let provider = Some(row.provider).filter(|provider| !provider.is_empty());
        Ok(Self {
            provider: provider
                .map(|provider| word(&provider, "pauses", "provider", row.id))
                .transpose()?,
            id: row.id,
            user_id: row.user_id,
            created_at: row.created_at,
        })
    }
}

impl Tx {
    /// Pauses a provider's jobs, or all. False when they are paused already.
    pub async fn insert_pause(&mut self, pause: &Pause) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "INSERT INTO pauses (id, provider, user_id, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (provider) DO NOTHING"
        )
        .bind(pause.id)
        .bind(pause.provider.map_or("", ProviderName::as_str))
        .bind(pause.user_id)
        .bind(pause.created_at)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// What is paused, the oldest first. Links that are paused are not among it.
    pub async fn list_pauses(&mut self) -> Result<Vec<Pause>, StoreError> {
        let rows: Vec<PauseRow> = on!(self, |conn| sqlx::query_as(
            "SELECT id, provider, user_id, created_at FROM pauses ORDER BY created_at, id"
        )
        .fetch_all(conn))?;
        rows.into_iter().map(Pause::try_from).collect()
    }

    /// Ends a pause, and gives what it was.
    pub async fn delete_pause(&mut self, id: Uuid) -> Result<Option<Pause>, StoreError> {
        let row: Option<PauseRow> = on!(self, |conn| sqlx::query_as(
            "DELETE FROM pauses WHERE id = $1 RETURNING id, provider, user_id, created_at"
        )
        .bind(id)
        .fetch_optional(conn))?;
        row.map(Pause::try_from).transpose()
    }

    /// Pauses the syncs of a link's pair, or lets them go on; without a connection they do not. False
    /// when there is no such link. For the command line; users change links of their vaults.
    pub async fn set_link_paused(&mut self, id: Uuid, paused: bool) -> Result<bool, StoreError> {
        let now = self.now().await?;
        let Some(before) = self.find_any_link(id).await? else {
            return Ok(false);
        };
        let mut link = before.clone();
        link.updated_at = now;
        link.upkeep.request_pause(paused, now);
        let connection = self.connection_of_link(link.vault_id, id).await?;
        if link.upkeep.paused.is_none()
            && connection.is_some_and(|has| has.status == ConnectionStatus::Disconnected)
        {
            link.upkeep.paused = Some(LinkPause {
                at: now,
                reason: PauseReason::Disconnected,
            });
        }
        self.switch_runs(&mut link, Some(&before)).await?;
        self.save_upkeep(id, &link.upkeep).await?;
        Ok(true)
    }

    /// Whether a job that waits for its start is held back. One statement.
    pub async fn is_job_paused(&mut self, id: Uuid) -> Result<bool, StoreError> {
        let paused: Option<bool> = on!(self, |conn| sqlx::query_scalar(concat!(
            "SELECT ",
            is_paused!("jobs"),
            " FROM jobs WHERE id = $1 AND state IN ('queued', 'waiting')"
        ))
        .bind(id)
        .fetch_optional(conn))?;
        Ok(paused.unwrap_or_default())
    }
}
