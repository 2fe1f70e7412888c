//! `POST /v1/integrations/vaults/{owner}/{repo}/sync/links/{id}/heal`

use axum::extract::State;
use keyway_shared::domain::connection::ConnectionStatus;
use keyway_shared::domain::job::JobKind;
use keyway_shared::domain::vault::Role;

use super::{LinkPath, connection_of, disconnected};
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::integrations::sync::open::{accept, open};
use crate::integrations::sync::report::SyncReportBody;
use crate::integrations::sync::scopes;
use crate::integrations::sync::selection::Selection;
use crate::jobs::{Patience, RunningSync, SyncAnswer};
use crate::schema::{Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// Heal a link
///
/// Syncs the link now, as it says: what has drifted is written. Answers as a sync does. Only the owner
/// of the link's connection may. Push needs `read:secrets`, pull `write:secrets` and the role `write`;
/// a link that may delete needs `delete:secrets` and the role `write`.
#[utoipa::path(
    post,
    path = "/v1/integrations/vaults/{owner}/{repo}/sync/links/{id}/heal",
    operation_id = "heal_link",
    tag = "sync",
    params(
        VaultPath,
        ("id" = Uuid, Path, description = "The link."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, 0 to 120 seconds, or `respond-async`.")
    ),
    responses(
        (status = 200, description = "How it ended.", body = Envelope<SyncReportBody>),
        (status = 202, description = "It goes on.", body = Envelope<RunningSync>,
            headers(("Location" = String, description = "The job."))),
        Guarded, Missing, Conflicting
    )
)]
pub(crate) async fn heal_link(
    State(state): State<ApiState>,
    caller: Caller,
    vault: VaultPath,
    Path(path): Path<LinkPath>,
    patience: Patience,
) -> Result<SyncAnswer, ApiError> {
    let mut tx = state.store.begin().await?;
    let access = vault.open(&mut tx, &caller, Role::Read).await?;
    let link = tx
        .find_link(access.vault.id, path.id)
        .await?
        .ok_or_else(|| ApiError::not_found("link"))?;
    caller.require_all(&scopes(link.direction, link.allow_delete))?;
    let connection = connection_of(&mut tx, &link).await?;
    if connection.user_id != caller.user.id {
        return Err(ApiError::forbidden(
            "Only the owner of the link's connection may sync the link",
        ));
    }
    if connection.status == ConnectionStatus::Disconnected {
        return Err(disconnected());
    }
    let request = link.request();
    let selection = Selection {
        connection_id: link.connection_id,
        project_id: link.project_id,
        service_id: link.service_id,
        keyway_environment: link.keyway_environment,
        provider_environment: link.provider_environment,
        git_branch: link.git_branch,
    };
    let kind = JobKind::Sync;
    let opened = open(&mut tx, &state, &caller, &vault, &selection, kind, &request).await?;
    let pending = accept(tx, &state, &caller, opened, kind, request, None).await?;
    SyncAnswer::to(&pending, &state, &caller, patience).await
}
