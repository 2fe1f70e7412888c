//! `GET /v1/operations/pauses`

use axum::extract::State;

use super::{PauseBody, require_operator};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::schema::Guarded;
use crate::state::ApiState;

/// List pauses
///
/// What is paused, the oldest first. For operators.
#[utoipa::path(
    get,
    path = "/v1/operations/pauses",
    operation_id = "list_pauses",
    tag = "operations",
    responses((status = 200, description = "The pauses.", body = Envelope<Vec<PauseBody>>), Guarded)
)]
pub(crate) async fn list_pauses(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Data<Vec<PauseBody>>, ApiError> {
    require_operator(&caller)?;
    let mut tx = state.store.begin_read_statement().await?;
    let pauses = tx.list_pauses().await?;
    tx.commit().await?;
    Ok(Data(pauses.into_iter().map(PauseBody::from).collect()))
}
