//! `GET /v1/vaults/{owner}/{repo}/secrets/{id}/versions/{version}/value`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use keyway_shared::secret::Secret;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{VersionPath, open_secret};
use crate::envelope::{Data, Envelope, shown};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// An old value.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionValue {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    value: Secret,
    version_number: i64,
}

/// Read a version's value
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/secrets/{id}/versions/{version}/value",
    tag = "secrets", params(VaultPath, VersionPath),
    responses((status = 200, body = Envelope<VersionValue>), Guarded, Missing, Conflicting))]
pub(crate) async fn get_secret_version_value(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(VersionPath { id, version }): Path<VersionPath>,
) -> Result<Data<VersionValue>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    let secret = open_secret(&mut tx, &caller, &access, id, Access::Read).await?;
    let vault = access.vault;
    let (value, number) = tx
        .version_value(vault.id, id, version)
        .await?
        .ok_or_else(|| ApiError::not_found("version"))?;
    let now = tx.now().await?;
    let metadata = json!({
        "key": secret.key,
        "environment": secret.environment,
        "versionNumber": number,
    });
    let action = Action::SecretVersionValueAccessed;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(Data(VersionValue {
        value,
        version_number: number,
    }))
}
