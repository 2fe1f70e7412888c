//! `PATCH /v1/vaults/{owner}/{repo}/secrets/{id}`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use keyway_shared::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{SecretItem, SecretPath, open_secret};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Path, VaultPath};
use crate::schema::{Body, Conflicting, Guarded, Missing};
use crate::state::ApiState;
use crate::validate::Checks;

/// What to change; at least one of both.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UpdateSecret {
    /// The new name; also taken as `name`.
    #[serde(alias = "name")]
    key: Option<String>,
    /// The new value.
    #[schema(value_type = Option<String>)]
    value: Option<Secret>,
}

/// Change a secret
///
/// Its name, its value, or both.
#[utoipa::path(patch, path = "/v1/vaults/{owner}/{repo}/secrets/{id}", tag = "secrets",
    params(VaultPath, SecretPath),
    responses((status = 200, body = Envelope<SecretItem>), Guarded, Missing, Body, Conflicting))]
pub(crate) async fn update_secret(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(SecretPath { id }): Path<SecretPath>,
    Json(body): Json<UpdateSecret>,
) -> Result<Data<SecretItem>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    if body.key.is_none() && body.value.is_none() {
        return Err(ApiError::bad_request("Give a key, a value, or both"));
    }
    let mut checks = Checks::default();
    if let Some(key) = &body.key {
        checks.secret_name("key", key);
    }
    if let Some(value) = &body.value {
        checks.secret_value("value", value);
    }
    checks.done()?;

    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Write).await?;
    let before = open_secret(&mut tx, &caller, &access, id, Access::Write).await?;
    let vault = access.vault;
    let now = tx.now().await?;
    let by = Some(caller.user.id);
    let key = body.key.unwrap_or_else(|| before.key.clone());
    if key != before.key {
        tx.rename_secret(vault.id, id, &key, by, now).await?;
    }
    if let Some(value) = &body.value {
        tx.put_secret(vault.id, before.environment_id, &key, value, by, now)
            .await?;
    }
    let after = tx
        .find_secret(vault.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("secret"))?;
    if after != before {
        let mut metadata = json!({ "key": after.key, "environment": after.environment });
        if after.key != before.key {
            metadata["oldKey"] = json!(before.key);
        }
        let action = Action::SecretUpdated;
        caller
            .note(&mut tx, &state, now, action, Some(&vault), metadata)
            .await?;
    }
    tx.commit().await?;
    Ok(Data(after.into()))
}
