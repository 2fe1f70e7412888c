//! `POST /v1/vaults/{owner}/{repo}/members`

use axum::extract::State;
use axum::http::StatusCode;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::{Member, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{MemberItem, keep_an_admin};
use crate::auth::{roles, test_keys};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json, VaultPath};
use crate::schema::{Body, Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// Who is to be a member, and what they may do.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AddMember {
    /// Login name of the user.
    username: String,
    /// `read`, `write` or `admin`.
    #[schema(value_type = String, example = "write")]
    role: Role,
}

/// A member as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddedMember {
    member: MemberItem,
}

/// Add a member
///
/// Or change a member's role. Needs the role admin; the last admin stays one.
#[utoipa::path(post, path = "/v1/vaults/{owner}/{repo}/members", tag = "members",
    params(VaultPath),
    responses(
        (status = 201, description = "Added.", body = Envelope<AddedMember>),
        (status = 200, description = "The role was changed.", body = Envelope<AddedMember>),
        Guarded, Missing, Body, Conflicting))]
pub(crate) async fn add_member(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Json(body): Json<AddMember>,
) -> Result<(StatusCode, Data<AddedMember>), ApiError> {
    caller.require(Scope::WriteSecrets)?;
    roles::are_given_here(&state)?;
    let mut tx = state.store.begin().await?;
    let vault = path.open(&mut tx, &caller, Role::Admin).await?.vault;
    test_keys::may_touch_all(&mut tx, &caller, vault.id).await?;
    let user = tx
        .find_user_by_name(&body.username)
        .await?
        .ok_or_else(|| ApiError::not_found("user"))?;
    let before = tx
        .list_members(vault.id)
        .await?
        .into_iter()
        .find(|member| member.user_id == user.id);
    if let Some(member) = &before
        && body.role != Role::Admin
    {
        keep_an_admin(&mut tx, vault.id, member).await?;
    }
    let now = tx.now().await?;
    tx.upsert_member(vault.id, user.id, body.role, now).await?;
    let metadata = json!({
        "username": user.username,
        "role": body.role,
        "previousRole": before.as_ref().map(|member| member.role),
    });
    let action = Action::PermissionChanged;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;

    let status = if before.is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let member = Member {
        user_id: user.id,
        username: user.username,
        role: body.role,
        created_at: before.map_or(now, |member| member.created_at),
    };
    Ok((
        status,
        Data(AddedMember {
            member: member.into(),
        }),
    ))
}
