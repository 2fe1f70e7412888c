//! `DELETE /v1/vaults/{owner}/{repo}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde_json::json;

use crate::auth::test_keys;
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Delete a vault
///
/// With its environments, secrets, versions, trash and links, for good. Needs the role admin.
#[utoipa::path(delete, path = "/v1/vaults/{owner}/{repo}", tag = "vaults", params(VaultPath),
    responses((status = 204), Guarded, Missing))]
pub(crate) async fn delete_vault(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
) -> Result<NoContent, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let vault = path.open(&mut tx, &caller, Role::Admin).await?.vault;
    test_keys::may_touch_all(&mut tx, &caller, vault.id).await?;
    let now = tx.now().await?;
    if !tx.delete_vault(caller.user.id, vault.id).await? {
        return Err(ApiError::not_found("vault"));
    }
    let action = Action::VaultDeleted;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), json!({}))
        .await?;
    tx.commit().await?;
    Ok(NoContent)
}
