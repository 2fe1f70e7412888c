//! `POST /v1/vaults/{owner}/{repo}/secrets/{id}/versions/{version}/restore`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{VersionPath, open_secret};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// What was restored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestoredVersion {
    message: &'static str,
    key: String,
    /// Number of the version whose value it has now.
    version_number: i64,
}

/// Restore a version
///
/// Gives the secret the value of an old version. The value it had becomes a version.
#[utoipa::path(post,
    path = "/v1/vaults/{owner}/{repo}/secrets/{id}/versions/{version}/restore",
    tag = "secrets", params(VaultPath, VersionPath),
    responses((status = 200, body = Envelope<RestoredVersion>), Guarded, Missing, Conflicting))]
pub(crate) async fn restore_secret_version(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(VersionPath { id, version }): Path<VersionPath>,
) -> Result<Data<RestoredVersion>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Write).await?;
    let secret = open_secret(&mut tx, &caller, &access, id, Access::Write).await?;
    let vault = access.vault;
    let (value, number) = tx
        .version_value(vault.id, id, version)
        .await?
        .ok_or_else(|| ApiError::not_found("version"))?;
    let now = tx.now().await?;
    tx.put_secret(
        vault.id,
        secret.environment_id,
        &secret.key,
        &value,
        Some(caller.user.id),
        now,
    )
    .await?;
    let metadata = json!({
        "key": secret.key,
        "environment": secret.environment,
        "versionNumber": number,
    });
    let action = Action::SecretVersionRestored;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(Data(RestoredVersion {
        message: "The version was restored",
        key: secret.key,
        version_number: number,
    }))
}
