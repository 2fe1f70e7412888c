//! `DELETE /v1/api-keys/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use serde_json::json;

use super::ApiKeyPath;
use crate::auth::test_keys;
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::schema::{Guarded, Malformed, Missing};
use crate::state::ApiState;

/// Revoke an API key
///
/// From now on it is refused. 400 when it is revoked already.
#[utoipa::path(delete, path = "/v1/api-keys/{id}", tag = "api-keys", params(ApiKeyPath),
    responses((status = 204), Guarded, Missing, Malformed))]
pub(crate) async fn revoke_api_key(
    State(state): State<ApiState>,
    caller: Caller,
    Path(ApiKeyPath { id }): Path<ApiKeyPath>,
) -> Result<NoContent, ApiError> {
    caller.require(Scope::AdminApiKeys)?;
    let mut tx = state.store.begin().await?;
    let key = tx
        .find_api_key(caller.user.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("API key"))?;
    test_keys::may_manage(&caller, key.environment)?;
    let now = tx.now().await?;
    if !tx.revoke_api_key(caller.user.id, id, now).await? {
        return Err(ApiError::bad_request("API key is already revoked"));
    }
    let metadata = json!({ "keyName": key.name, "prefix": key.prefix });
    let action = Action::ApiKeyRevoked;
    caller
        .note(&mut tx, &state, now, action, None, metadata)
        .await?;
    tx.commit().await?;
    Ok(NoContent)
}
