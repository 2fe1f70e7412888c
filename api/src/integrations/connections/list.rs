//! `GET /v1/integrations/connections`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use super::ConnectionBody;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::schema::Guarded;
use crate::state::ApiState;

/// The caller's connections.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Connections {
    connections: Vec<ConnectionBody>,
}

/// List connections
///
/// Your accounts at providers, newest first. Needs `read:secrets`.
#[utoipa::path(
    get,
    path = "/v1/integrations/connections",
    operation_id = "list_connections",
    tag = "integrations",
    responses((status = 200, description = "The connections.", body = Envelope<Connections>), Guarded)
)]
pub(crate) async fn list_connections(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Data<Connections>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let connections = tx.list_connections(caller.user.id).await?;
    tx.commit().await?;
    Ok(Data(Connections {
        connections: connections.into_iter().map(ConnectionBody::from).collect(),
    }))
}
