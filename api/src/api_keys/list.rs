//! `GET /v1/api-keys`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiKeyItem;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::schema::Guarded;
use crate::state::ApiState;

/// The caller's keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeys {
    /// Newest first.
    keys: Vec<ApiKeyItem>,
}

/// List API keys
///
/// The caller's own, revoked and expired ones too.
#[utoipa::path(get, path = "/v1/api-keys", tag = "api-keys",
    responses((status = 200, body = Envelope<ApiKeys>), Guarded))]
pub(crate) async fn list_api_keys(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Data<ApiKeys>, ApiError> {
    caller.require(Scope::AdminApiKeys)?;
    let mut tx = state.store.begin_read().await?;
    let keys = tx.list_api_keys(caller.user.id).await?;
    tx.commit().await?;
    let now = state.ambient.now();
    Ok(Data(ApiKeys {
        keys: keys
            .into_iter()
            .map(|key| ApiKeyItem::of(key, now))
            .collect(),
    }))
}
