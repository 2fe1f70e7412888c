//! `POST /v1/operations/pauses`

use axum::extract::State;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::store::Pause;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{PauseBody, require_operator};
use crate::envelope::{Created, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Strict};
use crate::schema::{Body, Conflicting, Guarded};
use crate::state::ApiState;

/// What to pause.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewPause {
    /// This provider's jobs; left out, all.
    #[schema(value_type = Option<String>, pattern = "^(vercel|netlify|railway|fly)$", example = "vercel")]
    provider: Option<ProviderName>,
}

/// Pause jobs
///
/// Jobs are still accepted, and wait: a sync is answered 202 with `waitingReason: "paused"`, a read 503.
/// What runs goes on to its end. For operators.
#[utoipa::path(
    post,
    path = "/v1/operations/pauses",
    operation_id = "create_pause",
    tag = "operations",
    request_body = NewPause,
    responses(
        (status = 201, description = "The pause.", body = Envelope<PauseBody>),
        Guarded, Conflicting, Body
    )
)]
pub(crate) async fn create_pause(
    State(state): State<ApiState>,
    caller: Caller,
    Strict(body): Strict<NewPause>,
) -> Result<Created<PauseBody>, ApiError> {
    require_operator(&caller)?;
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let pause = Pause {
        id: state.ambient.new_id(),
        provider: body.provider,
        user_id: Some(caller.user.id),
        created_at: now,
    };
    if !tx.insert_pause(&pause).await? {
        return Err(ApiError::conflict("It is paused already"));
    }
    let what = serde_json::json!({ "provider": pause.provider });
    caller
        .note(&mut tx, &state, now, Action::JobsPaused, None, what)
        .await?;
    tx.commit().await?;
    Ok(Created(pause.into()))
}
