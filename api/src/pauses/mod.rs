//! Pauses: an operator holds jobs back, because a provider must not be called, or all of them.

mod create;
mod delete;
mod list;

use keyway_shared::domain::access::may_touch;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::vault::EnvironmentKind;
use keyway_shared::store::Pause;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::envelope::Timestamp;
use crate::error::ApiError;
use crate::extract::Caller;
use crate::state::ApiState;

/// A pause.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Pause)]
pub(crate) struct PauseBody {
    /// Identity.
    id: Uuid,
    /// This provider's jobs; null for all.
    #[schema(example = "vercel")]
    provider: Option<&'static str>,
    /// Who paused them; null for the command line.
    user_id: Option<Uuid>,
    /// Since when.
    created_at: Timestamp,
}

impl From<Pause> for PauseBody {
    fn from(pause: Pause) -> Self {
        Self {
            id: pause.id,
            provider: pause.provider.map(ProviderName::as_str),
            user_id: pause.user_id,
            created_at: pause.created_at.into(),
        }
    }
}

/// 403 unless the caller is an operator.
fn require_operator(caller: &Caller) -> Result<(), ApiError> {
    if !caller.user.operator {
        return Err(ApiError::forbidden(
            "Only an operator may do this: keyway users promote makes one",
        ));
    }
    // What it holds back may be production's.
    Ok(may_touch(
        caller.key_environment(),
        EnvironmentKind::Protected,
    )?)
}

/// The routes, to be merged into the one table.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_pauses, create::create_pause))
        .routes(routes!(delete::delete_pause))
}
