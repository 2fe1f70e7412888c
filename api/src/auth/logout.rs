//! `POST /v1/auth/logout`

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use keyway_shared::domain::activity::Action;
use serde_json::json;

use super::cookies;
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Caller, Credential};
use crate::schema::{Conflicting, Guarded};
use crate::state::ApiState;

/// Log out
///
/// Ends the session that the request is made with, everywhere at once, and removes the cookies. 409
/// with an API key, which is revoked by its id.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth",
    responses((status = 204), Guarded, Conflicting))]
pub(crate) async fn log_out(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let Credential::Session(session) = &caller.credential else {
        return Err(ApiError::conflict(
            "Only a session can be logged out. Revoke an API key with DELETE /v1/api-keys/{id}",
        ));
    };
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    // Another request may have ended it meanwhile: then there is nothing to tell of.
    if tx.delete_session(caller.user.id, session.id).await? {
        let metadata = json!({ "sessionId": session.id });
        caller
            .note(&mut tx, &state, now, Action::SessionRevoked, None, metadata)
            .await?;
    }
    tx.commit().await?;
    let mut response = NoContent.into_response();
    cookies::clear(&state.options, response.headers_mut());
    Ok(response)
}
