//! `DELETE /v1/vaults/{owner}/{repo}/environments/{name}`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{EnvironmentItem, EnvironmentPath, items};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath, open_environment};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// What was deleted, and what is left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedEnvironment {
    /// Name of the environment that is gone.
    deleted: String,
    environments: Vec<EnvironmentItem>,
}

/// Delete an environment
///
/// With its secrets, versions, trash and links, for good. Needs the role admin.
#[utoipa::path(delete, path = "/v1/vaults/{owner}/{repo}/environments/{name}",
    tag = "environments", params(VaultPath, EnvironmentPath),
    responses((status = 200, body = Envelope<DeletedEnvironment>), Guarded, Missing))]
pub(crate) async fn delete_environment(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(EnvironmentPath { name }): Path<EnvironmentPath>,
) -> Result<Data<DeletedEnvironment>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Admin).await?;
    let environment = open_environment(&mut tx, &caller, &access, &name, Access::Write).await?;
    let vault = access.vault;
    let count = tx.count_secrets(environment.id).await?;
    let now = tx.now().await?;
    if !tx.delete_environment(vault.id, environment.id).await? {
        return Err(ApiError::not_found("environment"));
    }
    tx.touch_vault(vault.id, now).await?;
    let metadata = json!({ "environment": name, "count": count });
    let action = Action::EnvironmentDeleted;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    let environments = items(tx.list_environments(vault.id).await?);
    tx.commit().await?;
    Ok(Data(DeletedEnvironment {
        deleted: name,
        environments,
    }))
}
