//! `GET /v1/integrations/vaults/{owner}/{repo}/sync/links/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;

use super::{LinkBody, LinkPath, OneLink};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Get a link
///
/// One of the vault's links. Needs `read:secrets`.
#[utoipa::path(
    get,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync/links/{id}",
    operation_id = "get_link",
    tag = "sync",
    params(VaultPath, ("id" = Uuid, Path, description = "The link.")),
    responses((status = 200, description = "The link.", body = Envelope<OneLink>), Guarded, Missing)
)]
pub(crate) async fn get_link(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<LinkPath>,
) -> Result<Data<OneLink>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let access = vault.open(&mut tx, &caller, Role::Read).await?;
    let link = tx
        .find_link(access.vault.id, path.id)
        .await?
        .ok_or_else(|| ApiError::not_found("link"))?;
    let environments = tx.list_environments(access.vault.id).await?;
    tx.commit().await?;
    let link = LinkBody::shown(link, &environments, caller.asker(access.role));
    Ok(Data(OneLink { link }))
}
