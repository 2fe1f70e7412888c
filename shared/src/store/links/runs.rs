//! The runs of links: what is due, what has changed, how a run ended. For the engine and the
//! scheduler; the owner's authority is checked when a run's job starts.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::row::{LinkRow, columns, select_links};
use crate::domain::job::{ErrorCode, JobKind};
use crate::domain::link::Link;
use crate::domain::upkeep::{APART, Ending, LOOK_AGAIN, PauseReason, QUIET, Start, Upkeep};
use crate::store::jobs::FIRST_RING;
use crate::store::tx::{changed, on};
use crate::store::{StoreError, Tx};
use crate::sync::options::SyncRequest;

/// What one look at the links that are due led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartedRuns {
    /// Links that were looked at.
    pub links: usize,
    /// The jobs that were added for them.
    pub jobs: Vec<Uuid>,
}

#[derive(sqlx::FromRow)]
struct DueRow {
    #[sqlx(flatten)]
    link: LinkRow,
    project_key: String,
    owner: Uuid,
    revision: i64,
}

impl Tx {
    /// Since when the link is due that is next; `None` when none is. One statement, which takes nothing
    /// from anybody.
    pub async fn oldest_due_link(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = self.now().await?;
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT MIN(next_run_at) FROM links WHERE next_run_at <= $1"
        )
        .bind(now)
        .fetch_one(conn))?)
    }

    /// Takes links that are due, the longest due first, adds the background jobs of those that are to
    /// run, and moves their next runs on. A link whose job has not ended gets none. Jobs end within
    /// `time`.
    pub async fn start_due_links(
        &mut self,
        limit: i64,
        time: Duration,
    ) -> Result<StartedRuns, StoreError> {
        let now = self.now().await?;
        // The vault's row is locked, too, as the jobs refer to it: who deletes a vault has it before
        // its links, and the other way round the two would wait for each other.
        let sql = format!(
            concat!(
                "SELECT ",
                columns!(),
                ", l.project_key, c.user_id AS owner, e.revision
                 FROM links l JOIN environments e ON e.id = l.environment_id
                     JOIN connections c ON c.id = l.connection_id
                     JOIN vaults v ON v.id = l.vault_id
                 WHERE l.next_run_at <= $1 ORDER BY l.next_run_at LIMIT $2 {lock}"
            ),
            lock = self.dialect().lock_due_links
        );
        let rows: Vec<DueRow> = on!(self, |conn| sqlx::query_as(AssertSqlSafe(sql))
            .bind(now)
            .bind(limit)
            .fetch_all(conn))?;
        let busy = self.busy_links(&rows).await?;
        let mut started = StartedRuns {
            links: rows.len(),
            ..StartedRuns::default()
        };
        let (mut jobs, mut moved) = (Vec::new(), Vec::new());
        for row in rows {
            let id = row.link.id;
            let mut link = match Link::try_from(row.link) {
                Ok(link) => link,
                Err(error) => {
                    // It must not stand in the way of the others.
                    tracing::error!(link = %id, %error, "a link cannot be run");
                    let later = Upkeep {
                        next_run_at: Some(now + LOOK_AGAIN),
                        ..Upkeep::default()
                    };
                    moved.push(moved_on(id, &later));
                    continue;
                }
            };
            let auto = &link.auto_sync;
            let busy = busy.contains(&id);
            let start = link.upkeep.start(auto, id, row.revision, busy, now);
            moved.push(moved_on(link.id, &link.upkeep));
            if let Some(start) = start {
                let job = self.context.ambient.new_id();
                jobs.push(job_of(job, &link, start, &row.project_key, row.owner));
                started.jobs.push(job);
            }
        }
        if !jobs.is_empty() {
            let statement = self.dialect().insert_link_jobs;
            changed!(self, |conn| sqlx::query(statement)
                .bind(Json(&jobs))
                .bind(now)
                .bind(now + time)
                .bind(now + FIRST_RING)
                .execute(conn))?;
        }
        if !moved.is_empty() {
            let statement = self.dialect().move_links_on;
            changed!(self, |conn| sqlx::query(statement)
                .bind(Json(&moved))
                .execute(conn))?;
        }
        Ok(started)
    }

    /// Those of the links that have a job which has not ended. A statement of its own: inside the one that
    /// takes the links, Postgres may decide to read the whole queue for each of them.
    async fn busy_links(&mut self, rows: &[DueRow]) -> Result<HashSet<Uuid>, StoreError> {
        if rows.is_empty() {
            return Ok(HashSet::new());
        }
        let ids: Vec<_> = rows
            .iter()
            .map(|row| row.link.id.simple().to_string())
            .collect();
        let statement = self.dialect().busy_links;
        let busy: Vec<Uuid> = on!(self, |conn| sqlx::query_scalar(statement)
            .bind(Json(&ids))
            .fetch_all(conn))?;
        Ok(busy.into_iter().collect())
    }

    /// Makes the links that follow an environment's changes due: after a quiet time, which is short
    /// when changes do not end, and not right after the last run.
    pub(in crate::store) async fn environment_links_due(
        &mut self,
        environment_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE links SET run_by = COALESCE(run_by, $3), next_run_at = CASE
                 WHEN not_before > $2 THEN not_before
                 WHEN run_by < $2 THEN run_by ELSE $2 END
             WHERE environment_id = $1 AND auto_mode = 'on-change' AND paused_at IS NULL"
        )
        .bind(environment_id)
        .bind(at + QUIET)
        .bind(at + APART)
        .execute(conn))?;
        Ok(())
    }

    /// Notes how a run of a link ended, and when the next one is. A link that is gone is no error. Gives
    /// the keys that have drifted, where they are others than those that were known.
    pub async fn end_link_run(
        &mut self,
        id: Uuid,
        request: &SyncRequest,
        mut ending: Ending,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let sql = format!(
            concat!(select_links!(), "WHERE l.id = $1 {lock}"),
            lock = self.dialect().lock_link
        );
        let row: Option<LinkRow> = on!(self, |conn| sqlx::query_as(AssertSqlSafe(sql))
            .bind(id)
            .fetch_optional(conn))?;
        let Some(row) = row else {
            return Ok(None);
        };
        let mut link = Link::try_from(row)?;
        let known = link.upkeep.drifted_keys.clone();
        // What it did may be less than the link asks for, or something else by now.
        ending.synced = ending.synced.filter(|_| link.is_request(request));
        // After the link was locked: a change that does not show itself here finds the link as it is
        // left here.
        let revision: i64 = on!(self, |conn| sqlx::query_scalar(
            "SELECT revision FROM environments WHERE id = $1"
        )
        .bind(link.environment_id)
        .fetch_one(conn))?;
        link.upkeep.end(&link.auto_sync, link.id, ending, revision);
        self.save_upkeep(id, &link.upkeep).await?;
        let drifted = link.upkeep.drifted_keys;
        Ok(Some(drifted).filter(|keys| !keys.is_empty() && *keys != known))
    }

    /// A project may have been written to by a worker that had lost its lease: its links that sync by
    /// themselves do so at once, or first thing after a pause, and delete nothing. How many there are.
    pub async fn suspect_links(
        &mut self,
        project_key: &str,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        Ok(changed!(self, |conn| sqlx::query(
            "UPDATE links SET suspect_at = $2,
                 next_run_at = CASE WHEN paused_at IS NULL THEN $2 ELSE next_run_at END
             WHERE project_key = $1 AND auto_mode <> 'off'"
        )
        .bind(project_key)
        .bind(at)
        .execute(conn))?)
    }

    /// The links of a connection that was made again go on where they had paused for want of it.
    pub(in crate::store) async fn resume_reconnected_links(
        &mut self,
        connection_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE links SET paused_at = NULL, paused_reason = NULL, failures = 0,
                 next_run_at = CASE WHEN auto_mode = 'off' THEN NULL ELSE $3 END
             WHERE connection_id = $1 AND paused_reason IN ($2, $4)"
        )
        .bind(connection_id)
        .bind(PauseReason::ReconnectRequired.as_str())
        .bind(at + QUIET)
        .bind(PauseReason::Disconnected.as_str())
        .execute(conn))?;
        Ok(())
    }

    /// The links of a connection that is given up pause for it. One that has paused for something else
    /// goes on when somebody says so, whatever becomes of the connection.
    pub(in crate::store) async fn pause_disconnected_links(
        &mut self,
        connection_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE links SET paused_at = $3, paused_reason = $2, next_run_at = NULL
             WHERE connection_id = $1 AND (paused_reason IS NULL OR paused_reason = $4)"
        )
        .bind(connection_id)
        .bind(PauseReason::Disconnected.as_str())
        .bind(at)
        .bind(PauseReason::ReconnectRequired.as_str())
        .execute(conn))?;
        Ok(())
    }

    /// Ends a link's automatic jobs that have not started, and asks what runs to stop. To be called
    /// before the link itself is changed, in the order in which a run that ends writes.
    pub async fn cancel_link_jobs(
        &mut self,
        link_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE jobs SET cancel_requested = TRUE,
                 state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
                 error_code = CASE WHEN state = 'running' THEN error_code ELSE $3 END,
                 finished_at = CASE WHEN state = 'running' THEN finished_at ELSE $2 END
             WHERE link_id = $1 AND state IN ('queued', 'running', 'waiting')
                 AND class = 'background'"
        )
        .bind(link_id)
        .bind(at)
        .bind(ErrorCode::Cancelled.as_str())
        .execute(conn))?;
        Ok(())
    }

    pub(in crate::store) async fn save_upkeep(
        &mut self,
        id: Uuid,
        upkeep: &Upkeep,
    ) -> Result<(), StoreError> {
        let (paused, last) = (upkeep.paused, upkeep.last);
        let drifted = Some(&upkeep.drifted_keys).filter(|keys| !keys.is_empty());
        changed!(self, |conn| sqlx::query(
            "UPDATE links SET next_run_at = $2, not_before = $3, run_by = $4, synced_revision = $5,
                 verified_at = $6, suspect_at = $7, failures = $8, paused_at = $9,
                 paused_reason = $10, last_job_id = $11, last_run_at = $12, last_state = $13,
                 last_error_code = $14, last_drift_at = $15, drifted_keys = $16, paused = $17
             WHERE id = $1"
        )
        .bind(id)
        .bind(upkeep.next_run_at)
        .bind(upkeep.not_before)
        .bind(upkeep.run_by)
        .bind(upkeep.synced_revision)
        .bind(upkeep.verified_at)
        .bind(upkeep.suspect_at)
        .bind(upkeep.failures)
        .bind(paused.map(|pause| pause.at))
        .bind(paused.map(|pause| pause.reason.as_str()))
        .bind(last.map(|last| last.job_id))
        .bind(last.map(|last| last.at))
        .bind(last.map(|last| last.state.as_str()))
        .bind(last.and_then(|last| last.error_code.map(ErrorCode::as_str)))
        .bind(upkeep.last_drift_at)
        .bind(drifted.map(Json))
        .bind(upkeep.is_held())
        .execute(conn))?;
        Ok(())
    }
}

