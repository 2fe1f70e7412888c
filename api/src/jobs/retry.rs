//! `POST /v1/integrations/jobs/{id}/retry`

use axum::extract::State;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::job::{Job, JobKind};
use keyway_shared::store::Tx;
use uuid::Uuid;

use super::JobBody;
use super::document::location;
use super::running::document;
use crate::auth::roles;
use crate::envelope::{Accepted, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::integrations::outside;
use crate::integrations::sync::open::{Opened, accept};
use crate::integrations::sync::{read_scopes, scopes};
use crate::schema::{Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// Run a job again
///
/// Makes a new job of the request of one that has ended; its `retryOf` names that one. Everything that
/// the request needed is looked at anew: the key's scopes, your role, the environment with its rules, and
/// the connection, which must be yours. A plan can be used once, so a sync that carried one out is 409
/// `plan-stale`: preview again.
#[utoipa::path(
    post,
    path = "/v1/integrations/jobs/{id}/retry",
    operation_id = "retry_job",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job that has ended.")),
    responses(
        (status = 202, description = "The new job.", body = Envelope<JobBody>,
            headers(("Location" = String, description = "The new job."))),
        Guarded, Missing, Conflicting
    )
)]
pub(crate) async fn retry_job(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Accepted<JobBody>, ApiError> {
    roles::of_job(&state, &caller, id).await?;
    let mut tx = state.store.begin().await?;
    let view = tx.find_job(caller.user.id, id).await?;
    let job = view.ok_or_else(|| ApiError::not_found("job"))?.job;
    // First what the caller may: the state of a job is nothing that every key may ask for.
    let opened = open(&mut tx, &state, &caller, &job).await?;
    if !job.state.is_final() {
        return Err(ApiError::conflict("The job has not ended yet"));
    }
    let now = tx.now().await?;
    let what = serde_json::json!({ "jobId": id, "kind": job.kind });
    let vault = Some(&opened.access.vault);
    caller
        .note(&mut tx, &state, now, Action::JobRetried, vault, what)
        .await?;
    let Job { kind, request, .. } = job;
    let pending = accept(tx, &state, &caller, opened, kind, request, Some(id)).await?;
    Ok(Accepted {
        data: document(&state, &caller, pending.id()).await?,
        location: location(pending.id()),
    })
}

/// What the job's ids stand for now, if the caller may still ask for it.
async fn open(
    tx: &mut Tx,
    state: &ApiState,
    caller: &Caller,
    job: &Job,
) -> Result<Opened, ApiError> {
    let request = &job.request;
    let scopes = match job.kind {
        JobKind::Sync => scopes(request.direction, request.allow_delete),
        JobKind::Preview | JobKind::Diff | JobKind::Status => read_scopes(),
        // Seen with its webhook only.
        JobKind::Webhook => return Err(ApiError::not_found("job")),
    };
    caller.require_all(&scopes)?;
    let access = tx.find_vault_by_id(caller.user.id, job.vault_id).await?;
    let access = access.ok_or_else(|| ApiError::not_found("vault"))?;
    let environment = tx
        .find_environment_by_id(job.vault_id, job.environment_id)
        .await?
        .ok_or_else(|| ApiError::not_found("environment"))?;
    caller
        .asker(access.role)
        .may_run(job.kind, request, &environment)?;
    let connection = tx
        .find_connection(caller.user.id, job.connection_id)
        .await?
        .ok_or_else(|| ApiError::not_found("connection"))?;
    let provider = outside::provider(state, connection.provider)?;
    outside::usable(&connection)?;
    Ok(Opened {
        access,
        environment,
        connection,
        provider,
    })
}
