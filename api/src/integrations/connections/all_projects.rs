//! `GET /v1/integrations/providers/{provider}/all-projects`

use std::time::Duration;

use axum::extract::State;
use futures::{StreamExt, stream};
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::connection::Connection;
use keyway_shared::providers::{Project, ProviderError};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ConnectionBody, ProjectBody};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::integrations::outside::{self, Line};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Connections that are asked at once.
const AT_ONCE: usize = 8;
/// How long one connection may hold up the rest; existing clients hang up after 30 s.
const AT_MOST: Duration = Duration::from_secs(20);

/// A project, and which connection sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectedProject {
    #[serde(flatten)]
    project: ProjectBody,
    /// The connection that sees it.
    connection_id: Uuid,
    /// That connection's team; null for a personal account.
    team_id: Option<String>,
    /// The team's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    team_name: Option<String>,
}

/// A connection whose projects could not be listed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionFailure {
    /// The connection.
    connection_id: Uuid,
    /// A stable word.
    #[schema(example = "reconnect-required")]
    code: &'static str,
    /// The same as a sentence.
    message: String,
}

/// Projects of every connection with a provider.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct AllProjects {
    /// What the connections that answered see.
    projects: Vec<ConnectedProject>,
    /// The connections, those that did not answer as well.
    connections: Vec<ConnectionBody>,
    /// Why some did not.
    errors: Vec<ConnectionFailure>,
}

/// List a provider's projects
///
/// The projects of all your connections with the provider. One that does not answer is listed in
/// `errors` and does not spoil the rest. Needs `read:secrets`.
#[utoipa::path(
    get,
    path = "/v1/integrations/providers/{provider}/all-projects",
    operation_id = "list_provider_projects",
    tag = "integrations",
    params(("provider" = String, Path, description = "The provider.", example = "vercel")),
    responses((status = 200, description = "The projects.", body = Envelope<AllProjects>), Guarded, Missing)
)]
pub(crate) async fn list_provider_projects(
    State(state): State<ApiState>,
    caller: Caller,
    Path(provider): Path<String>,
) -> Result<Data<AllProjects>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let name = outside::provider_name(&provider)?;
    let mut tx = state.store.begin_read().await?;
    let mut connections = tx.list_connections(caller.user.id).await?;
    tx.commit().await?;
    connections.retain(|connection| connection.provider == name);

    let answers: Vec<_> = stream::iter(connections)
        .map(|connection| ask(&state, connection))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut all = AllProjects::default();
    for (connection, answer) in answers {
        let (team_id, account) = (
            connection.provider_team_id.clone(),
            connection.account_name.clone(),
        );
        let mut body = ConnectionBody::from(connection);
        match answer {
            Ok(projects) => {
                let projects = projects.into_iter().map(|project| ConnectedProject {
                    project: project.into(),
                    connection_id: body.id,
                    team_name: team_id.is_some().then(|| account.clone()),
                    team_id: team_id.clone(),
                });
                all.projects.extend(projects);
            }
            Err(error) => {
                if error.code() == "reconnect-required" {
                    body.mark_dead();
                }
                all.errors.push(ConnectionFailure {
                    connection_id: body.id,
                    code: error.code(),
                    message: error.to_string(),
                });
            }
        }
        all.connections.push(body);
    }
    Ok(Data(all))
}

async fn ask(
    state: &ApiState,
    connection: Connection,
) -> (Connection, Result<Vec<Project>, ApiError>) {
    let answer = async {
        let line = Line::open(state, connection.user_id, connection.id).await?;
        let projects = line.provider.projects(&line.session);
        match tokio::time::timeout(AT_MOST, projects).await {
            Ok(Ok(projects)) => Ok(projects),
            Ok(Err(error)) => Err(line.failed(state, error).await),
            Err(_) => Err(line.failed(state, ProviderError::Timeout).await),
        }
    };
    let answer = answer.await;
    (connection, answer)
}
