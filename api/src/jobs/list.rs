//! `GET /v1/integrations/jobs`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::job::{JobKind, JobState};
use keyway_shared::domain::names::{REPO_NAME_RULE, split_repo};
use keyway_shared::domain::vault::Role;
use keyway_shared::store::JobFilter;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::JobBody;
use crate::auth::roles;
use crate::envelope::{ListEnvelope, Listed};
use crate::error::ApiError;
use crate::extract::{Caller, Page, Query, open_vault};
use crate::schema::{Guarded, Invalid, Missing};
use crate::state::ApiState;

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of this vault, as `owner/repo`.
    #[param(example = "acme/app")]
    vault: Option<String>,
    /// Of this connection.
    connection_id: Option<Uuid>,
    /// In this state.
    #[param(value_type = Option<String>, pattern = "^(queued|running|waiting|succeeded|partial|failed|cancelled)$")]
    state: Option<JobState>,
    /// Of this kind.
    #[param(value_type = Option<String>, pattern = "^(sync|preview|diff|status)$")]
    kind: Option<JobKind>,
    /// `nextCursor` of the page before.
    cursor: Option<Uuid>,
}

/// List jobs
///
/// Jobs that you asked for or that belong to a vault of yours, newest first. Needs `read:secrets`.
#[utoipa::path(
    get,
    path = "/v1/integrations/jobs",
    operation_id = "list_jobs",
    tag = "jobs",
    params(Filter, Page),
    responses((status = 200, description = "The jobs.", body = ListEnvelope<JobBody>), Guarded, Missing, Invalid)
)]
pub(crate) async fn list_jobs(
    State(state): State<ApiState>,
    caller: Caller,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Listed<JobBody>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let repo = match &filter.vault {
        Some(name) => {
            Some(split_repo(name).ok_or_else(|| ApiError::field("vault", REPO_NAME_RULE))?)
        }
        None => None,
    };
    match repo {
        Some((owner, repo)) => roles::of_repository(&state, &caller, owner, repo).await?,
        None => roles::of_all(&state, &caller).await?,
    }
    let mut tx = state.store.begin_read().await?;
    let vault_id = match repo {
        Some((owner, repo)) => Some(
            open_vault(&mut tx, &caller, owner, repo, Role::Read)
                .await?
                .vault
                .id,
        ),
        None => None,
    };
    let filter = JobFilter {
        vault_id,
        connection_id: filter.connection_id,
        state: filter.state,
        kind: filter.kind,
        cursor: filter.cursor,
    };
    // One more than asked for tells whether another page follows.
    let (mut views, total) = tx
        .list_jobs(caller.user.id, &filter, page.limit + 1, page.offset)
        .await?;
    let more = views.len() as i64 > page.limit;
    views.truncate(page.limit as usize);
    let next = views
        .last()
        .filter(|_| more)
        .map(|view| view.job.id.to_string());
    let mut jobs = Vec::with_capacity(views.len());
    for view in views {
        let report = tx.find_report(view.job.id).await?.unwrap_or_default();
        jobs.push(JobBody::new(view, report));
    }
    tx.commit().await?;
    Ok(Listed::with_cursor(jobs, total, page, next))
}
