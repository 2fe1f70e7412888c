//! `GET /readyz`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::store::{ALIVE_WITHIN, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::health::{PATIENCE, store_answers};
use crate::state::ApiState;

/// How late the sweeper may be before it is called late.
const SWEEPER_LATE_SECONDS: f64 = 60.0;

/// Whether requests can be answered, and what is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Readiness {
    /// `ready`, `degraded` (it works, more slowly) or `unavailable`.
    status: &'static str,
    /// What is not as it should be, in words.
    reasons: Vec<String>,
    /// `ok` or `unavailable`.
    store: &'static str,
    /// Migrations that have not been run yet.
    pending_migrations: Vec<String>,
    /// `local` or `redis`.
    queue: &'static str,
    /// Whether the bell works. Without it, jobs start more slowly.
    queue_ok: bool,
    /// Workers that have shown themselves lately.
    live_workers: Option<i64>,
    /// How late the sweeper is with the job it should have rung for first.
    sweeper_late_seconds: Option<f64>,
    /// What an operator holds back: providers, or `all`.
    paused: Vec<&'static str>,
}

/// Can requests be answered?
///
/// 503 without the store or with pending migrations. All else that is not as it should be is told
/// with 200.
#[utoipa::path(get, path = "/readyz", tag = "operations", security(()),
    responses(
        (status = 200, body = Readiness),
        (status = 503, description = "Requests cannot be answered.", body = Readiness)))]
pub(crate) async fn get_readiness(State(state): State<ApiState>) -> (StatusCode, Json<Readiness>) {
    let queue_ok = state.queue.ping(PATIENCE).await;
    let mut readiness = Readiness {
        status: "ready",
        reasons: Vec::new(),
        store: "ok",
        pending_migrations: Vec::new(),
        queue: state.queue.kind(),
        queue_ok,
        live_workers: None,
        sweeper_late_seconds: None,
        paused: Vec::new(),
    };
    let looked = if store_answers(&state).await {
        tokio::time::timeout(PATIENCE, look(&state, &mut readiness)).await
    } else {
        readiness.reasons.push("the store does not answer".into());
        readiness.store = "unavailable";
        readiness.status = "unavailable";
        return (StatusCode::SERVICE_UNAVAILABLE, Json(readiness));
    };
    if !matches!(looked, Ok(Ok(()))) {
        readiness.reasons.push("the store does not answer".into());
        readiness.store = "unavailable";
    }
    if !readiness.pending_migrations.is_empty() {
        let count = readiness.pending_migrations.len();
        readiness.reasons.push(format!(
            "{count} migrations are pending: run keyway migrate"
        ));
    }
    if readiness.store != "ok" || !readiness.pending_migrations.is_empty() {
        readiness.status = "unavailable";
        return (StatusCode::SERVICE_UNAVAILABLE, Json(readiness));
    }
    if !queue_ok {
        readiness
            .reasons
            .push("Redis does not answer: jobs start more slowly".into());
    }
    if readiness.live_workers == Some(0) {
        readiness
            .reasons
            .push("no worker is alive: jobs wait".into());
    }
    if readiness
        .sweeper_late_seconds
        .is_some_and(|late| late > SWEEPER_LATE_SECONDS)
    {
        readiness.reasons.push("the sweeper is late".into());
    }
    if !readiness.reasons.is_empty() {
        readiness.status = "degraded";
    }
    (StatusCode::OK, Json(readiness))
}

async fn look(state: &ApiState, readiness: &mut Readiness) -> Result<(), StoreError> {
    readiness.pending_migrations = state.store.pending_migrations().await?;
    if !readiness.pending_migrations.is_empty() {
        return Ok(());
    }
    let mut tx = state.store.begin_read().await?;
    let now = tx.now().await?;
    readiness.live_workers = Some(tx.live_processes("worker", now - ALIVE_WITHIN).await?);
    readiness.sweeper_late_seconds = tx
        .oldest_unrung()
        .await?
        .map(|at| ((now - at).num_milliseconds().max(0) as f64) / 1000.0);
    let pauses = tx.list_pauses().await?.into_iter();
    readiness.paused = pauses
        .map(|pause| pause.provider.map_or("all", ProviderName::as_str))
        .collect();
    tx.commit().await
}
