//! Links: a vault environment and the destination it belongs to.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::connection::ProviderName;
use crate::sync::options::{DeleteScope, Direction};

/// A saved pair of a vault environment and a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Identity.
    pub id: Uuid,
    /// The vault.
    pub vault_id: Uuid,
    /// The vault's environment; an id, so that renaming keeps the link.
    pub environment_id: Uuid,
    /// That environment's name now.
    pub keyway_environment: String,
    /// The connection used.
    pub connection_id: Uuid,
    /// The connection's provider.
    pub provider: ProviderName,
    /// The project's canonical id.
    pub project_id: String,
    /// The project's name when the link was saved.
    pub project_name: Option<String>,
    /// The service, for providers that have them.
    pub service_id: Option<String>,
    /// The provider's environment, as it was named.
    pub provider_environment: String,
    /// The same by the provider's own name: see
    /// [`Destination::scope`](crate::sync::remote::Destination).
    pub scope: String,
    /// A branch that narrows it.
    pub git_branch: Option<String>,
    /// Which side is copied from.
    pub direction: Direction,
    /// Whether its automatic runs may delete.
    pub allow_delete: bool,
    /// What they may delete.
    pub delete_scope: DeleteScope,
    /// Whether another vault may write to the same destination.
    pub shared: bool,
    /// Syncs of this pair are accepted and wait.
    pub paused: bool,
    /// Last successful sync of this pair.
    pub last_synced_at: Option<DateTime<Utc>>,
    /// When it was saved.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}
