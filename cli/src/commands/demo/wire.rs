//! The parts of our API's answers that the demo reads.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Connected {
    pub(super) connection: Connection,
}

#[derive(Debug, Deserialize)]
pub(super) struct Connection {
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Projects {
    pub(super) projects: Vec<Project>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) linked_repo: Option<String>,
    pub(super) framework: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Preview {
    pub(super) to_create: Vec<String>,
    pub(super) to_update: Vec<String>,
    pub(super) to_delete: Vec<String>,
    pub(super) to_skip: Vec<String>,
    #[serde(default)]
    pub(super) reasons: BTreeMap<String, String>,
}

impl Preview {
    /// Whether a sync would write nothing.
    pub(super) fn is_in_sync(&self) -> bool {
        self.to_create.is_empty() && self.to_update.is_empty() && self.to_delete.is_empty()
    }

    /// The keys that have the vault's value once the sync is done.
    pub(super) fn carried(&self) -> impl Iterator<Item = &String> {
        let unchanged = |key: &&String| {
            let reason = self.reasons.get(*key);
            reason.is_none_or(|reason| reason == "unchanged")
        };
        let equal = self.to_skip.iter().filter(unchanged);
        self.to_create.iter().chain(&self.to_update).chain(equal)
    }
}

/// What a sync that did not wait is answered with: the job, with the fields of a report beside.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Started {
    pub(super) job_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Job {
    pub(super) state: String,
    #[serde(default)]
    pub(super) progress: Progress,
    #[serde(default)]
    pub(super) result: Option<Report>,
    #[serde(default)]
    pub(super) error_code: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Progress {
    pub(super) done: u64,
    pub(super) total: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) status: String,
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    pub(super) skipped: u64,
    #[serde(default)]
    pub(super) provider_calls: u64,
    #[serde(default)]
    pub(super) error: Option<String>,
}
