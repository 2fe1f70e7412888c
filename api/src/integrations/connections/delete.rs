//! `DELETE /v1/integrations/connections/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use uuid::Uuid;

use crate::auth::test_keys;
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Delete a connection
///
/// Forgets the credential and cancels its jobs: those that wait end now, one that runs stops before its
/// next call. What was synced stays at the provider. Links that use it stay and pause as `disconnected`:
/// connecting the same account again brings the connection back and lets them go on, and each can be given
/// another connection. Needs `write:secrets`; a test key ends none that production uses.
#[utoipa::path(
    delete,
    path = "/v1/integrations/connections/{id}",
    operation_id = "delete_connection",
    tag = "integrations",
    params(("id" = Uuid, Path, description = "The connection.")),
    responses((status = 204, description = "It is gone."), Guarded, Missing)
)]
pub(crate) async fn delete_connection(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<NoContent, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let connection = tx
        .find_connection(caller.user.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("connection"))?;
    test_keys::may_change_connection(&mut tx, &caller, id).await?;
    let now = tx.now().await?;
    let cancelled = tx.cancel_connection_jobs(id, now).await?;
    let links = tx
        .disconnect(caller.user.id, id, now)
        .await?
        .ok_or_else(|| ApiError::not_found("connection"))?;
    let entry = caller.activity(
        state.ambient.new_id(),
        now,
        Action::IntegrationDisconnected,
        None,
        serde_json::json!({
            "provider": connection.provider,
            "cancelledJobs": cancelled.len(),
            "pausedLinks": links,
        }),
    );
    tx.insert_activity(&entry).await?;
    tx.commit().await?;
    for (job, _) in cancelled {
        state.queue.announce(job).await;
    }
    Ok(NoContent)
}
