//! `PATCH /v1/vaults/{owner}/{repo}/environments/{name}/type`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::{EnvironmentKind, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{EnvironmentItem, EnvironmentPath};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Path, VaultPath, admit, open_environment};
use crate::schema::{Body, Guarded, Missing};
use crate::state::ApiState;

/// The new type.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SetEnvironmentType {
    /// `development`, `standard` or `protected`.
    #[schema(value_type = String, example = "protected")]
    r#type: EnvironmentKind,
}

/// The environment as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TypedEnvironment {
    environment: EnvironmentItem,
}

/// Set the type of an environment
///
/// How carefully it is treated. Needs the role admin.
#[utoipa::path(patch, path = "/v1/vaults/{owner}/{repo}/environments/{name}/type",
    tag = "environments", params(VaultPath, EnvironmentPath),
    responses((status = 200, body = Envelope<TypedEnvironment>), Guarded, Missing, Body))]
pub(crate) async fn set_environment_type(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(EnvironmentPath { name }): Path<EnvironmentPath>,
    Json(body): Json<SetEnvironmentType>,
) -> Result<Data<TypedEnvironment>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Admin).await?;
    let mut environment = open_environment(&mut tx, &caller, &access, &name, Access::Write).await?;
    let before = std::mem::replace(&mut environment.kind, body.r#type);
    // A test key makes none that it could not touch.
    admit(&caller, &access, &environment, Access::Write)?;
    let vault = access.vault;
    let now = tx.now().await?;
    tx.set_environment_kind(vault.id, environment.id, body.r#type)
        .await?;
    tx.touch_vault(vault.id, now).await?;
    let metadata = json!({
        "environment": name,
        "type": body.r#type,
        "previousType": before,
    });
    let action = Action::PermissionChanged;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(Data(TypedEnvironment {
        environment: environment.into(),
    }))
}
