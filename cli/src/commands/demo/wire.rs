//! The parts of our API's answers that the demo reads.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Providers {
    pub(super) providers: Vec<Provider>,
}

/// What our API tells of a provider.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) capabilities: Capabilities,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Capabilities {
    pub(super) reading: Reading,
    pub(super) write_only_type: Option<String>,
    /// Whether a value that was written here is known to be still there without reading it.
    pub(super) stamps_writes: bool,
    pub(super) reference: Option<String>,
    pub(super) creates_per_call: Option<u32>,
    pub(super) updates_per_call: Option<u32>,
    pub(super) deletes_per_call: Option<u32>,
    pub(super) write_effect: Effect,
    pub(super) delete_effect: Effect,
    pub(super) rollout: Option<Rollout>,
}

/// How values are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reading {
    Listed,
    Single,
    Digest,
}

/// What a change sets off by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Effect {
    NextDeployment,
    Deploys,
    Staged,
}

/// What puts into effect what was written, where that is a step of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Rollout {
    Redeploy,
    Machines,
    Build,
}

#[derive(Debug, Deserialize)]
pub(super) struct Connected {
    pub(super) user: Account,
    pub(super) connection: Connection,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) username: String,
    pub(super) team_name: Option<String>,
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
    /// How many calls a sync makes.
    pub(super) provider_calls: u64,
    #[serde(default)]
    pub(super) warnings: Vec<Warning>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Warning {
    pub(super) message: String,
    pub(super) keys: Vec<String>,
}

impl Preview {
    /// The keys that a sync would give another value.
    pub(super) fn written(&self) -> impl Iterator<Item = &String> {
        self.to_create.iter().chain(&self.to_update)
    }

    /// The keys that have the vault's value once the sync is done.
    pub(super) fn carried(&self) -> impl Iterator<Item = &String> {
        let unchanged = |key: &&String| {
            let reason = self.reasons.get(*key);
            reason.is_none_or(|reason| reason == "unchanged")
        };
        self.written().chain(self.to_skip.iter().filter(unchanged))
    }

    /// These keys by their reason.
    pub(super) fn by_reason<'a>(&'a self, keys: &'a [String]) -> BTreeMap<&'a str, Vec<String>> {
        let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for key in keys {
            let reason = self.reasons.get(key).map_or("", String::as_str);
            groups.entry(reason).or_default().push(key.clone());
        }
        groups
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
    pub(super) redeploy_required: bool,
    #[serde(default)]
    pub(super) rollout: Option<Vec<Unit>>,
    #[serde(default)]
    pub(super) provider_calls: u64,
    #[serde(default)]
    pub(super) error: Option<String>,
}

/// A part of the destination to which the values were rolled out.
#[derive(Debug, Deserialize)]
pub(super) struct Unit {
    pub(super) unit: String,
    #[serde(default)]
    pub(super) name: Option<String>,
}
