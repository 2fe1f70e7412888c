//! `DELETE /v1/vaults/{owner}/{repo}/members/{user}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::keep_an_admin;
use crate::auth::{roles, test_keys};
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// The member.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct MemberPath {
    /// Login name or id of the user.
    user: String,
}

/// Remove a member
///
/// Needs the role admin; everybody may leave. The last admin stays.
#[utoipa::path(delete, path = "/v1/vaults/{owner}/{repo}/members/{user}", tag = "members",
    params(VaultPath, MemberPath),
    responses((status = 204), Guarded, Missing, Conflicting))]
pub(crate) async fn remove_member(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(MemberPath { user }): Path<MemberPath>,
) -> Result<NoContent, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    roles::are_given_here(&state)?;
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    let vault = access.vault;
    test_keys::may_touch_all(&mut tx, &caller, vault.id).await?;
    let member = tx
        .list_members(vault.id)
        .await?
        .into_iter()
        .find(|member| {
            member.username.eq_ignore_ascii_case(&user) || member.user_id.to_string() == user
        })
        .ok_or_else(|| ApiError::not_found("member"))?;
    if member.user_id != caller.user.id && access.role < Role::Admin {
        return Err(ApiError::role(Role::Admin, access.role));
    }
    keep_an_admin(&mut tx, vault.id, &member).await?;
    if !tx.remove_member(vault.id, member.user_id).await? {
        return Err(ApiError::not_found("member"));
    }
    let now = tx.now().await?;
    let metadata = json!({ "username": member.username, "previousRole": member.role });
    let action = Action::PermissionChanged;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(NoContent)
}
