//! What is to be done: per key one action and one reason.

use serde::{Deserialize, Serialize};

use crate::domain::words;

words! {
    /// What is done to a key in the target.
    pub enum Action {
        /// The target gets it.
        Create = "create",
        /// The target's value is replaced.
        Update = "update",
        /// The target loses it.
        Delete = "delete",
        /// Nothing.
        Skip = "skip",
    }
}

words! {
    /// Why.
    pub enum Reason {
        /// The target does not have it.
        Missing = "missing",
        /// The values differ.
        Changed = "changed",
        /// The target's value cannot be read and is not known to be ours.
        Unverifiable = "unverifiable",
        /// The values are equal.
        Unchanged = "unchanged",
        /// The source does not have it.
        Extra = "extra",
        /// The name belongs to the platform.
        Reserved = "reserved",
        /// The target does not take such a name.
        InvalidName = "invalid-name",
        /// The source's value cannot be read.
        Unreadable = "unreadable",
        /// The row belongs to an integration, the platform or another link.
        Protected = "protected",
        /// Only keys that this vault wrote may be deleted, and this is none.
        NotManaged = "not-managed",
        /// The vault's value is kept.
        ConflictKept = "conflict-kept",
        /// The provider did not show everything, so its absence or presence is not known.
        IncompleteView = "incomplete-view",
        /// The value refers to other variables there, and whether that is meant was not said.
        Reference = "reference",
        /// It would be deleted if nothing before it failed, and something does.
        NotAttempted = "not-attempted",
    }
}

/// One key of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// The key.
    pub key: String,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// The whole plan, in byte order of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// One entry per key that is on either side and not left out of account.
    pub keys: Vec<Planned>,
}

impl Plan {
    /// The keys that get this action.
    pub fn with(&self, action: Action) -> impl Iterator<Item = &Planned> {
        self.keys
            .iter()
            .filter(move |planned| planned.action == action)
    }

    /// Whether anything would be written.
    pub fn writes(&self) -> bool {
        self.keys
            .iter()
            .any(|planned| planned.action != Action::Skip)
    }
}
