//! Vaults: the secrets of a repository.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;

use keyway_shared::domain::link::Link;
use keyway_shared::store::VaultSummary;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Timestamp;
use crate::environments::EnvironmentItem;

/// A vault as its members see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VaultItem {
    id: Uuid,
    /// `owner/repo`.
    repo_full_name: String,
    repo_owner: String,
    repo_name: String,
    /// Picture of the repository's owner.
    repo_avatar: String,
    /// Living secrets in all environments.
    secret_count: i64,
    /// Names of the environments, in order of display.
    environments: Vec<String>,
    environment_details: Vec<EnvironmentItem>,
    /// What the caller may do: `read`, `write` or `admin`.
    permission: &'static str,
    is_private: bool,
    /// Always false: it is what a plan does to a vault, and there are no plans here. What the caller may
    /// do is `permission`.
    is_read_only: bool,
    /// Always null.
    readonly_reason: Option<String>,
    /// Where its environments are linked to.
    syncs: Vec<VaultSync>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A link, as far as lists of vaults show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VaultSync {
    id: Uuid,
    provider: &'static str,
    project_id: String,
    project_name: Option<String>,
    connection_id: Uuid,
    keyway_environment: String,
    provider_environment: String,
    last_synced_at: Option<Timestamp>,
}

impl From<Link> for VaultSync {
    fn from(link: Link) -> Self {
        Self {
            id: link.id,
            provider: link.provider.as_str(),
            project_id: link.project_id,
            project_name: link.project_name,
            connection_id: link.connection_id,
            keyway_environment: link.keyway_environment,
            provider_environment: link.provider_environment,
            last_synced_at: link.last_synced_at.map(Timestamp),
        }
    }
}

impl From<VaultSummary> for VaultItem {
    fn from(summary: VaultSummary) -> Self {
        let vault = summary.access.vault;
        Self {
            id: vault.id,
            repo_full_name: vault.repo_full_name(),
            repo_avatar: format!("https://github.com/{}.png", vault.repo_owner),
            repo_owner: vault.repo_owner,
            repo_name: vault.repo_name,
            secret_count: summary.secret_count,
            environments: summary
                .environments
                .iter()
                .map(|environment| environment.name.clone())
                .collect(),
            environment_details: summary
                .environments
                .into_iter()
                .map(EnvironmentItem::from)
                .collect(),
            permission: summary.access.role.as_str(),
            is_private: true,
            is_read_only: false,
            readonly_reason: None,
            syncs: summary.links.into_iter().map(VaultSync::from).collect(),
            created_at: vault.created_at.into(),
            updated_at: vault.updated_at.into(),
        }
    }
}
