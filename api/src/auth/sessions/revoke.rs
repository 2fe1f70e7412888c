//! `DELETE /v1/auth/sessions/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use serde_json::json;
use uuid::Uuid;

use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Revoke a session
///
/// From now on its token is refused everywhere. Needs `admin:api-keys`.
#[utoipa::path(delete, path = "/v1/auth/sessions/{id}", tag = "auth",
    params(("id" = Uuid, Path, description = "The session.")),
    responses((status = 204), Guarded, Missing))]
pub(crate) async fn revoke_session(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<NoContent, ApiError> {
    caller.require(Scope::AdminApiKeys)?;
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    if !tx.delete_session(caller.user.id, id).await? {
        return Err(ApiError::not_found("session"));
    }
    let metadata = json!({ "sessionId": id });
    caller
        .note(&mut tx, &state, now, Action::SessionRevoked, None, metadata)
        .await?;
    tx.commit().await?;
    Ok(NoContent)
}
