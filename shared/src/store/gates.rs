//! What providers said no to. The gates themselves are elsewhere; this is what they begin with when
//! they were emptied.

use chrono::{DateTime, Utc};

use super::tx::{changed, inconsistent, on};
use super::{StoreError, Tx};
use crate::domain::gate::ClosedGate;

#[derive(sqlx::FromRow)]
struct GateRow {
    account: String,
    family: String,
    closed_until: DateTime<Utc>,
    total: Option<i64>,
}

impl TryFrom<GateRow> for ClosedGate {
    type Error = StoreError;

    fn try_from(row: GateRow) -> Result<Self, StoreError> {
        let family = row.family.parse();
        Ok(Self {
            family: family.map_err(|_| inconsistent("closed_gates", "family", &row.account))?,
            account: row.account,
            until: row.closed_until.timestamp_millis(),
            total: row.total.and_then(|total| u32::try_from(total).ok()),
        })
    }
}

impl Tx {
    /// Remembers that a provider said no.
    pub async fn note_closed_gate(&mut self, gate: &ClosedGate) -> Result<(), StoreError> {
        let until = DateTime::from_timestamp_millis(gate.until).unwrap_or_default();
        changed!(self, |conn| {
            sqlx::query(
            "INSERT INTO closed_gates (account, family, closed_until, total) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account, family) DO UPDATE SET closed_until = excluded.closed_until,
                 total = excluded.total"
        )
        .bind(&gate.account)
        .bind(gate.family.as_str())
        .bind(until)
        .bind(gate.total.map(i64::from))
        .execute(conn)
        })?;
        Ok(())
    }

    /// What was or is closed after a time.
    pub async fn closed_gates(
        &mut self,
        after: DateTime<Utc>,
    ) -> Result<Vec<ClosedGate>, StoreError> {
        let rows: Vec<GateRow> = on!(self, |conn| sqlx::query_as(
            "SELECT account, family, closed_until, total FROM closed_gates
             WHERE closed_until > $1 ORDER BY account, family"
        )
        .bind(after)
        .fetch_all(conn))?;
        rows.into_iter().map(ClosedGate::try_from).collect()
    }

    /// Forgets what was closed only before a time, at most `limit`.
    pub async fn prune_closed_gates(
        &mut self,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<u64, StoreError> {
        Ok(changed!(self, |conn| sqlx::query(
            "DELETE FROM closed_gates WHERE (account, family) IN (
                 SELECT account, family FROM closed_gates WHERE closed_until <= $1
                 ORDER BY closed_until LIMIT $2)"
        )
        .bind(before)
        .bind(limit)
        .execute(conn))?)
    }
}
