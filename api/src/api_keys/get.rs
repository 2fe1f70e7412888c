//! `GET /v1/api-keys/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;

use super::{ApiKeyItem, ApiKeyPath};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Get an API key
#[utoipa::path(get, path = "/v1/api-keys/{id}", tag = "api-keys", params(ApiKeyPath),
    responses((status = 200, body = Envelope<ApiKeyItem>), Guarded, Missing))]
pub(crate) async fn get_api_key(
    State(state): State<ApiState>,
    caller: Caller,
    Path(ApiKeyPath { id }): Path<ApiKeyPath>,
) -> Result<Data<ApiKeyItem>, ApiError> {
    caller.require(Scope::AdminApiKeys)?;
    let mut tx = state.store.begin_read().await?;
    let key = tx
        .find_api_key(caller.user.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("API key"))?;
    tx.commit().await?;
    Ok(Data(ApiKeyItem::of(key, state.ambient.now())))
}
