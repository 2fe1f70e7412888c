//! `GET /healthz`, `GET /v1/health`, `GET /health`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::envelope::Timestamp;
use crate::schema::Open;
use crate::state::ApiState;

/// How long the store may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alive {
    status: &'static str,
}

/// Is the process alive?
///
/// Asks nobody else.
#[utoipa::path(get, path = "/healthz", tag = "operations", security(()),
    responses((status = 200, body = Alive), Open))]
pub(crate) async fn get_liveness() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// The API is there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiVersion {
    version: &'static str,
    status: &'static str,
    timestamp: Timestamp,
}

/// Is the API there?
///
/// For existing clients.
#[utoipa::path(get, path = "/v1/health", tag = "operations", security(()),
    responses((status = 200, body = ApiVersion), Open))]
pub(crate) async fn get_version(State(state): State<ApiState>) -> Json<ApiVersion> {
    Json(ApiVersion {
        version: "v1",
        status: "ok",
        timestamp: state.ambient.now().into(),
    })
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    timestamp: Timestamp,
    environment: &'static str,
    /// `connected` or `disconnected`.
    database: &'static str,
    crypto: &'static str,
}

/// How is the service?
///
/// For existing clients; see `/readyz`.
#[utoipa::path(get, path = "/health", tag = "operations", security(()),
    responses(
        (status = 200, body = Health),
        (status = 503, description = "The database is away.", body = Health)))]
pub(crate) async fn get_health(State(state): State<ApiState>) -> (StatusCode, Json<Health>) {
    let connected = store_answers(&state).await;
    let (code, status, database) = if connected {
        (StatusCode::OK, "healthy", "connected")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "disconnected")
    };
    let health = Health {
        status,
        timestamp: state.ambient.now().into(),
        environment: "production",
        database,
        // Without a key ring that opens the store there is no start.
        crypto: "connected",
    };
    (code, Json(health))
}

pub(super) async fn store_answers(state: &ApiState) -> bool {
    matches!(
        tokio::time::timeout(PATIENCE, state.store.ping()).await,
        Ok(Ok(()))
    )
}
