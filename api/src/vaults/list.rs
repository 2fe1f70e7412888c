//! `GET /v1/vaults`

use axum::extract::State;
use keyway_shared::domain::account::Scope;

use super::VaultItem;
use crate::auth::roles;
use crate::envelope::{ListEnvelope, Listed};
use crate::error::ApiError;
use crate::extract::{Caller, Page};
use crate::schema::{Guarded, Invalid};
use crate::state::ApiState;

/// List vaults
///
/// The vaults that the caller is a member of, last changed first.
#[utoipa::path(get, path = "/v1/vaults", tag = "vaults", params(Page),
    responses((status = 200, body = ListEnvelope<VaultItem>), Guarded, Invalid))]
pub(crate) async fn list_vaults(
    State(state): State<ApiState>,
    caller: Caller,
    page: Page,
) -> Result<Listed<VaultItem>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    roles::of_all(&state, &caller).await?;
    let mut tx = state.store.begin_read().await?;
    let (vaults, total) = tx
        .list_vaults(caller.user.id, page.limit, page.offset)
        .await?;
    tx.commit().await?;
    let items = vaults.into_iter().map(VaultItem::from).collect();
    Ok(Listed::new(items, total, page))
}
