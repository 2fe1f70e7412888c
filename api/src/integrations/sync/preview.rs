//! `GET /v1/integrations/vaults/{owner}/{repo}/sync/preview`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::job::JobKind;

use super::fields::SyncFields;
use super::open::{accept, open};
use super::report::PreviewBody;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::extract::{Caller, StrictQuery, VaultPath};
use crate::jobs::{JobBody, Patience, ReadAnswer};
use crate::schema::{Conflicting, Guarded, Invalid, Missing, Outside};
use crate::state::ApiState;

/// Preview a sync
///
/// What a sync with the same fields would do, key by key, and what to know before; nothing is written.
/// For 15 minutes a sync can name the `planId` to do exactly this; there is none when a sync would be
/// refused, which the warnings tell. Unknown parameters are refused. Needs `read:secrets`. When it is not ready in time the answer is 503 with the job's
/// `Location`, or, for callers that send `Prefer`, 202.
#[utoipa::path(
    get,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync/preview",
    operation_id = "preview_sync",
    tag = "sync",
    params(VaultPath, SyncFields, ("Prefer" = Option<String>, Header, description = "`wait=N`, 0 to 120 seconds, or `respond-async`.")),
    responses(
        (status = 200, description = "What would be done.", body = Envelope<PreviewBody>),
        (status = 202, description = "The job goes on.", body = Envelope<JobBody>,
            headers(("Location" = String, description = "The job."))),
        Guarded, Missing, Conflicting, Invalid, Outside
    )
)]
pub(crate) async fn preview_sync(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    patience: Patience,
    StrictQuery(fields): StrictQuery<SyncFields>,
) -> Result<ReadAnswer, ApiError> {
    if fields.plan_id.is_some() {
        return Err(ApiError::field("planId", "is not a known field"));
    }
    let (selection, request) = fields.into_parts()?;
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin().await?;
    let kind = JobKind::Preview;
    let opened = open(&mut tx, &state, &caller, &path, &selection, kind, &request).await?;
    let pending = accept(tx, &state, &caller, opened, kind, request, None).await?;
    ReadAnswer::to(&pending, &state, &caller, patience).await
}
