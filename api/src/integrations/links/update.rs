//! `PATCH /v1/integrations/vaults/{owner}/{repo}/sync/links/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::connection::ConnectionStatus;
use keyway_shared::domain::link::Link;
use keyway_shared::domain::vault::{Role, VaultAccess};
use keyway_shared::store::Tx;
use keyway_shared::sync::options::{DeleteScope, Direction};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::another_connection::{has_one, hold, reaches};
use super::auto_sync::AutoSync;
use super::create::{conflict, key_of, lost};
use super::{
    LinkPath, OneLink, check_rules, connection_of, disconnected, may_hold_back, may_run, noted,
};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Change, Path, Strict, VaultPath};
use crate::integrations::outside;
use crate::integrations::sync::selection::can_be_done;
use crate::schema::{Body, Conflicting, Guarded, Missing, Outside};
use crate::state::ApiState;

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkChange {
    /// Another connection, one of yours with the same provider, which has to reach the destination.
    connection_id: Option<Uuid>,
    /// Which side is copied from.
    #[schema(value_type = Option<String>, pattern = "^(push|pull)$")]
    direction: Option<Direction>,
    /// Whether automatic runs may delete.
    allow_delete: Option<bool>,
    /// What they may delete.
    #[schema(value_type = Option<String>, pattern = "^(all|managed)$")]
    delete_scope: Option<DeleteScope>,
    /// Whether values that refer to other variables at the provider are meant to.
    allow_references: Option<bool>,
    /// Whether pushes put into effect what they wrote.
    rollout: Option<bool>,
    /// Whether another vault may be linked with the same destination.
    shared: Option<bool>,
    /// Globs of the keys that take part; `null`: all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 100)]
    include: Change<Vec<String>>,
    /// Globs of keys that do not; `null`: none.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 100)]
    exclude: Change<Vec<String>>,
    /// What the names of the keys that take part begin with; `null`: anything.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256)]
    prefix: Change<String>,
    /// When it syncs by itself.
    auto_sync: Option<AutoSync>,
    /// Whether syncs of this pair, by hand or by themselves, wait. `false` also ends a pause that had
    /// another reason.
    paused: Option<bool>,
}

impl LinkChange {
    /// Whether it only lets the link do less: pauses it, or no longer lets it delete, write references or roll out.
    fn holds_back_only(&self) -> bool {
        let Self {
            connection_id: None,
            direction: None,
            allow_delete: None | Some(false),
            delete_scope: None,
            allow_references: None | Some(false),
            rollout: None | Some(false),
            shared: None,
            include: Change::Stays,
            exclude: Change::Stays,
            prefix: Change::Stays,
            auto_sync: None,
            paused: None | Some(true),
        } = self
        else {
            return false;
        };
        true
    }
}

/// 403 unless the caller may change the link as it is, 409 for one that has to be given a connection first.
async fn may_begin(
    tx: &mut Tx,
    caller: &Caller,
    access: &VaultAccess,
    link: &Link,
    change: &LinkChange,
) -> Result<(), ApiError> {
    // Rules may have risen since it was saved: its owner can still stop it.
    if change.holds_back_only() {
        may_hold_back(tx, caller, link).await?;
    } else {
        may_run(tx, caller, access, link).await?;
    }
    if change.connection_id.is_some() {
        // Its owner may be about to connect again.
        tx.lock_connection(link.connection_id).await?;
    }
    let connection = connection_of(tx, link).await?;
    let is_disconnected = connection.status == ConnectionStatus::Disconnected;
    if connection.user_id != caller.user.id && !(is_disconnected && change.connection_id.is_some())
    {
        return Err(ApiError::forbidden(
            "Only the owner of the link's connection may change the link",
        ));
    }
    if is_disconnected && change.connection_id.is_none() && change.paused == Some(false) {
        return Err(disconnected());
    }
    Ok(())
}

