//! `DELETE /v1/integrations/vaults/{owner}/{repo}/sync/links/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;

use super::{LinkPath, connection_of, may_hold_back, may_run};
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Delete a link
///
/// What was synced stays on both sides; automatic runs that have not ended are cancelled. Needs
/// `write:secrets`, the role `write`, and the right to what its runs do or the connection that it uses.
#[utoipa::path(
    delete,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync/links/{id}",
    operation_id = "delete_link",
    tag = "sync",
    params(VaultPath, ("id" = Uuid, Path, description = "The link.")),
    responses((status = 204, description = "It is gone."), Guarded, Missing)
)]
pub(crate) async fn delete_link(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<LinkPath>,
) -> Result<NoContent, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let access = vault.open(&mut tx, &caller, Role::Write).await?;
    let link = tx
        .find_link(access.vault.id, path.id)
        .await?
        .ok_or_else(|| ApiError::not_found("link"))?;
    // Whoever may not do what it does does not end it either, but for its owner.
    if connection_of(&mut tx, &link).await?.user_id == caller.user.id {
        may_hold_back(&mut tx, &caller, &link).await?;
    } else {
        may_run(&mut tx, &caller, &access, &link).await?;
    }
    let now = tx.now().await?;
    tx.cancel_link_jobs(link.id, now).await?;
    if !tx.delete_link(access.vault.id, path.id).await? {
        return Err(ApiError::not_found("link"));
    }
    let entry = caller.activity(
        state.ambient.new_id(),
        now,
        Action::LinkChanged,
        Some(&access.vault),
        serde_json::json!({
            "change": "deleted",
            "link": link.id,
            "provider": link.provider,
            "environment": link.keyway_environment,
        }),
    );
    tx.insert_activity(&entry).await?;
    tx.commit().await?;
    Ok(NoContent)
}
