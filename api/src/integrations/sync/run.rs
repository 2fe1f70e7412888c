//! `POST /v1/integrations/vaults/{owner}/{repo}/sync`

use axum::extract::State;
use keyway_shared::domain::job::JobKind;
use keyway_shared::domain::vault::Role;
use keyway_shared::store::{StoredPlan, Tx};
use uuid::Uuid;

use super::fields::SyncFields;
use super::open::{accept, open};
use super::report::SyncReportBody;
use super::scopes;
use crate::envelope::Envelope;
use crate::error::{ApiError, ConflictCode};
use crate::extract::{Caller, Strict, VaultPath};
use crate::jobs::{Patience, RunningSync, SyncAnswer};
use crate::schema::{Body, Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// Sync
///
/// Makes one side equal to the other, as a job, and waits for it: up to 25 s, or as `Prefer: wait=N`
/// says. A sync that ended is answered 200 also when its `status` is `partial` or `error`; what was
/// refused before anything was written is an error with its code. One that has not ended in time is
/// answered 202 with the job, and goes on. Unknown fields are refused. Push needs `read:secrets`,
/// pull `write:secrets` and the role `write`; `allowDelete` needs `delete:secrets` and the role
/// `write`; an environment's rules may ask for more. Only an admin syncs to an environment that is more
/// protected than the one copied from.
#[utoipa::path(
    post,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync",
    operation_id = "run_sync",
    tag = "sync",
    params(VaultPath, ("Prefer" = Option<String>, Header, description = "`wait=N`, 0 to 120 seconds, or `respond-async`.")),
    request_body = SyncFields,
    responses(
        (status = 200, description = "How it ended.", body = Envelope<SyncReportBody>),
        (status = 202, description = "It goes on.", body = Envelope<RunningSync>,
            headers(("Location" = String, description = "The job."))),
        Guarded, Missing, Conflicting, Body
    )
)]
pub(crate) async fn run_sync(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    patience: Patience,
    Strict(fields): Strict<SyncFields>,
) -> Result<SyncAnswer, ApiError> {
    let (mut tx, (selection, request), environment_id) = match fields.plan_id {
        None => {
            let parts = fields.into_parts()?;
            (state.store.begin().await?, parts, None)
        }
        Some(id) => {
            let mut tx = state.store.begin().await?;
            let plan = planned(&mut tx, &caller, &path, id).await?;
            let environment_id = plan.environment_id;
            (tx, fields.into_parts_of(plan)?, Some(environment_id))
        }
    };
    caller.require_all(&scopes(request.direction, request.allow_delete))?;
    let kind = JobKind::Sync;
    let opened = open(&mut tx, &state, &caller, &path, &selection, kind, &request).await?;
    if environment_id.is_some_and(|id| id != opened.environment.id) {
        return Err(ApiError::Conflict(
            ConflictCode::PlanStale,
            "Another environment has the name of the plan's. Preview again".into(),
        ));
    }
    let pending = accept(tx, &state, &caller, opened, kind, request, None).await?;
    SyncAnswer::to(&pending, &state, &caller, patience).await
}

/// The plan that the request names: one that was shown to this caller, of this vault.
async fn planned(
    tx: &mut Tx,
    caller: &Caller,
    path: &VaultPath,
    id: Uuid,
) -> Result<StoredPlan, ApiError> {
    let access = path.open(tx, caller, Role::Read).await?;
    let plan = tx.find_plan(caller.user.id, id).await?;
    plan.filter(|plan| plan.vault_id == access.vault.id)
        .ok_or_else(|| ApiError::not_found("plan"))
}
