//! A link's row.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::auto_sync::{AutoMode, AutoSync, AutoSyncParts};
use crate::domain::link::Link;
use crate::domain::upkeep::{LastRun, Pause, Upkeep};
use crate::store::StoreError;
use crate::store::tx::{inconsistent, word};

/// The columns that make a [`Link`], of `links l JOIN environments e`.
macro_rules! columns {
    () => {
        "l.id, l.vault_id, l.environment_id, e.name AS keyway_environment, l.connection_id,
             l.provider, l.project_id, l.project_name, l.service_id, l.provider_environment,
             l.scope, l.git_branch, l.direction, l.allow_delete, l.delete_scope, l.shared,
             l.last_synced_at, l.created_at, l.updated_at, l.include, l.exclude, l.prefix,
             l.auto_mode, l.auto_every, l.auto_cron, l.auto_time_zone, l.auto_action, l.next_run_at,
             l.not_before, l.run_by, l.synced_revision, l.verified_at, l.suspect_at, l.failures,
             l.paused_at, l.paused_reason, l.last_job_id, l.last_run_at, l.last_state,
             l.last_error_code, l.last_drift_at, l.drifted_keys, l.api_key_id, l.allow_references,
             l.rollout"
    };
}
pub(super) use columns;

/// Links with the names of their environments, to be narrowed by a condition.
macro_rules! select_links {
    () => {
        concat!(
            "SELECT ",
            $crate::store::links::row::columns!(),
            " FROM links l JOIN environments e ON e.id = l.environment_id "
        )
    };
}
pub(super) use select_links;

#[derive(sqlx::FromRow)]
pub(super) struct LinkRow {
    pub(super) id: Uuid,
    vault_id: Uuid,
    environment_id: Uuid,
    keyway_environment: String,
    connection_id: Uuid,
    provider: String,
    project_id: String,
    project_name: Option<String>,
    service_id: String,
    provider_environment: String,
    scope: String,
    git_branch: String,
    direction: String,
    allow_delete: bool,
    delete_scope: String,
    allow_references: bool,
    rollout: bool,
    shared: bool,
    last_synced_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    include: Option<Json<Vec<String>>>,
    exclude: Option<Json<Vec<String>>>,
    prefix: Option<String>,
    auto_mode: String,
    auto_every: Option<String>,
    auto_cron: Option<String>,
    auto_time_zone: Option<String>,
    auto_action: String,
    api_key_id: Option<Uuid>,
    #[sqlx(flatten)]
    upkeep: UpkeepRow,
}

#[derive(sqlx::FromRow)]
struct UpkeepRow {
    next_run_at: Option<DateTime<Utc>>,
    not_before: Option<DateTime<Utc>>,
    run_by: Option<DateTime<Utc>>,
    synced_revision: Option<i64>,
    verified_at: Option<DateTime<Utc>>,
    suspect_at: Option<DateTime<Utc>>,
    failures: i64,
    paused_at: Option<DateTime<Utc>>,
    paused_reason: Option<String>,
    last_job_id: Option<Uuid>,
    last_run_at: Option<DateTime<Utc>>,
    last_state: Option<String>,
    last_error_code: Option<String>,
    last_drift_at: Option<DateTime<Utc>>,
    drifted_keys: Option<Json<Vec<String>>>,
}

impl TryFrom<LinkRow> for Link {
    type Error = StoreError;

    fn try_from(row: LinkRow) -> Result<Self, StoreError> {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(Self {
            provider: word(&row.provider, "links", "provider", row.id)?,
            direction: word(&row.direction, "links", "direction", row.id)?,
            delete_scope: word(&row.delete_scope, "links", "delete_scope", row.id)?,
            auto_sync: row.auto_sync()?,
            upkeep: row.upkeep.read(row.id)?,
            id: row.id,
            vault_id: row.vault_id,
            environment_id: row.environment_id,
            keyway_environment: row.keyway_environment,
            connection_id: row.connection_id,
            project_id: row.project_id,
            project_name: row.project_name,
            service_id: some(row.service_id),
            provider_environment: row.provider_environment,
            scope: row.scope,
            git_branch: some(row.git_branch),
            allow_delete: row.allow_delete,
            allow_references: row.allow_references,
            rollout: row.rollout,
            include: row.include.map(|list| list.0),
            exclude: row.exclude.map(|list| list.0),
            prefix: row.prefix,
            shared: row.shared,
            api_key_id: row.api_key_id,
            last_synced_at: row.last_synced_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl LinkRow {
    fn auto_sync(&self) -> Result<AutoSync, StoreError> {
        let mode = word(&self.auto_mode, "links", "auto_mode", self.id)?;
        let action = word(&self.auto_action, "links", "auto_action", self.id)?;
        let parts = AutoSyncParts {
            every: self.auto_every.as_deref(),
            cron: self.auto_cron.as_deref(),
            time_zone: self.auto_time_zone.as_deref(),
            action: (mode != AutoMode::Off).then_some(action),
        };
        AutoSync::new(mode, parts).map_err(|error| {
            let column = match error.field {
                "every" => "auto_every",
                "cron" => "auto_cron",
                "timeZone" => "auto_time_zone",
                _ => "auto_action",
            };
            inconsistent("links", column, self.id)
        })
    }
}

impl UpkeepRow {
    fn read(&self, id: Uuid) -> Result<Upkeep, StoreError> {
        let paused = match (self.paused_at, &self.paused_reason) {
            (Some(at), Some(reason)) => Some(Pause {
                at,
                reason: word(reason, "links", "paused_reason", id)?,
            }),
            _ => None,
        };
        let last = match (self.last_job_id, self.last_run_at, &self.last_state) {
            (Some(job_id), Some(at), Some(state)) => Some(LastRun {
                job_id,
                at,
                state: word(state, "links", "last_state", id)?,
                error_code: self
                    .last_error_code
                    .as_deref()
                    .map(|code| word(code, "links", "last_error_code", id))
                    .transpose()?,
            }),
            _ => None,
        };
        Ok(Upkeep {
            next_run_at: self.next_run_at,
            not_before: self.not_before,
            run_by: self.run_by,
            synced_revision: self.synced_revision,
            verified_at: self.verified_at,
            suspect_at: self.suspect_at,
            failures: self.failures,
            paused,
            last,
            last_drift_at: self.last_drift_at,
            drifted_keys: self
                .drifted_keys
                .as_ref()
                .map(|keys| keys.0.clone())
                .unwrap_or_default(),
        })
    }
}
