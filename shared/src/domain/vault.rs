//! Vaults: the secrets of a repository, by environment.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::access::EnvironmentRules;
use super::words;
use crate::secret::Secret;

words! {
    /// What a member may do in a vault. Ordered: each includes what stands before it.
    pub enum Role {
        /// See secrets; push them to a provider.
        Read = "read",
        /// Change secrets; pull from a provider.
        Write = "write",
        /// Manage members and environments; delete the vault.
        Admin = "admin",
    }
}

words! {
    /// How carefully an environment is treated. Ordered by protection.
    pub enum EnvironmentKind {
        /// Local work.
        Development = "development",
        /// Anything between.
        Standard = "standard",
        /// Production.
        Protected = "protected",
    }
}

impl EnvironmentKind {
    /// The kind that an environment's name suggests.
    pub fn from_name(name: &str) -> Self {
        match name {
            "production" | "prod" | "main" | "master" => Self::Protected,
            "development" | "dev" | "local" => Self::Development,
            _ => Self::Standard,
        }
    }
}

/// The secrets of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// Identity.
    pub id: Uuid,
    /// Who created it; the first admin.
    pub created_by: Uuid,
    /// `owner` of `owner/repo`, as first written.
    pub repo_owner: String,
    /// `repo` of `owner/repo`, as first written.
    pub repo_name: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Last change of anything in it.
    pub updated_at: DateTime<Utc>,
}

impl Vault {
    /// `owner/repo`.
    pub fn repo_full_name(&self) -> String {
        format!("{}/{}", self.repo_owner, self.repo_name)
    }
}

/// A vault together with the caller's role in it: the proof that the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultAccess {
    /// The vault.
    pub vault: Vault,
    /// The caller's role.
    pub role: Role,
}

/// A member of a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user_id: Uuid,
    /// The user's login name.
    pub username: String,
    /// What the user may do.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// An environment of a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Identity; survives renaming.
    pub id: Uuid,
    /// The vault it belongs to.
    pub vault_id: Uuid,
    /// Its name, unique in the vault.
    pub name: String,
    /// How carefully it is treated.
    pub kind: EnvironmentKind,
    /// Who may use it.
    pub rules: EnvironmentRules,
    /// Position in lists.
    pub display_order: i64,
    /// Raised by every change of its secrets, in the same transaction.
    pub revision: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A secret without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    /// Identity; kept through changes of the value.
    pub id: Uuid,
    /// The environment it belongs to.
    pub environment_id: Uuid,
    /// That environment's name.
    pub environment: String,
    /// Its name.
    pub key: String,
    /// Raised with each new value.
    pub version: i64,
    /// When it was first written.
    pub created_at: DateTime<Utc>,
    /// When its value or name last changed.
    pub updated_at: DateTime<Utc>,
    /// Login name of who changed it last.
    pub updated_by: Option<String>,
    /// Set while it lies in the trash.
    pub deleted_at: Option<DateTime<Utc>>,
    /// When the trash forgets it.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What reading one environment gave: every key, with its value or the fact that it cannot be
/// decrypted. A row that does not decrypt is never the same as no row.
#[derive(Debug, Clone, Default)]
pub struct VaultSnapshot {
    /// The environment's revision the values belong to.
    pub revision: i64,
    /// Values in order of their keys.
    pub values: std::collections::BTreeMap<String, Secret>,
    /// Keys whose row is damaged or was moved.
    pub corrupt: Vec<String>,
}
