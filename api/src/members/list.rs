//! `GET /v1/vaults/{owner}/{repo}/members`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;
use serde::Serialize;
use utoipa::ToSchema;

use super::MemberItem;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// The members of a vault.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Members {
    /// Oldest first.
    members: Vec<MemberItem>,
}

/// List members
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/members", tag = "members",
    params(VaultPath),
    responses((status = 200, body = Envelope<Members>), Guarded, Missing))]
pub(crate) async fn list_members(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
) -> Result<Data<Members>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    let members = tx.list_members(access.vault.id).await?;
    tx.commit().await?;
    Ok(Data(Members {
        members: members.into_iter().map(MemberItem::from).collect(),
    }))
}
