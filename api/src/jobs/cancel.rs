//! `POST /v1/integrations/jobs/{id}/cancel`

use axum::extract::State;
use keyway_shared::domain::access::may_touch;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::job::{Job, JobKind};
use keyway_shared::domain::vault::{EnvironmentKind, Role, VaultAccess};
use keyway_shared::store::{Cancelled, Tx};
use uuid::Uuid;

use super::JobBody;
use super::document::location;
use crate::auth::roles;
use crate::envelope::{Accepted, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::integrations::sync;
use crate::schema::{Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// Cancel a job
///
/// A job that nobody runs yet ends at once. One that runs stops before its next call to the provider,
/// and its outcomes tell what it had done. A job that several equal requests share ends with the last
/// of them; each call takes one back. Whoever asked for a job may cancel it, and so may members of its
/// vault with the role `write` who could ask for the same, and who end it for everybody. The key needs the
/// scopes that the job itself needs.
#[utoipa::path(
    post,
    path = "/v1/integrations/jobs/{id}/cancel",
    operation_id = "cancel_job",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job.")),
    responses(
        (status = 202, description = "It ends, or goes on for others.", body = Envelope<JobBody>,
            headers(("Location" = String, description = "The job."))),
        Guarded, Missing, Conflicting
    )
)]
pub(crate) async fn cancel_job(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Accepted<JobBody>, ApiError> {
    roles::of_job(&state, &caller, id).await?;
    let mut tx = state.store.begin().await?;
    let view = tx.find_job(caller.user.id, id).await?;
    let job = view.ok_or_else(|| ApiError::not_found("job"))?.job;
    let vault = tx.find_vault_by_id(caller.user.id, job.vault_id).await?;
    may_cancel(&mut tx, &caller, &job, vault.as_ref()).await?;
    let now = tx.now().await?;
    let for_all = job.user_id != caller.user.id;
    let cancelled = tx.cancel_job(id, for_all, now).await?;
    if cancelled == Cancelled::TooLate {
        return Err(ApiError::conflict("The job has ended already"));
    }
    let vault = vault.as_ref().map(|access| &access.vault);
    let what = serde_json::json!({
        "jobId": id,
        "kind": job.kind,
        "effect": match cancelled {
            Cancelled::Detached => "detached",
            Cancelled::Asked => "asked-to-stop",
            Cancelled::Ended | Cancelled::TooLate => "ended",
        },
    });
    caller
        .note(&mut tx, &state, now, Action::JobCancelled, vault, what)
        .await?;
    let document = JobBody::load(&mut tx, caller.user.id, id).await?;
    // Its turn in the project goes to the next.
    let next = match (&job.project_key, cancelled) {
        (Some(key), Cancelled::Ended) => tx.next_in_project(key, now).await?,
        _ => None,
    };
    tx.commit().await?;
    if cancelled != Cancelled::Detached {
        state.queue.announce(id).await;
    }
    if let Some((next, class)) = next {
        state.queue.ring(next, class).await;
    }
    Ok(Accepted {
        data: document.ok_or_else(|| ApiError::not_found("job"))?,
        location: location(id),
    })
}

/// The scopes that asking for the job needs and, for what somebody else asked for, a role that may
/// write and that may do what the job does. Production is nothing for a test key, whoever asked.
async fn may_cancel(
    tx: &mut Tx,
    caller: &Caller,
    job: &Job,
    vault: Option<&VaultAccess>,
) -> Result<(), ApiError> {
    let request = &job.request;
    let needed = match job.kind {
        JobKind::Sync => sync::scopes(request.direction, request.allow_delete),
        JobKind::Preview | JobKind::Diff | JobKind::Status => sync::read_scopes(),
        // Seen, and so cancelled, with its webhook only.
        JobKind::Webhook => return Err(ApiError::not_found("job")),
    };
    caller.require_all(&needed)?;
    let key = caller.key_environment();
    may_touch(
        key,
        EnvironmentKind::of_remote(&request.provider_environment),
    )?;
    let environment = tx
        .find_environment_by_id(job.vault_id, job.environment_id)
        .await?;
    if let Some(environment) = &environment {
        may_touch(key, environment.kind)?;
    }
    if job.user_id == caller.user.id {
        return Ok(());
    }
    let vault = vault.ok_or_else(|| ApiError::not_found("job"))?;
    if vault.role < Role::Write {
        return Err(ApiError::role(Role::Write, vault.role));
    }
    if let Some(environment) = &environment {
        caller
            .asker(vault.role)
            .may_run(job.kind, request, environment)?;
    }
    Ok(())
}
