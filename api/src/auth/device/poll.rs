//! `POST /v1/auth/device/poll`

use axum::Json as Bare;
use axum::extract::State;
use keyway_shared::crypto::tokens::hash_token;
use keyway_shared::secret::Secret;
use keyway_shared::store::DeviceAnswer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::session;
use crate::envelope::{Timestamp, shown};
use crate::error::ApiError;
use crate::extract::{ClientInfo, Json};
use crate::schema::{Body, Missing, Open};
use crate::state::ApiState;

/// Which device asks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DevicePollFields {
    /// As it was given at the start.
    #[schema(value_type = String)]
    device_code: Secret,
}

/// What became of it. `expired` and `denied` are final, and are 200 as well: existing clients go on
/// asking after any other status.
#[derive(Debug, Serialize, ToSchema)]
#[serde(
    tag = "status",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum DeviceState {
    /// Nobody has answered.
    Pending {},
    /// Somebody has approved it. The token is given once.
    Approved {
        /// The session's token.
        #[serde(serialize_with = "shown")]
        #[schema(value_type = String)]
        keyway_token: Secret,
        /// The user's name.
        github_login: String,
        /// After this time the token is refused.
        expires_at: Timestamp,
    },
    /// It took too long.
    Expired {
        /// A word.
        error: &'static str,
        /// A sentence.
        message: &'static str,
    },
    /// Somebody has refused it.
    Denied {
        /// A word.
        error: &'static str,
        /// A sentence.
        message: &'static str,
    },
}

/// Ask whether a device is signed in
#[utoipa::path(post, path = "/v1/auth/device/poll", operation_id = "poll_device_sign_in", tag = "auth",
    security(()), request_body = DevicePollFields,
    responses((status = 200, body = DeviceState), Missing, Body, Open))]
pub(crate) async fn poll_device_sign_in(
    State(state): State<ApiState>,
    client: ClientInfo,
    Json(fields): Json<DevicePollFields>,
) -> Result<Bare<DeviceState>, ApiError> {
    let hash = hash_token(fields.device_code.expose());
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let answer = tx.take_device_answer(&hash, now).await?;
    let answer = match answer.ok_or_else(|| ApiError::not_found("device code"))? {
        DeviceAnswer::Pending => DeviceState::Pending {},
        DeviceAnswer::Expired => DeviceState::Expired {
            error: "expired_token",
            message: "The code was not approved in time. Please sign in again.",
        },
        DeviceAnswer::Denied => DeviceState::Denied {
            error: "access_denied",
            message: "The sign-in was refused.",
        },
        DeviceAnswer::Approved(user_id) => {
            let user = tx.find_user(user_id).await?;
            let user = user.ok_or_else(|| ApiError::not_found("user"))?;
            let github_login = user.username.clone();
            let (session, token) = session::begin(&mut tx, &state, user, &client, now).await?;
            DeviceState::Approved {
                keyway_token: token,
                github_login,
                expires_at: session.expires_at.into(),
            }
        }
    };
    // With the answer taken out: should ours be lost, the device begins again.
    tx.commit().await?;
    Ok(Bare(answer))
}
