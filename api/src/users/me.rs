//! `GET /v1/users/me`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::PLAN;
use crate::auth::github_id;
use crate::envelope::{Data, Envelope, Timestamp};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::schema::Guarded;
use crate::state::ApiState;

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Me {
    id: Uuid,
    username: String,
    /// The same as `username`.
    login: String,
    forge_type: &'static str,
    forge_user_id: String,
    /// The account's number at GitHub, in GitHub mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    github_id: Option<String>,
    email: Option<String>,
    avatar_url: Option<String>,
    plan: &'static str,
    /// May look at and pause the jobs of others.
    operator: bool,
    /// What the key that was sent may be used for.
    scopes: Vec<&'static str>,
    created_at: Timestamp,
}

/// Get the caller
#[utoipa::path(get, path = "/v1/users/me", tag = "users",
    responses((status = 200, body = Envelope<Me>), Guarded))]
pub(crate) async fn get_me(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Data<Me>, ApiError> {
    let github_id = github_id(&state, caller.user.id).await?;
    let scopes = caller.scopes().iter().map(|scope| scope.as_str()).collect();
    let user = caller.user;
    Ok(Data(Me {
        id: user.id,
        login: user.username.clone(),
        username: user.username,
        forge_type: "github",
        forge_user_id: github_id.clone().unwrap_or_else(|| user.id.to_string()),
        github_id,
        email: None,
        avatar_url: None,
        plan: PLAN,
        operator: user.operator,
        scopes,
        created_at: user.created_at.into(),
    }))
}
