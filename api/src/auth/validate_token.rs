//! `POST /v1/auth/token/validate`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::github_id;
use crate::envelope::{Data, Envelope, Timestamp};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::schema::Guarded;
use crate::state::ApiState;
use crate::users::PLAN;

/// Whose token it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenOwner {
    username: String,
    /// The same as `username`.
    login: String,
    forge_type: &'static str,
    forge_user_id: String,
    /// The account's number at GitHub, in GitHub mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    github_id: Option<String>,
    plan: &'static str,
    created_at: Timestamp,
}

/// Validate a token
///
/// Whose it is; 401 when it is not taken any more.
#[utoipa::path(post, path = "/v1/auth/token/validate", tag = "auth",
    responses((status = 200, body = Envelope<TokenOwner>), Guarded))]
pub(crate) async fn validate_token(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Data<TokenOwner>, ApiError> {
    let github_id = github_id(&state, caller.user.id).await?;
    let user = caller.user;
    Ok(Data(TokenOwner {
        login: user.username.clone(),
        username: user.username,
        forge_type: "github",
        forge_user_id: github_id.clone().unwrap_or_else(|| user.id.to_string()),
        github_id,
        plan: PLAN,
        created_at: user.created_at.into(),
    }))
}
