//! `GET /v1/users/me`

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::{Data, Envelope, Timestamp};
use crate::extract::Caller;
use crate::schema::Guarded;

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
pub(crate) async fn get_me(caller: Caller) -> Data<Me> {
    let scopes = caller.scopes().iter().map(|scope| scope.as_str()).collect();
    let user = caller.user;
    Data(Me {
        id: user.id,
        login: user.username.clone(),
        username: user.username,
        forge_type: "github",
        forge_user_id: user.id.to_string(),
        email: None,
        avatar_url: None,
        // Existing pages hide what other plans do not have.
        plan: "business",
        operator: user.operator,
        scopes,
        created_at: user.created_at.into(),
    })
}
