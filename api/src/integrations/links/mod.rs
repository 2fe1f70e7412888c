//! Links: a vault environment and the destination it belongs to.

mod another_connection;
mod auto_sync;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod heal;
pub(super) mod list;
pub(super) mod update;

use auto_sync::AutoSync;
use keyway_shared::domain::access::{Access, Asker, may_touch};
use keyway_shared::domain::auto_sync as auto_rule;
use keyway_shared::domain::connection::Connection;
use keyway_shared::domain::job::{ErrorCode, JobKind, JobState};
use keyway_shared::domain::link::Link;
use keyway_shared::domain::upkeep::LastRun;
use keyway_shared::domain::vault::{Environment, EnvironmentKind, VaultAccess};
use keyway_shared::store::Tx;
use keyway_shared::sync::options::Direction;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Timestamp;
use crate::error::{ApiError, ConflictCode};
use crate::extract::Caller;
use crate::integrations::sync::fields::check_filter;

/// A link.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Link)]
pub(crate) struct LinkBody {
    /// Identity.
    id: Uuid,
    /// The vault.
    vault_id: Uuid,
    /// The connection used. Once it was deleted, the one that was: then the link is paused.
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
    /// Whether values that refer to other variables at the provider are meant to; its runs leave them out
    /// otherwise.
    allow_references: bool,
    /// Whether its pushes put into effect what they wrote.
    rollout: bool,
    /// Globs of the keys that take part; `null`: all.
    include: Option<Vec<String>>,
    /// Globs of keys that do not.
    exclude: Option<Vec<String>>,
    /// What the names of the keys that take part begin with.
    prefix: Option<String>,
    /// Whether another vault may be linked with the same destination.
    shared: bool,
    /// When it syncs by itself.
    auto_sync: AutoSync,
    /// Whether it does not for now.
    paused: bool,
    /// Why it does not. When it was `requested`, syncs of this pair by hand are accepted and wait too.
    #[schema(
        pattern = "^(requested|authority-gone|reconnect-required|disconnected|unknown-environment)$"
    )]
    paused_reason: Option<&'static str>,
    /// The next automatic run, or look at whether there is anything to do.
    next_run_at: Option<Timestamp>,
    /// How the last run of the link ended.
    last_result: Option<LastResult>,
    /// Automatic runs in a row that were no full success; each makes the pause to the next longer.
    failures: i64,
    /// When a run that only looks last found a difference.
    last_drift_at: Option<Timestamp>,
    /// The keys that it found, until they are synced. What runs found, how the last one ended included,
    /// is told to those only who may see the vault's environment.
    drifted_keys: Vec<String>,
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
            allow_references: link.allow_references,
            rollout: link.rollout,
            include: link.include,
            exclude: link.exclude,
            prefix: link.prefix,
            shared: link.shared,
            auto_sync: AutoSync::from(&link.auto_sync),
            paused: link.upkeep.paused.is_some(),
            paused_reason: link.upkeep.paused.map(|pause| pause.reason.as_str()),
            next_run_at: link.upkeep.next_run_at.map(Timestamp),
            last_result: link.upkeep.last.map(LastResult::from),
            failures: link.upkeep.failures,
            last_drift_at: link.upkeep.last_drift_at.map(Timestamp),
            drifted_keys: link.upkeep.drifted_keys,
            last_synced_at: link.last_synced_at.map(Timestamp),
            created_at: link.created_at.into(),
            updated_at: link.updated_at.into(),
        }
    }
}

/// How the last run of a link ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LinkResult)]
pub(crate) struct LastResult {
    /// How.
    #[schema(pattern = "^(success|partial|error)$")]
    status: &'static str,
    /// Why it was no full success.
    error_code: Option<&'static str>,
    /// The job. It is gone once jobs of its age are.
    job_id: Uuid,
    /// When it ended.
    at: Timestamp,
}

impl From<LastRun> for LastResult {
    fn from(last: LastRun) -> Self {
        Self {
            status: match last.state {
                JobState::Succeeded => "success",
                JobState::Partial => "partial",
                _ => "error",
            },
            error_code: last.error_code.map(ErrorCode::as_str),
            job_id: last.job_id,
            at: last.at.into(),
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

impl LinkBody {
    /// As a member may see it: what its runs found is for those who may see the environment.
    fn shown(link: Link, environments: &[Environment], asker: Asker) -> Self {
        let environment = environments
            .iter()
            .find(|known| known.id == link.environment_id);
        let body = Self::from(link);
        if environment.is_some_and(|known| asker.may(Access::Read, known).is_ok()) {
            return body;
        }
        Self {
            last_result: None,
            last_drift_at: None,
            drifted_keys: Vec::new(),
            ..body
        }
    }
}

/// 403 unless a link may be touched with the caller's credential, whatever its runs do: enough for its
/// owner to hold it back.
async fn may_hold_back(tx: &mut Tx, caller: &Caller, link: &Link) -> Result<(), ApiError> {
    let environment = tx
        .find_environment_by_id(link.vault_id, link.environment_id)
        .await?
        .ok_or_else(|| ApiError::not_found("environment"))?;
    let remote = EnvironmentKind::of_remote(&link.provider_environment);
    for kind in [environment.kind, remote] {
        may_touch(caller.key_environment(), kind)?;
    }
    Ok(())
}

/// 403 unless the caller may do what runs of the link do.
async fn may_run(
    tx: &mut Tx,
    caller: &Caller,
    access: &VaultAccess,
    link: &Link,
) -> Result<(), ApiError> {
    let environment = tx
        .find_environment_by_id(access.vault.id, link.environment_id)
        .await?
        .ok_or_else(|| ApiError::not_found("environment"))?;
    let asker = caller.asker(access.role);
    Ok(asker.may_run(JobKind::Sync, &link.request(), &environment)?)
}

/// The connection that a link has, or had before it was given up.
async fn connection_of(tx: &mut Tx, link: &Link) -> Result<Connection, ApiError> {
    let found = tx.connection_of_link(link.vault_id, link.id).await?;
    found.ok_or_else(|| ApiError::not_found("connection"))
}

/// What the log of who did what tells of a link.
fn noted(change: &str, link: &Link) -> Value {
    json!({
        "change": change,
        "link": link.id,
        "provider": link.provider,
        "environment": link.keyway_environment,
        "direction": link.direction,
        "allowDelete": link.allow_delete,
        "allowReferences": link.allow_references,
        "rollout": link.rollout,
        "autoSync": link.auto_sync.mode(),
        "paused": link.upkeep.paused.is_some(),
        "connection": link.connection_id,
    })
}

/// 409 for a link whose connection was given up.
fn disconnected() -> ApiError {
    ApiError::Conflict(
        ConflictCode::ReconnectRequired,
        "The link's connection was deleted. Connect the same account again, or change the link's \
         connectionId."
            .into(),
    )
}

/// 422 naming what no run of the link could do.
fn check_rules(link: &Link) -> Result<(), ApiError> {
    if link.direction == Direction::Pull && link.auto_sync == auto_rule::AutoSync::OnChange {
        // It would undo each change of the vault.
        let message = "cannot be on-change with the direction pull";
        return Err(ApiError::field("autoSync.mode", message));
    }
    check_filter(
        link.include.as_deref(),
        link.exclude.as_deref(),
        link.prefix.as_deref(),
    )
}
