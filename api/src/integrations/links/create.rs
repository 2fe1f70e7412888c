//! `POST /v1/integrations/vaults/{owner}/{repo}/sync/link`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::auto_sync::AutoSync as AutoRule;
use keyway_shared::domain::job::{JobKind, project_key};
use keyway_shared::domain::link::Link;
use keyway_shared::domain::upkeep::Upkeep;
use keyway_shared::domain::vault::Role;
use keyway_shared::providers::{Project, Provider, ProviderError, Target};
use keyway_shared::store::{Constraint, StoreError, Tx};
use keyway_shared::sync::options::{DeleteScope, Direction, SyncRequest};
use keyway_shared::sync::remote::Destination;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::another_connection::hold;
use super::auto_sync::AutoSync;
use super::{LinkBody, check_rules, noted};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Strict, VaultPath};
use crate::idempotency::mark;
use crate::integrations::outside::Line;
use crate::integrations::sync::open::open;
use crate::integrations::sync::selection::{Selection, production};
use crate::schema::{Body, Conflicting, Guarded, Missing, Outside};
use crate::state::ApiState;

/// What to link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkFields {
    /// The connection to use: one of yours.
    connection_id: Uuid,
    /// The project's id or name.
    #[schema(min_length = 1, max_length = 250, example = "prj_xxx")]
    project_id: String,
    /// The service, for providers that have them.
    service_id: Option<String>,
    /// The vault's environment.
    #[serde(default = "production")]
    #[schema(default = "production")]
    keyway_environment: String,
    /// The provider's environment: a built-in name, or a custom environment's slug or id.
    #[serde(default = "production")]
    #[schema(default = "production")]
    provider_environment: String,
    /// A branch that narrows it.
    git_branch: Option<String>,
    /// Which side is copied from; `push` without it.
    #[schema(value_type = Option<String>, pattern = "^(push|pull)$")]
    direction: Option<Direction>,
    /// Whether automatic runs may delete.
    #[serde(default)]
    allow_delete: bool,
    /// What they may delete; `managed` without it.
    #[schema(value_type = Option<String>, pattern = "^(all|managed)$")]
    delete_scope: Option<DeleteScope>,
    /// Whether values that refer to other variables at the provider, where it resolves such, are meant to:
    /// runs leave them out otherwise.
    #[serde(default)]
    allow_references: bool,
    /// Whether pushes put into effect what they wrote, at providers where that is a step of its own
    /// (`capabilities.rollout`), once everything is written.
    #[serde(default)]
    rollout: bool,
    /// Whether another vault may be linked with the same destination.
    #[serde(default)]
    shared: bool,
    /// Globs of the keys that take part (`*`, `?`, `[AB]`, `{A,B}`; case counts). What is left out is
    /// not compared, not written and never deleted by a run of the link.
    #[schema(min_items = 1, max_items = 100, example = json!(["DB_*"]))]
    include: Option<Vec<String>>,
    /// Globs of keys that do not take part, even if `include` has them.
    #[schema(min_items = 1, max_items = 100, example = json!(["*_TEST"]))]
    exclude: Option<Vec<String>>,
    /// What the names of the keys that take part begin with.
    #[schema(min_length = 1, max_length = 256, example = "APP_")]
    prefix: Option<String>,
    /// When it syncs by itself; never without it.
    auto_sync: Option<AutoSync>,
}

/// A link that was saved.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SavedLink {
    #[serde(flatten)]
    link: LinkBody,
    /// Whether there was none for this pair before.
    is_new: bool,
}

/// The saved link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Linked {
    link: SavedLink,
}

