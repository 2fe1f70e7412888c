//! `POST /v1/auth/token/validate`

use serde::Serialize;
use utoipa::ToSchema;

use crate::envelope::{Data, Envelope, Timestamp};
use crate::extract::Caller;
use crate::schema::Guarded;

/// Whose token it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenOwner {
    username: String,
    /// The same as `username`.
    login: String,
    forge_type: &'static str,
    forge_user_id: String,
    plan: &'static str,
    created_at: Timestamp,
}

/// Validate a token
///
/// Whose it is; 401 when it is not taken any more.
#[utoipa::path(post, path = "/v1/auth/token/validate", tag = "auth",
    responses((status = 200, body = Envelope<TokenOwner>), Guarded))]
pub(crate) async fn validate_token(caller: Caller) -> Data<TokenOwner> {
    let user = caller.user;
    Data(TokenOwner {
        login: user.username.clone(),
        username: user.username,
        forge_type: "github",
        forge_user_id: user.id.to_string(),
        // Existing pages hide what other plans do not have.
        plan: "business",
        created_at: user.created_at.into(),
    })
}
