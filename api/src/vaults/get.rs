//! `GET /v1/vaults/{owner}/{repo}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;

use super::VaultItem;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Get a vault
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}", tag = "vaults", params(VaultPath),
    responses((status = 200, body = Envelope<VaultItem>), Guarded, Missing))]
pub(crate) async fn get_vault(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
) -> Result<Data<VaultItem>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    let summary = tx
        .vault_summary(caller.user.id, access.vault.id)
        .await?
        .ok_or_else(|| ApiError::not_found("vault"))?;
    tx.commit().await?;
    Ok(Data(summary.into()))
}
