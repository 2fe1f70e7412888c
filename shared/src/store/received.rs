//! What providers tell by themselves. An event comes as often as the provider likes, or as somebody
//! likes who has seen it; it is acted on once.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::tx::{changed, on};
use super::{StoreError, Tx};
use crate::domain::connection::{ConnectionStatus, ProviderName, ReconnectReason};

impl Tx {
    /// Notes that an event came, with whatever this unit of work does about it. False when it was here
    /// before; one that is being acted on is waited for.
    pub async fn receive_event(
        &mut self,
        provider: ProviderName,
        event_id: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "INSERT INTO received_events (provider, event_id, received_at) VALUES ($1, $2, $3)
             ON CONFLICT (provider, event_id) DO NOTHING"
        )
        .bind(provider.as_str())
        .bind(event_id)
        .bind(at)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Marks every connection of an installation that its provider says is gone. Gives those that were
    /// active.
    pub async fn lose_installation(
        &mut self,
        provider: ProviderName,
        installation_id: &str,
        at: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let found: Vec<Uuid> = on!(self, |conn| {
            sqlx::query_scalar(
            "SELECT id FROM connections WHERE provider = $1 AND installation_id = $2 AND status = $3
             ORDER BY id"
        )
        .bind(provider.as_str())
        .bind(installation_id)
        .bind(ConnectionStatus::Active.as_str())
        .fetch_all(conn)
        })?;
        let (mut lost, reason) = (Vec::new(), ReconnectReason::Removed);
        for id in found {
            if self.mark_needs_reconnect(id, None, reason, at).await? {
                lost.push(id);
            }
        }
        Ok(lost)
    }

    pub(super) async fn prune_received(
        &mut self,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "WITH old AS MATERIALIZED (
                 SELECT provider, event_id FROM received_events WHERE received_at < $1
                 ORDER BY received_at LIMIT $2 {skip_locked})
             DELETE FROM received_events WHERE (provider, event_id) IN
                 (SELECT provider, event_id FROM old)",
            skip_locked = self.dialect().skip_locked
        );
        Ok(changed!(self, |conn| sqlx::query(AssertSqlSafe(sql))
            .bind(before)
            .bind(limit)
            .execute(conn))?)
    }
}
