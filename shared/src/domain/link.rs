//! Links: a vault environment and the destination it belongs to.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::auto_sync::AutoSync;
use super::connection::ProviderName;
use super::upkeep::Upkeep;
use crate::sync::options::{DeleteScope, Direction, SyncRequest};

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
    /// The connection used; once it was given up, the one that was.
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
    /// Whether values that refer to other variables at the provider are meant to.
    pub allow_references: bool,
    /// Whether its pushes put into effect what they wrote.
    pub rollout: bool,
    /// Patterns of the keys that take part; `None`: all.
    pub include: Option<Vec<String>>,
    /// Patterns of keys that do not.
    pub exclude: Option<Vec<String>>,
    /// What the names of all keys that take part begin with.
    pub prefix: Option<String>,
    /// When it syncs by itself.
    pub auto_sync: AutoSync,
    /// What is known of its runs.
    pub upkeep: Upkeep,
    /// Whether another vault may write to the same destination.
    pub shared: bool,
    /// The API key that it was last saved or changed with, if it was one.
    pub api_key_id: Option<Uuid>,
    /// Last successful sync of this pair.
    pub last_synced_at: Option<DateTime<Utc>>,
    /// When it was saved.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

impl Link {
    /// What a sync of the link is asked for.
    pub fn request(&self) -> SyncRequest {
        SyncRequest {
            service_id: self.service_id.clone(),
            git_branch: self.git_branch.clone(),
            allow_delete: self.allow_delete,
            delete_scope: self.delete_scope,
            allow_references: self.allow_references,
            rollout: self.rollout,
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            prefix: self.prefix.clone(),
            link_id: Some(self.id),
            ..SyncRequest::new(
                self.project_id.clone(),
                self.keyway_environment.clone(),
                self.provider_environment.clone(),
                self.direction,
            )
        }
    }

    /// Whether a run of this request, accepted earlier, did all that the link says now.
    pub fn is_request(&self, request: &SyncRequest) -> bool {
        let now = self.request();
        let asked = SyncRequest {
            // For people only.
            keyway_environment: now.keyway_environment.clone(),
            verify: now.verify,
            ..request.clone()
        };
        asked == now
    }

    /// Whether an automatic run of this request still does no more than the link says now: it may be
    /// forbidden what the link allows.
    pub fn agrees(&self, request: &SyncRequest) -> bool {
        self.is_request(&SyncRequest {
            allow_delete: request.allow_delete || self.allow_delete,
            ..request.clone()
        })
    }

    /// Whether its runs are as those of `other`: what is known of these is true of those.
    pub fn runs_as(&self, other: &Self) -> bool {
        let other_request = SyncRequest {
            link_id: Some(self.id),
            keyway_environment: self.keyway_environment.clone(),
            ..other.request()
        };
        self.request() == other_request
            && self.connection_id == other.connection_id
            && self.auto_sync == other.auto_sync
            && self.upkeep.paused.is_some() == other.upkeep.paused.is_some()
            && self.upkeep.is_held() == other.upkeep.is_held()
    }
}
