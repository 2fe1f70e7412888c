//! `PATCH /v1/vaults/{owner}/{repo}/environments/{name}`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{EnvironmentItem, EnvironmentPath, items};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Path, VaultPath, open_environment};
use crate::schema::{Body, Conflicting, Guarded, Missing};
use crate::state::ApiState;
use crate::validate::Checks;

/// The new name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RenameEnvironment {
    /// `^[a-z][a-z0-9_-]{1,29}$`
    new_name: String,
}

/// Both names, and all environments there are now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RenamedEnvironment {
    old_name: String,
    new_name: String,
    environments: Vec<EnvironmentItem>,
}

/// Rename an environment
///
/// Its secrets and links stay with it. Needs the role admin.
#[utoipa::path(patch, path = "/v1/vaults/{owner}/{repo}/environments/{name}",
    tag = "environments", params(VaultPath, EnvironmentPath),
    responses((status = 200, body = Envelope<RenamedEnvironment>),
        Guarded, Missing, Body, Conflicting))]
pub(crate) async fn rename_environment(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(EnvironmentPath { name }): Path<EnvironmentPath>,
    Json(body): Json<RenameEnvironment>,
) -> Result<Data<RenamedEnvironment>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut checks = Checks::default();
    checks.environment_name("newName", &body.new_name);
    checks.done()?;

    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Admin).await?;
    let environment = open_environment(&mut tx, &caller, &access, &name, Access::Write).await?;
    let vault = access.vault;
    let now = tx.now().await?;
    if body.new_name != name {
        tx.rename_environment(vault.id, environment.id, &body.new_name)
            .await?;
        tx.touch_vault(vault.id, now).await?;
        let metadata = json!({ "environment": body.new_name, "oldName": name });
        let action = Action::EnvironmentRenamed;
        caller
            .note(&mut tx, &state, now, action, Some(&vault), metadata)
            .await?;
    }
    let environments = items(tx.list_environments(vault.id).await?);
    tx.commit().await?;
    Ok(Data(RenamedEnvironment {
        old_name: name,
        new_name: body.new_name,
        environments,
    }))
}