/// A job of a link, as a row of what is inserted at once.
fn job_of(id: Uuid, link: &Link, start: Start, project_key: &str, owner: Uuid) -> Value {
    let kind = if link.auto_sync.reports() {
        JobKind::Preview
    } else {
        JobKind::Sync
    };
    let request = SyncRequest {
        verify: start.verify,
        allow_delete: link.allow_delete && !start.careful,
        ..link.request()
    };
    json!({
        "id": id.simple().to_string(),
        "kind": kind,
        "user_id": owner.simple().to_string(),
        "vault_id": link.vault_id.simple().to_string(),
        "environment_id": link.environment_id.simple().to_string(),
        "connection_id": link.connection_id.simple().to_string(),
        "project_key": (kind == JobKind::Sync).then_some(project_key),
        "link_id": link.id.simple().to_string(),
        "api_key_id": link.api_key_id.map(|id| id.simple().to_string()),
        "request": request,
    })
}

/// The columns that a start changes, as both databases have times.
fn moved_on(id: Uuid, upkeep: &Upkeep) -> Value {
    let time = |time: Option<DateTime<Utc>>| {
        time.map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, false))
    };
    json!({
        "id": id.simple().to_string(),
        "next_run_at": time(upkeep.next_run_at),
        "not_before": time(upkeep.not_before),
        "run_by": time(upkeep.run_by),
    })
}