/// Link
///
/// Saves that a vault's environment belongs to a destination, after asking the provider for the
/// project and its environment. The same pair again changes its link. A destination that another
/// vault is linked with is refused unless `shared` is true. Unknown fields are refused. Needs
/// `write:secrets`, the role `write`, and the right to what its runs do; `allowDelete` also needs
/// `delete:secrets`.
#[utoipa::path(
    post,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync/link",
    operation_id = "create_link",
    tag = "sync",
    params(VaultPath),
    request_body = LinkFields,
    responses(
        (status = 200, description = "The link.", body = Envelope<Linked>),
        Guarded, Missing, Conflicting, Body, Outside
    )
)]
pub(crate) async fn create_link(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Strict(fields): Strict<LinkFields>,
) -> Result<Data<Linked>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    if fields.allow_delete {
        caller.require(Scope::DeleteSecrets)?;
    }
    let mut selection = Selection {
        connection_id: fields.connection_id,
        project_id: fields.project_id,
        service_id: fields.service_id,
        keyway_environment: fields.keyway_environment,
        provider_environment: fields.provider_environment,
        git_branch: fields.git_branch,
    };
    selection.check()?;
    let auto_sync = match &fields.auto_sync {
        Some(auto_sync) => auto_sync.check(state.ambient.now())?,
        None => AutoRule::Off,
    };

    let direction = fields.direction.unwrap_or(Direction::Push);
    let runs = |selection: &Selection| SyncRequest {
        allow_delete: fields.allow_delete,
        rollout: fields.rollout,
        ..selection.request(direction)
    };
    let (kind, request) = (JobKind::Sync, runs(&selection));
    let mut tx = state.store.begin_read().await?;
    let opened = open(&mut tx, &state, &caller, &path, &selection, kind, &request).await?;
    opened.require(Role::Write)?;
    tx.commit().await?;
    let line = Line::open(&state, caller.user.id, selection.connection_id).await?;
    let (project, destination) = match resolve(&line, &mut selection).await {
        Ok(found) => found,
        Err(error) => return Err(line.failed(&state, error).await),
    };

    // The rights may have changed while the provider was asked, which also told the environment's name.
    let request = runs(&selection);
    let mut tx = state.store.begin().await?;
    let opened = open(&mut tx, &state, &caller, &path, &selection, kind, &request).await?;
    opened.require(Role::Write)?;
    hold(&mut tx, &caller, line.connection.id).await?;
    let now = tx.now().await?;
    let link = Link {
        id: state.ambient.new_id(),
        vault_id: opened.access.vault.id,
        environment_id: opened.environment.id,
        keyway_environment: opened.environment.name,
        connection_id: line.connection.id,
        provider: line.connection.provider,
        project_id: project.id,
        project_name: Some(project.name),
        service_id: selection.service_id,
        provider_environment: selection.provider_environment,
        scope: destination.scope,
        git_branch: selection.git_branch,
        direction,
        allow_delete: fields.allow_delete,
        delete_scope: fields.delete_scope.unwrap_or(DeleteScope::Managed),
        allow_references: fields.allow_references,
        rollout: fields.rollout,
        include: fields.include,
        exclude: fields.exclude,
        prefix: fields.prefix,
        auto_sync,
        upkeep: Upkeep::default(),
        shared: fields.shared,
        api_key_id: caller.credential.api_key_id(),
        last_synced_at: None,
        created_at: now,
        updated_at: now,
    };
    check_rules(&link)?;
    let key = key_of(&*line.provider, &link.project_id);
    if !link.shared {
        conflict(&mut tx, &caller, &key, &link).await?;
    }
    let (link, is_new) = match tx.upsert_link(&link, &key).await {
        Ok(saved) => saved,
        Err(error) => return Err(lost(tx, &state, &caller, &key, &link, error).await),
    };
    let entry = caller.activity(
        state.ambient.new_id(),
        now,
        Action::LinkChanged,
        Some(&opened.access.vault),
        noted(if is_new { "created" } else { "updated" }, &link),
    );
    tx.insert_activity(&entry).await?;
    mark(&mut tx).await?;
    tx.commit().await?;
    Ok(Data(Linked {
        link: SavedLink {
            link: link.into(),
            is_new,
        },
    }))
}

/// Asks the provider for the project and its environment. An environment of the project's own is
/// saved by its name, however it was given, so that two links with one destination look alike.
async fn resolve(
    line: &Line,
    selection: &mut Selection,
) -> Result<(Project, Destination), ProviderError> {
    let (provider, session) = (&line.provider, &line.session);
    let project = provider.project(session, &selection.project_id).await?;
    let find = |name: String| {
        let (project_id, selection) = (&project.id, &*selection);
        async move {
            let target = Target {
                project_id,
                service_id: selection.service_id.as_deref(),
                environment: &name,
                branch: selection.git_branch.as_deref(),
            };
            provider.destination(session, &target).await
        }
    };
    let destination = find(selection.provider_environment.clone()).await?;
    let mut named = None;
    if destination.custom && destination.scope == selection.provider_environment {
        let built_in = provider.descriptor().environments.fixed;
        for name in &project.environments {
            if !built_in.contains(&name.as_str()) && find(name.clone()).await? == destination {
                named = Some(name.clone());
                break;
            }
        }
    }
    if let Some(name) = named {
        selection.provider_environment = name;
    }
    Ok((project, destination))
}

/// The key of a project that is given by its canonical id.
pub(super) fn key_of(provider: &dyn Provider, project_id: &str) -> String {
    project_key(
        provider.descriptor().name,
        provider.api_origin(),
        project_id,
    )
}

/// 409 when another vault is linked with the destination. It is named only to those who may see it.
pub(super) async fn conflict(
    tx: &mut Tx,
    caller: &Caller,
    project_key: &str,
    link: &Link,
) -> Result<(), ApiError> {
    for name in [&link.provider_environment, &link.scope] {
        let others = tx
            .other_link_vaults(
                project_key,
                link.service_id.as_deref(),
                name,
                link.git_branch.as_deref(),
                link.vault_id,
            )
            .await?;
        if others.is_empty() {
            continue;
        }
        let mut who = "another vault".to_owned();
        for other in others {
            if let Some(access) = tx.find_vault_by_id(caller.user.id, other).await? {
                who = format!("the vault {}", access.vault.repo_full_name());
                break;
            }
        }
        return Err(linked_with(&who));
    }
    Ok(())
}

/// What a link that could not be saved is answered with: the same as [`conflict`] when another vault
/// was linked in the same moment.
pub(super) async fn lost(
    tx: Tx,
    state: &ApiState,
    caller: &Caller,
    project_key: &str,
    link: &Link,
    error: StoreError,
) -> ApiError {
    if !matches!(error, StoreError::Conflict(Constraint::LinksHolder)) {
        return error.into();
    }
    // The refusal may have ended it.
    drop(tx);
    let named = async {
        let mut tx = state.store.begin_read().await?;
        conflict(&mut tx, caller, project_key, link).await
    };
    match named.await {
        Err(error) => error,
        Ok(()) => linked_with("another vault"),
    }
}

fn linked_with(who: &str) -> ApiError {
    ApiError::conflict(format!(
        "This destination is linked with {who}. Send \"shared\": true if both are to write to it."
    ))
}
