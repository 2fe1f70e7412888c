//! `DELETE /v1/vaults/{owner}/{repo}/trash/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde_json::json;

use super::SecretPath;
use crate::auth::test_keys;
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
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
    let vault = path.open(&mut tx, &caller, Role::Write).await?.vault;
    test_keys::may_touch_all(&mut tx, &caller, vault.id).await?;
    if !tx.purge_secret(vault.id, id).await? {
        return Err(ApiError::not_found("secret"));
    }
    let now = tx.now().await?;
    let metadata = json!({ "secretId": id, "count": 1 });
    let action = Action::SecretPermanentlyDeleted;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(NoContent)
}
