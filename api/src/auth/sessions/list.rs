//! `GET /v1/auth/sessions`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::{Data, Envelope, Timestamp};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::schema::Guarded;
use crate::state::ApiState;

/// A session without its token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionItem {
    id: Uuid,
    /// What kind of client signed in: `cli`, `web`, `api` or `mcp`.
    platform: &'static str,
    /// The address it signed in from.
    ip: Option<String>,
    created_at: Timestamp,
    /// Last use, to the minute.
    last_used_at: Option<Timestamp>,
    /// After this time it is refused.
    expires_at: Timestamp,
    /// The request is made with this one.
    is_current: bool,
}

/// The caller's sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// Newest first.
    sessions: Vec<SessionItem>,
}

/// List sessions
///
/// Where the caller is signed in. Needs `admin:api-keys`.
#[utoipa::path(get, path = "/v1/auth/sessions", tag = "auth",
    responses((status = 200, body = Envelope<Sessions>), Guarded))]
pub(crate) async fn list_sessions(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Data<Sessions>, ApiError> {
    caller.require(Scope::AdminApiKeys)?;
    let mut tx = state.store.begin_read().await?;
    let now = tx.now().await?;
    let sessions = tx.list_sessions(caller.user.id, now).await?;
    tx.commit().await?;
    let current = caller.credential.session_id();
    let sessions = sessions
        .into_iter()
        .map(|session| SessionItem {
            is_current: current == Some(session.id),
            id: session.id,
            platform: session.platform.as_str(),
            ip: session.ip,
            created_at: session.created_at.into(),
            last_used_at: session.last_used_at.map(Timestamp),
            expires_at: session.expires_at.into(),
        })
        .collect();
    Ok(Data(Sessions { sessions }))
}
