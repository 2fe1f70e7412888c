//! `DELETE /v1/vaults/{owner}/{repo}/secrets/{id}`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{SecretPath, open_secret};
use crate::envelope::{Data, Envelope, Timestamp};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;
use crate::validate::TRASH_KEEPS;

/// What lies in the trash now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrashedSecret {
    id: Uuid,
    key: String,
    environment: String,
    deleted_at: Timestamp,
    /// When the trash forgets it.
    expires_at: Timestamp,
    message: &'static str,
}

/// Delete a secret
///
/// Moves it to the trash, which keeps it for 30 days.
#[utoipa::path(delete, path = "/v1/vaults/{owner}/{repo}/secrets/{id}", tag = "secrets",
    params(VaultPath, SecretPath),
    responses((status = 200, body = Envelope<TrashedSecret>), Guarded, Missing))]
pub(crate) async fn delete_secret(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(SecretPath { id }): Path<SecretPath>,
) -> Result<Data<TrashedSecret>, ApiError> {
    caller.require(Scope::DeleteSecrets)?;
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Write).await?;
    let secret = open_secret(&mut tx, &caller, &access, id, Access::Write).await?;
    let vault = access.vault;
    let now = tx.now().await?;
    let expires_at = now + TRASH_KEEPS;
    if !tx.trash_secret(vault.id, id, now, expires_at).await? {
        return Err(ApiError::not_found("secret"));
    }
    let metadata = json!({ "key": secret.key, "environment": secret.environment });
    let action = Action::SecretTrashed;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(Data(TrashedSecret {
        id,
        key: secret.key,
        environment: secret.environment,
        deleted_at: now.into(),
        expires_at: expires_at.into(),
        message: "The secret was moved to the trash",
    }))
}
