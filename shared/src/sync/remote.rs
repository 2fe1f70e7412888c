//! What a provider shows, in words that fit each of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::options::SyncRequest;
use crate::secret::Secret;

/// What is known of a remote value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteValue {
    /// The value itself.
    Known(Secret),
    /// It can be read with one more call.
    Unread,
    /// Nobody can read it. Not missing, not empty, and equal to nothing.
    Unreadable,
}

/// Whose row it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowOwner {
    /// Made by people or by us; ours to change.
    People,
    /// Made and kept by an integration of the provider's other than ours.
    Integration,
    /// Injected by the platform.
    Platform,
}

/// One row at a provider. Its identity is the key together with its scopes and its branch; `id` is
/// the provider's handle for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRow {
    /// The provider's id.
    pub id: String,
    /// The variable's name.
    pub key: String,
    /// Every environment whose value this row is: built-in names and ids of custom ones. More than
    /// one means that they share the value.
    pub scopes: BTreeSet<String>,
    /// The branch it is narrowed to.
    pub branch: Option<String>,
    /// What is known of the value.
    pub value: RemoteValue,
    /// Changes whenever the row is written: `updatedAt`, a digest. `None` certifies nothing.
    pub stamp: Option<String>,
    /// The provider's word for the row's type.
    pub kind: String,
    /// Whose row it is.
    pub owner: RowOwner,
}

/// Where values go to or come from, resolved: the scope is the provider's canonical name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// The project's canonical id.
    pub project_id: String,
    /// The account that the project belongs to, where the provider's addresses name it. Not part of what
    /// the destination is: the project is enough for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// The service.
    pub service_id: Option<String>,
    /// Built-in environment name, or a custom environment's id.
    pub scope: String,
    /// Whether `scope` is a custom environment's id.
    pub custom: bool,
    /// A branch that narrows it.
    pub branch: Option<String>,
}

impl Destination {
    /// Whether a row gives this destination its value.
    pub fn has(&self, row: &RemoteRow) -> bool {
        row.branch == self.branch && row.scopes.contains(&self.scope)
    }

    /// Whether the request gives it by an id of which nobody knows the name.
    pub fn is_unnamed_in(&self, request: &SyncRequest) -> bool {
        self.custom && self.scope == request.provider_environment
    }

    /// One text that stands for it inside its project: `service|scope|branch`, with `|` and `%` of
    /// the parts escaped so that no two destinations share a text.
    pub fn slot(&self) -> String {
        let part = |text: &str| text.replace('%', "%25").replace('|', "%7C");
        format!(
            "{}|{}|{}",
            self.service_id.as_deref().map_or_else(String::new, part),
            part(&self.scope),
            self.branch.as_deref().map_or_else(String::new, part)
        )
    }
}

/// What one list gave.
#[derive(Debug, Clone, Default)]
pub struct RemoteView {
    /// Every row of the project that the provider showed, whatever its environment.
    pub rows: Vec<RemoteRow>,
    /// Set when rows are known to be missing, with why.
    pub incomplete: Option<String>,
}

impl RemoteView {
    /// The destination's rows by key. Providers keep (key, scope, branch) unique; should one show
    /// two all the same, the one that changed last stands, since it is what a deployment gets.
    pub fn at<'a>(&'a self, destination: &Destination) -> BTreeMap<&'a str, &'a RemoteRow> {
        let mut rows: BTreeMap<&str, &RemoteRow> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| destination.has(row)) {
            let entry = rows.entry(&row.key).or_insert(row);
            if row.stamp > entry.stamp {
                *entry = row;
            }
        }
        rows
    }
}

/// Proof that a remote row bears a certain value: it was written or read by us at that stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The key.
    pub key: String,
    /// The row's id then.
    pub remote_id: String,
    /// The row's stamp then.
    pub stamp: String,
    /// Keyed hash of the value.
    pub mac: Vec<u8>,
}

impl Fingerprint {
    /// Whether `row` is still the row that this was taken of.
    pub fn holds_for(&self, row: &RemoteRow) -> bool {
        self.remote_id == row.id && row.stamp.as_deref() == Some(self.stamp.as_str())
    }
}
