//! `DELETE /v1/vaults/{owner}/{repo}/trash/{id}`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde_json::json;

use super::SecretPath;
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath, open_environment_by_id};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Delete a secret from the trash
///
/// For good, with its versions.
#[utoipa::path(delete, path = "/v1/vaults/{owner}/{repo}/trash/{id}", tag = "trash",
    params(VaultPath, SecretPath), responses((status = 204), Guarded, Missing))]
pub(crate) async fn delete_trashed_secret(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(SecretPath { id }): Path<SecretPath>,
) -> Result<NoContent, ApiError> {
    caller.require(Scope::DeleteSecrets)?;
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Write).await?;
    let secret = tx
        .find_trashed_secret(access.vault.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("secret"))?;
    let environment = secret.environment_id;
    open_environment_by_id(&mut tx, &caller, &access, environment, Access::Write).await?;
    let vault = access.vault;
    if !tx.purge_secret(vault.id, id).await? {
        return Err(ApiError::not_found("secret"));
    }
    let now = tx.now().await?;
    let metadata = json!({
        "secretId": id,
        "key": secret.key,
        "environment": secret.environment,
        "count": 1,
    });
    let action = Action::SecretPermanentlyDeleted;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(NoContent)
}