/// Change a link
///
/// Changes what automatic runs do, when, whether they pause, and with which connection; the destination
/// stays. Only the owner of the link's connection may; a link whose connection was deleted is given another
/// one by whoever might save it with that. Then the provider is asked whether the connection reaches the
/// destination, and the link goes on unless somebody paused it. Runs that have not ended are cancelled.
/// Unknown fields are refused. Needs `write:secrets`, the role `write`, and the right to what its runs did
/// and do, which its owner need not have to pause it or to stop it from deleting; a link that may delete with another connection, and `allowDelete`, also need `delete:secrets`.
#[utoipa::path(
    patch,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync/links/{id}",
    operation_id = "update_link",
    tag = "sync",
    params(VaultPath, ("id" = Uuid, Path, description = "The link.")),
    request_body = LinkChange,
    responses(
        (status = 200, description = "The link.", body = Envelope<OneLink>),
        Guarded, Missing, Conflicting, Body, Outside
    )
)]
pub(crate) async fn update_link(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<LinkPath>,
    Strict(change): Strict<LinkChange>,
) -> Result<Data<OneLink>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    if change.allow_delete == Some(true) {
        caller.require(Scope::DeleteSecrets)?;
    }
    if let Some(id) = change.connection_id {
        reaches(&state, &caller, &vault, path.id, id).await?;
    }
    // The rights may have changed while the provider was asked.
    let mut tx = state.store.begin().await?;
    let access = vault.open(&mut tx, &caller, Role::Write).await?;
    let mut link = tx
        .find_link(access.vault.id, path.id)
        .await?
        .ok_or_else(|| ApiError::not_found("link"))?;
    may_begin(&mut tx, &caller, &access, &link, &change).await?;
    let holds_back = change.holds_back_only();
    let now = tx.now().await?;
    if let Some(auto_sync) = &change.auto_sync {
        link.auto_sync = auto_sync.check(now)?;
    }
    link.include = change.include.of(link.include);
    link.exclude = change.exclude.of(link.exclude);
    link.prefix = change.prefix.of(link.prefix);
    link.direction = change.direction.unwrap_or(link.direction);
    link.allow_delete = change.allow_delete.unwrap_or(link.allow_delete);
    link.delete_scope = change.delete_scope.unwrap_or(link.delete_scope);
    link.allow_references = change.allow_references.unwrap_or(link.allow_references);
    link.rollout = change.rollout.unwrap_or(link.rollout);
    let was_held = link.upkeep.is_held();
    if let Some(id) = change.connection_id.filter(|id| *id != link.connection_id) {
        if link.allow_delete {
            caller.require(Scope::DeleteSecrets)?;
        }
        hold(&mut tx, &caller, id).await?;
        link.connection_id = id;
        link.upkeep.reconnect();
    }
    if let Some(paused) = change.paused {
        link.upkeep.request_pause(paused, now);
    }
    let resumes = was_held && !link.upkeep.is_held();
    check_rules(&link)?;
    if !holds_back {
        may_run(&mut tx, &caller, &access, &link).await?;
        link.api_key_id = caller.credential.api_key_id();
    }
    let provider = outside::provider(&state, link.provider)?;
    can_be_done(&link.request(), provider.descriptor())?;
    let key = key_of(&*provider, &link.project_id);
    if link.shared && change.shared == Some(false) {
        conflict(&mut tx, &caller, &key, &link).await?;
    }
    link.shared = change.shared.unwrap_or(link.shared);
    link.updated_at = now;
    if let Err(error) = tx.update_link(&link).await {
        if let Some(refusal) = has_one(&error) {
            return Err(refusal);
        }
        return Err(lost(tx, &state, &caller, &key, &link, error).await);
    }
    let entry = caller.activity(
        state.ambient.new_id(),
        now,
        Action::LinkChanged,
        Some(&access.vault),
        noted("updated", &link),
    );
    tx.insert_activity(&entry).await?;
    // With the times that follow from the change.
    let link = tx
        .find_link(access.vault.id, link.id)
        .await?
        .ok_or_else(|| ApiError::not_found("link"))?;
    let next = if resumes {
        tx.next_in_project(&key, now).await?
    } else {
        None
    };
    tx.commit().await?;
    if let Some((job, class)) = next {
        state.queue.ring(job, class).await;
    }
    Ok(Data(OneLink { link: link.into() }))
}
