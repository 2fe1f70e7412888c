//! `GET /v1/integrations/jobs/{id}`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{AttemptBody, JobBody};
use crate::auth::roles;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// A job with the history of its runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobWithAttempts {
    #[serde(flatten)]
    job: JobBody,
    /// Its runs that have ended, in order.
    attempts: Vec<AttemptBody>,
}

/// Get a job
///
/// One job that you asked for or that belongs to a vault of yours: where it stands, how far it is,
/// what happened to each key, and what it answers. Needs `read:secrets`.
#[utoipa::path(
    get,
    path = "/v1/integrations/jobs/{id}",
    operation_id = "get_job",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = Envelope<JobWithAttempts>), Guarded, Missing)
)]
pub(crate) async fn get_job(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Data<JobWithAttempts>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    roles::of_job(&state, &caller, id).await?;
    let mut tx = state.store.begin_read().await?;
    let job = JobBody::load(&mut tx, caller.user.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("job"))?;
    let attempts = tx.list_attempts(id).await?;
    tx.commit().await?;
    if job.has_ended() {
        state.store.settle_on_disk().await?;
    }
    Ok(Data(JobWithAttempts {
        job,
        attempts: attempts.into_iter().map(AttemptBody::from).collect(),
    }))
}
