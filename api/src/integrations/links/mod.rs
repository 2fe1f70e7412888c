//! Links: a vault environment and the destination it belongs to.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod list;
pub(super) mod update;

use keyway_shared::domain::link::Link;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Timestamp;

/// When a link syncs by itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AutoSyncMode {
    /// Never.
    Off,
}

/// When a link syncs by itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AutoSync {
    /// When.
    mode: AutoSyncMode,
}

/// A link.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Link)]
pub(crate) struct LinkBody {
    /// Identity.
    id: Uuid,
    /// The vault.
    vault_id: Uuid,
    /// The connection used.
    connection_id: Uuid,
    /// The connection's provider.
    #[schema(example = "vercel")]
    provider: &'static str,
    /// The project's id.
    project_id: String,
    /// The project's name when the link was saved.
    project_name: Option<String>,
    /// The service, for providers that have them.
    service_id: Option<String>,
    /// The vault's environment.
    keyway_environment: String,
    /// The provider's environment.
    provider_environment: String,
    /// A branch that narrows it.
    git_branch: Option<String>,
    /// Which side is copied from.
    #[schema(pattern = "^(push|pull)$")]
    direction: &'static str,
    /// Whether automatic runs may delete.
    allow_delete: bool,
    /// What they may delete.
    #[schema(pattern = "^(all|managed)$")]
    delete_scope: &'static str,
    /// Whether another vault may be linked with the same destination.
    shared: bool,
    /// Whether syncs of this pair, by hand or by themselves, wait.
    paused: bool,
    /// When it syncs by itself.
    auto_sync: AutoSync,
    /// Last successful sync of this pair.
    last_synced_at: Option<Timestamp>,
    /// When it was saved.
    created_at: Timestamp,
    /// Last change.
    updated_at: Timestamp,
}

impl From<Link> for LinkBody {
    fn from(link: Link) -> Self {
        Self {
            id: link.id,
            vault_id: link.vault_id,
            connection_id: link.connection_id,
            provider: link.provider.as_str(),
            project_id: link.project_id,
            project_name: link.project_name,
            service_id: link.service_id,
            keyway_environment: link.keyway_environment,
            provider_environment: link.provider_environment,
            git_branch: link.git_branch,
            direction: link.direction.as_str(),
            allow_delete: link.allow_delete,
            delete_scope: link.delete_scope.as_str(),
            shared: link.shared,
            paused: link.paused,
            auto_sync: AutoSync {
                mode: AutoSyncMode::Off,
            },
            last_synced_at: link.last_synced_at.map(Timestamp),
            created_at: link.created_at.into(),
            updated_at: link.updated_at.into(),
        }
    }
}

/// One link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OneLink {
    link: LinkBody,
}

/// The vault and the link that the path names.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkPath {
    id: Uuid,
}
