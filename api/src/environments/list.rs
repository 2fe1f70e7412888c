//! `GET /v1/vaults/{owner}/{repo}/environments`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;
use serde::Serialize;
use utoipa::ToSchema;

use super::{EnvironmentItem, items};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// The environments of a vault.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Environments {
    /// In order of display.
    environments: Vec<EnvironmentItem>,
}

/// List environments
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/environments", tag = "environments",
    params(VaultPath),
    responses((status = 200, body = Envelope<Environments>), Guarded, Missing))]
pub(crate) async fn list_environments(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
) -> Result<Data<Environments>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    let environments = items(tx.list_environments(access.vault.id).await?);
    tx.commit().await?;
    Ok(Data(Environments { environments }))
}
