//! `GET /v1/integrations/vaults/{owner}/{repo}/sync/links`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;
use serde::Serialize;
use utoipa::ToSchema;

use super::LinkBody;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// A vault's links.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Links {
    links: Vec<LinkBody>,
}

/// List links
///
/// The vault's links, oldest first. Needs `read:secrets`.
#[utoipa::path(
    get,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync/links",
    operation_id = "list_links",
    tag = "sync",
    params(VaultPath),
    responses((status = 200, description = "The links.", body = Envelope<Links>), Guarded, Missing)
)]
pub(crate) async fn list_links(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
) -> Result<Data<Links>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    let links = tx.list_links(access.vault.id).await?;
    let environments = tx.list_environments(access.vault.id).await?;
    tx.commit().await?;
    let asker = caller.asker(access.role);
    let links = links
        .into_iter()
        .map(|link| LinkBody::shown(link, &environments, asker))
        .collect();
    Ok(Data(Links { links }))
}
