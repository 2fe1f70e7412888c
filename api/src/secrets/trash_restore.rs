//! `POST /v1/vaults/{owner}/{repo}/trash/{id}/restore`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use keyway_shared::store::StoreError;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{SecretPath, open_secret};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Conflicting, Guarded, Invalid, Missing};
use crate::state::ApiState;

/// What lives again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestoredSecret {
    id: Uuid,
    key: String,
    environment: String,
    message: &'static str,
}

/// Restore a secret from the trash
///
/// 409 when a secret of its name exists again.
#[utoipa::path(post, path = "/v1/vaults/{owner}/{repo}/trash/{id}/restore", tag = "trash",
    params(VaultPath, SecretPath),
    responses((status = 200, body = Envelope<RestoredSecret>),
        Guarded, Missing, Invalid, Conflicting))]
pub(crate) async fn restore_secret(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(SecretPath { id }): Path<SecretPath>,
) -> Result<Data<RestoredSecret>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Write).await?;
    let now = tx.now().await?;
    tx.restore_secret(access.vault.id, id, now)
        .await
        .map_err(|error| match error {
            StoreError::RowsAffected { .. } => ApiError::not_found("secret"),
            error => error.into(),
        })?;
    let secret = open_secret(&mut tx, &caller, &access, id, Access::Write).await?;
    let vault = access.vault;
    let metadata = json!({ "key": secret.key, "environment": secret.environment });
    let action = Action::SecretRestored;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(Data(RestoredSecret {
        id,
        key: secret.key,
        environment: secret.environment,
        message: "The secret was restored",
    }))
}
