//! `GET /v1/integrations/vaults/{owner}/{repo}/sync/status`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::job::JobKind;
use keyway_shared::domain::link::Link;
use keyway_shared::sync::options::Direction;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::open::{Opened, accept, look_up};
use super::report::StatusBody;
use super::selection::{Selection, production};
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::extract::{Caller, Query, VaultPath};
use crate::jobs::{JobBody, Patience, ReadAnswer};
use crate::schema::{Conflicting, Guarded, Invalid, Missing, Outside};
use crate::state::ApiState;

/// What to look at.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusFields {
    /// The connection to use: one of yours.
    connection_id: Uuid,
    /// The project's id or name.
    #[param(min_length = 1, max_length = 250, example = "prj_xxx")]
    project_id: String,
    /// The service, for providers that have them.
    service_id: Option<String>,
    /// The vault's environment. The provider's is that of the link, else the one of the same
    /// meaning.
    #[serde(default = "production")]
    #[param(required = false, default = "production")]
    environment: String,
}

/// Get the status of a pair
///
/// Whether a vault's environment and a project have been synced before, and what is on either side.
/// Needs `read:secrets`. When it is not ready in time the answer is 503 with the job's `Location`,
/// or, for callers that send `Prefer`, 202.
#[utoipa::path(
    get,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync/status",
    operation_id = "get_sync_status",
    tag = "sync",
    params(VaultPath, StatusFields, ("Prefer" = Option<String>, Header, description = "`wait=N`, 0 to 120 seconds, or `respond-async`.")),
    responses(
        (status = 200, description = "What is on either side.", body = Envelope<StatusBody>),
        (status = 202, description = "The job goes on.", body = Envelope<JobBody>,
            headers(("Location" = String, description = "The job."))),
        Guarded, Missing, Conflicting, Invalid, Outside
    )
)]
pub(crate) async fn get_sync_status(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    patience: Patience,
    Query(fields): Query<StatusFields>,
) -> Result<ReadAnswer, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut selection = Selection {
        connection_id: fields.connection_id,
        project_id: fields.project_id,
        service_id: fields.service_id,
        // Told below, once it is known which provider it is.
        provider_environment: production(),
        keyway_environment: fields.environment,
        git_branch: None,
    };
    selection.check()?;
    let mut tx = state.store.begin().await?;
    let kind = JobKind::Status;
    let opened = look_up(
        &mut tx,
        &state,
        &caller,
        &path,
        &selection,
        |asker, ours| {
            // Which of the provider's it is, is a guess so far.
            asker.may(Access::Read, ours)
        },
    )
    .await?;
    let links = tx.list_links(opened.access.vault.id).await?;
    let by_name = by_name(&selection.keyway_environment, &opened);
    if let Some(link) = linked(&links, &selection, &opened, by_name) {
        selection
            .provider_environment
            .clone_from(&link.provider_environment);
        selection.git_branch.clone_from(&link.git_branch);
    } else {
        by_name.clone_into(&mut selection.provider_environment);
    }
    let request = selection.request(Direction::Push);
    opened.admit(&caller, kind, &request)?;
    let pending = accept(tx, &state, &caller, opened, kind, request, None).await?;
    ReadAnswer::to(&pending, &state, &caller, patience).await
}

/// The link of this pair. Of several, the one whose environment has the expected name.
fn linked<'a>(
    links: &'a [Link],
    selection: &Selection,
    opened: &Opened,
    by_name: &str,
) -> Option<&'a Link> {
    links
        .iter()
        .filter(|link| {
            link.environment_id == opened.environment.id
                && link.connection_id == opened.connection.id
                && link.service_id == selection.service_id
                && (link.project_id == selection.project_id
                    || link.project_name.as_ref() == Some(&selection.project_id))
        })
        .min_by_key(|link| {
            (
                link.git_branch.is_some(),
                link.provider_environment != by_name,
            )
        })
}

/// The provider's environment that a vault's environment of this name stands for. Where that cannot be
/// said it is production, for reading only: a sync names its environment.
fn by_name(name: &str, opened: &Opened) -> &'static str {
    let environments = &opened.provider.descriptor().environments;
    environments.suggested(name).unwrap_or("production")
}
