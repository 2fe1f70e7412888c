//! `GET /v1/integrations/vaults/{owner}/{repo}/sync/diff`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::job::JobKind;
use keyway_shared::sync::options::{Direction, SyncRequest};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::open::{accept, open};
use super::report::DiffBody;
use super::selection::{Selection, production};
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::extract::{Caller, StrictQuery, VaultPath};
use crate::jobs::{JobBody, Patience, ReadAnswer};
use crate::schema::{Conflicting, Guarded, Invalid, Missing, Outside};
use crate::state::ApiState;

/// What to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffFields {
    /// The connection to use: one of yours.
    connection_id: Uuid,
    /// The project's id or name.
    #[param(min_length = 1, max_length = 250, example = "prj_xxx")]
    project_id: String,
    /// The service, for providers that have them.
    service_id: Option<String>,
    /// The vault's environment.
    #[serde(default = "production")]
    #[param(required = false, default = "production")]
    keyway_environment: String,
    /// The provider's environment: a built-in name, or a custom environment's slug or id.
    #[serde(default = "production")]
    #[param(required = false, default = "production")]
    provider_environment: String,
    /// A branch that narrows the provider's environment.
    git_branch: Option<String>,
    /// Whether every value that can be read is read, whatever is remembered of it.
    #[serde(default)]
    #[param(required = false, default = false)]
    verify: bool,
}

impl From<DiffFields> for Selection {
    fn from(fields: DiffFields) -> Self {
        Self {
            connection_id: fields.connection_id,
            project_id: fields.project_id,
            service_id: fields.service_id,
            keyway_environment: fields.keyway_environment,
            provider_environment: fields.provider_environment,
            git_branch: fields.git_branch,
        }
    }
}

/// Compare
///
/// How the vault's environment and the destination differ, by key; values are never shown. Unknown
/// parameters are refused. Needs `read:secrets`. When it is not ready in time the answer is 503 with
/// the job's `Location`, or, for callers that send `Prefer`, 202.
#[utoipa::path(
    get,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync/diff",
    operation_id = "diff_sync",
    tag = "sync",
    params(VaultPath, DiffFields, ("Prefer" = Option<String>, Header, description = "`wait=N`, 0 to 120 seconds, or `respond-async`.")),
    responses(
        (status = 200, description = "How they differ.", body = Envelope<DiffBody>),
        (status = 202, description = "The job goes on.", body = Envelope<JobBody>,
            headers(("Location" = String, description = "The job."))),
        Guarded, Missing, Conflicting, Invalid, Outside
    )
)]
pub(crate) async fn diff_sync(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    patience: Patience,
    StrictQuery(fields): StrictQuery<DiffFields>,
) -> Result<ReadAnswer, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let verify = fields.verify;
    let selection = Selection::from(fields);
    selection.check()?;
    let mut tx = state.store.begin().await?;
    let request = SyncRequest {
        verify,
        // Texts are compared, whatever they mean.
        allow_references: true,
        ..selection.request(Direction::Push)
    };
    let kind = JobKind::Diff;
    let opened = open(&mut tx, &state, &caller, &path, &selection, kind, &request).await?;
    let pending = accept(tx, &state, &caller, opened, kind, request, None).await?;
    ReadAnswer::to(&pending, &state, &caller, patience).await
}
