//! What is known of destinations: of the values there, of what we wrote, and when they were synced. For
//! the engine: everything goes by environment and project, whose owner the job's authority was checked
//! for.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, inconsistent, on};
use super::{StoreError, Tx};
use crate::sync::options::Direction;
use crate::sync::remote::Fingerprint;

/// What is known of a destination of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownDestination {
    /// Of values there that were written or read, by key.
    pub fingerprints: BTreeMap<String, Fingerprint>,
    /// The keys that the environment wrote there.
    pub written: BTreeSet<String>,
    /// The last successful push.
    pub pushed_at: Option<DateTime<Utc>>,
    /// The last successful pull.
    pub pulled_at: Option<DateTime<Utc>>,
    /// Something was written there that was to be put into effect, and is not everywhere.
    pub rollout_due: bool,
}

impl KnownDestination {
    /// When it was last synced, in whichever direction.
    pub fn synced_at(&self) -> Option<DateTime<Utc>> {
        self.pushed_at.max(self.pulled_at)
    }
}

/// News of a destination. No key is in both of two lists that contradict each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestinationNews {
    /// Fingerprints that are added, or take the place of those of the same keys.
    pub fingerprints: Vec<Fingerprint>,
    /// Keys whose fingerprints are no longer certain.
    pub forgotten: Vec<String>,
    /// Keys that the environment wrote there.
    pub written: Vec<String>,
    /// Keys that it has no longer there.
    pub removed: Vec<String>,
    /// A sync came to its end with success.
    pub synced: Option<Direction>,
    /// Something was written that is to be put into effect, or all of it now is.
    pub rollout_due: Option<bool>,
}

impl DestinationNews {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A fingerprint as it is stored, under its key.
#[derive(Debug, Serialize, Deserialize)]
struct Print {
    remote_id: String,
    stamp: String,
    mac: String,
}

#[derive(sqlx::FromRow)]
struct DestinationRow {
    fingerprints: Json<BTreeMap<String, Print>>,
    written: Json<BTreeMap<String, bool>>,
    pushed_at: Option<DateTime<Utc>>,
    pulled_at: Option<DateTime<Utc>>,
    rollout_due: bool,
}

impl Tx {
    /// What is known of a destination; nothing where nothing was ever noted.
    pub async fn known_destination(
        &mut self,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
    ) -> Result<KnownDestination, StoreError> {
        let row: Option<DestinationRow> = on!(self, |conn| sqlx::query_as(
            "SELECT fingerprints, written, pushed_at, pulled_at, rollout_due FROM destinations
             WHERE environment_id = $1 AND project_key = $2 AND slot = $3"
        )
        .bind(environment_id)
        .bind(project_key)
        .bind(slot)
        .fetch_optional(conn))?;
        let Some(row) = row else {
            return Ok(KnownDestination::default());
        };
        let mut fingerprints = BTreeMap::new();
        for (key, print) in row.fingerprints.0 {
            let mac = hex::decode(&print.mac)
                .map_err(|_| inconsistent("destinations", "fingerprints", environment_id))?;
            let print = Fingerprint {
                key: key.clone(),
                remote_id: print.remote_id,
                stamp: print.stamp,
                mac,
            };
            fingerprints.insert(key, print);
        }
        Ok(KnownDestination {
            fingerprints,
            written: row.written.0.into_keys().collect(),
            pushed_at: row.pushed_at,
            pulled_at: row.pulled_at,
            rollout_due: row.rollout_due,
        })
    }

    /// Notes what is new of a destination. Nothing is written for an environment that is gone. One
    /// statement.
    pub async fn note_destination(
        &mut self,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
        news: &DestinationNews,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if news.is_empty() {
            return Ok(());
        }
        // Changes as both databases merge them: null takes a key out.
        let mut prints: BTreeMap<&str, Option<Print>> = BTreeMap::new();
        prints.extend(news.forgotten.iter().map(|key| (key.as_str(), None)));
        for print in &news.fingerprints {
            let stored = Print {
                remote_id: print.remote_id.clone(),
                stamp: print.stamp.clone(),
                mac: hex::encode(&print.mac),
            };
            prints.insert(&print.key, Some(stored));
        }
        let mut written: BTreeMap<&str, Option<bool>> = BTreeMap::new();
        written.extend(news.removed.iter().map(|key| (key.as_str(), None)));
        written.extend(news.written.iter().map(|key| (key.as_str(), Some(true))));
        let synced = |direction| (news.synced == Some(direction)).then_some(at);
        let statement = self.dialect().note_destination;
        changed!(self, |conn| sqlx::query(statement)
            .bind(environment_id)
            .bind(project_key)
            .bind(slot)
            .bind(Json(&prints))
            .bind(Json(&written))
            .bind(synced(Direction::Push))
            .bind(synced(Direction::Pull))
            .bind(news.rollout_due)
            .execute(conn))?;
        Ok(())
    }

    /// Forgets every fingerprint of a project, of all environments and destinations: what is there
    /// is no longer certain.
    pub async fn drop_project_fingerprints(&mut self, project_key: &str) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE destinations SET fingerprints = '{}' WHERE project_key = $1"
        )
        .bind(project_key)
        .execute(conn))?;
        Ok(())
    }

    /// The keys that other environments, of whatever vault, wrote to a destination: not ours to
    /// delete.
    pub async fn foreign_keys(
        &mut self,
        project_key: &str,
        slot: &str,
        not_environment: Uuid,
    ) -> Result<BTreeSet<String>, StoreError> {
        let rows: Vec<Json<BTreeMap<String, bool>>> = on!(self, |conn| sqlx::query_scalar(
            "SELECT written FROM destinations
             WHERE project_key = $1 AND slot = $2 AND environment_id <> $3"
        )
        .bind(project_key)
        .bind(slot)
        .bind(not_environment)
        .fetch_all(conn))?;
        Ok(rows.into_iter().flat_map(|row| row.0.into_keys()).collect())
    }
}
