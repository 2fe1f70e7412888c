//! `DELETE /v1/operations/pauses/{id}`

use axum::extract::State;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::job::JobClass;
use uuid::Uuid;

use super::require_operator;
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Jobs of each class that are rung for at once; the sweepers find the rest.
const RUNG_AT_ONCE: i64 = 100;

/// Resume jobs
///
/// Ends a pause: what waited for it goes on. For operators.
#[utoipa::path(
    delete,
    path = "/v1/operations/pauses/{id}",
    operation_id = "delete_pause",
    tag = "operations",
    params(("id" = Uuid, Path, description = "The pause.")),
    responses((status = 204, description = "It is over."), Guarded, Missing)
)]
pub(crate) async fn delete_pause(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<NoContent, ApiError> {
    require_operator(&caller)?;
    let mut tx = state.store.begin().await?;
    let pause = tx.delete_pause(id).await?;
    let pause = pause.ok_or_else(|| ApiError::not_found("pause"))?;
    let now = tx.now().await?;
    let what = serde_json::json!({ "provider": pause.provider });
    caller
        .note(&mut tx, &state, now, Action::JobsResumed, None, what)
        .await?;
    let mut due = Vec::new();
    for class in [JobClass::Interactive, JobClass::Background] {
        let jobs = tx.due_jobs(class, RUNG_AT_ONCE).await?;
        due.extend(jobs.into_iter().map(|job| (job, class)));
    }
    tx.commit().await?;
    for (job, class) in due {
        state.queue.ring(job, class).await;
    }
    Ok(NoContent)
}
