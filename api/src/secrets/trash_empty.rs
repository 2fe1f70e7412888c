//! `DELETE /v1/vaults/{owner}/{repo}/trash`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath, admit_all};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// How much was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmptiedTrash {
    deleted: i64,
    message: String,
}

/// Empty the trash
///
/// For good, of every environment: each must be one that the caller may change.
#[utoipa::path(delete, path = "/v1/vaults/{owner}/{repo}/trash", tag = "trash",
    params(VaultPath),
    responses((status = 200, body = Envelope<EmptiedTrash>), Guarded, Missing))]
pub(crate) async fn empty_trash(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
) -> Result<Data<EmptiedTrash>, ApiError> {
    caller.require(Scope::DeleteSecrets)?;
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Write).await?;
    admit_all(&mut tx, &caller, &access, Access::Write).await?;
    let vault = access.vault;
    let deleted = tx.purge_trash(vault.id).await?;
    if deleted > 0 {
        let now = tx.now().await?;
        let action = Action::SecretPermanentlyDeleted;
        let metadata = json!({ "count": deleted });
        caller
            .note(&mut tx, &state, now, action, Some(&vault), metadata)
            .await?;
    }
    tx.commit().await?;
    Ok(Data(EmptiedTrash {
        deleted,
        message: format!("{deleted} secrets were deleted for good"),
    }))
}
