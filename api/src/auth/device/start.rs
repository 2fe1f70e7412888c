//! `POST /v1/auth/device/start`

use axum::Json as Bare;
use axum::extract::State;
use chrono::TimeDelta;
use keyway_shared::crypto::tokens::{hash_token, new_user_code, random_token};
use keyway_shared::secret::Secret;
use keyway_shared::store::DeviceSignIn;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{INTERVAL, LASTS, VERIFY};
use crate::envelope::shown;
use crate::error::ApiError;
use crate::extract::{ClientInfo, Json};
use crate::schema::{Body, Open};
use crate::state::ApiState;

/// What existing clients send. Nothing of it is needed.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeviceStartFields {
    /// The repository that the device works in.
    #[schema(example = "acme/web")]
    repository: Option<String>,
}

/// The codes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceCodes {
    /// What the device asks again with. A secret.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    device_code: Secret,
    /// What the device shows.
    #[schema(example = "BCDFG-HJKLM")]
    user_code: String,
    /// The page that the code is typed into.
    verification_uri: String,
    /// The same page with the code.
    verification_uri_complete: String,
    /// Seconds.
    expires_in: i64,
    /// Seconds between two polls.
    interval: i64,
}

/// Sign in a device
///
/// Gives a code that somebody approves in a browser within 15 minutes.
#[utoipa::path(post, path = "/v1/auth/device/start", operation_id = "start_device_sign_in", tag = "auth",
    security(()), request_body = DeviceStartFields,
    responses((status = 200, body = DeviceCodes), Body, Open))]
pub(crate) async fn start_device_sign_in(
    State(state): State<ApiState>,
    client: ClientInfo,
    Json(fields): Json<DeviceStartFields>,
) -> Result<Bare<DeviceCodes>, ApiError> {
    let _ = fields.repository;
    let device_code = random_token(&state.ambient);
    let user_code = new_user_code(&state.ambient);
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    tx.prune_sign_ins(now).await?;
    let sign_in = DeviceSignIn {
        id: state.ambient.new_id(),
        platform: client.platform,
        ip: client.ip,
        created_at: now,
        expires_at: now + TimeDelta::seconds(LASTS),
    };
    tx.insert_device_sign_in(
        &sign_in,
        &hash_token(device_code.expose()),
        &hash_token(&user_code),
    )
    .await?;
    tx.commit().await?;
    let verify = format!("{}{VERIFY}", state.options.public_url.trim_end_matches('/'));
    Ok(Bare(DeviceCodes {
        device_code,
        verification_uri_complete: format!("{verify}?user_code={user_code}"),
        user_code,
        verification_uri: verify,
        expires_in: LASTS,
        interval: INTERVAL,
    }))
}
