//! What a caller asks for.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::words;

words! {
    /// Which side is copied from.
    pub enum Direction {
        /// From the vault to the provider.
        Push = "push",
        /// From the provider to the vault.
        Pull = "pull",
    }
}

words! {
    /// What may be deleted where deletion is allowed.
    pub enum DeleteScope {
        /// Whatever the source does not have.
        All = "all",
        /// Of that, only what this vault environment wrote before.
        Managed = "managed",
    }
}

words! {
    /// What a pull does with a value that the vault has and that differs.
    pub enum OnConflict {
        /// Replaces it; the old value stays as a version.
        Overwrite = "overwrite",
        /// Keeps the vault's.
        Skip = "skip",
    }
}

words! {
    /// The type that new rows get at a provider that tells them apart.
    pub enum VariableType {
        /// Readable by whoever has the right.
        Encrypted = "encrypted",
        /// Never readable again.
        Sensitive = "sensitive",
    }
}

/// What a sync, preview, diff or status is about. Stored with the job: ids, names and switches,
/// never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncRequest {
    /// The project's id or name, as given.
    pub project_id: String,
    /// The service, for providers that have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// The vault environment's name when the request was made, for people.
    pub keyway_environment: String,
    /// The provider's environment: a built-in name, or a custom environment's slug or id.
    pub provider_environment: String,
    /// A branch that narrows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_branch: Option<String>,
    /// Which side is copied from.
    pub direction: Direction,
    /// Whether the target may lose what the source does not have.
    pub allow_delete: bool,
    /// What may be deleted.
    pub delete_scope: DeleteScope,
    /// What a pull does with differing values.
    pub on_conflict: OnConflict,
    /// Deleting everything because the source is empty is meant.
    pub confirm_empty_source: bool,
    /// The type of new rows.
    pub variable_type: VariableType,
    /// Patterns of the keys that take part; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<Vec<String>>,
    /// Patterns of keys that do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Vec<String>>,
    /// What the names of all keys that take part begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Whether every value that can be read is read, whatever is remembered of it.
    #[serde(default)]
    pub verify: bool,
    /// Values that refer to other variables at the provider are meant to.
    #[serde(default)]
    pub allow_references: bool,
    /// Whether a push puts into effect what it wrote, where that is a step of its own.
    #[serde(default)]
    pub rollout: bool,
    /// The saved plan that a sync is to carry out, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<Uuid>,
    /// The link whose run it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_id: Option<Uuid>,
}

impl SyncRequest {
    /// The request with every switch at its default.
    pub fn new(
        project_id: impl Into<String>,
        keyway_environment: impl Into<String>,
        provider_environment: impl Into<String>,
        direction: Direction,
    ) -> Self {
        Self {
            project_id: project_id.into(),
            service_id: None,
            keyway_environment: keyway_environment.into(),
            provider_environment: provider_environment.into(),
            git_branch: None,
            direction,
            allow_delete: false,
            delete_scope: DeleteScope::All,
            on_conflict: OnConflict::Overwrite,
            confirm_empty_source: false,
            variable_type: VariableType::Encrypted,
            include: None,
            exclude: None,
            prefix: None,
            verify: false,
            allow_references: false,
            rollout: false,
            plan_id: None,
            link_id: None,
        }
    }
}
