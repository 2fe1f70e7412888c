//! `GET /v1/integrations/connections/{id}/projects`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::ProjectBody;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::integrations::outside::Line;
use crate::schema::{Conflicting, Guarded, Missing, Outside};
use crate::state::ApiState;

/// Projects of one connection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Projects {
    projects: Vec<ProjectBody>,
}

/// List a connection's projects
///
/// Every project that the connection can see, not only the provider's first page. Needs
/// `read:secrets`.
#[utoipa::path(
    get,
    path = "/v1/integrations/connections/{id}/projects",
    operation_id = "list_connection_projects",
    tag = "integrations",
    params(("id" = Uuid, Path, description = "The connection.")),
    responses(
        (status = 200, description = "The projects.", body = Envelope<Projects>),
        Guarded, Missing, Conflicting, Outside
    )
)]
pub(crate) async fn list_connection_projects(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Data<Projects>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let line = Line::open(&state, caller.user.id, id).await?;
    match line.provider.projects(&line.session).await {
        Ok(projects) => Ok(Data(Projects {
            projects: projects.into_iter().map(ProjectBody::from).collect(),
        })),
        Err(error) => Err(line.failed(&state, error).await),
    }
}
