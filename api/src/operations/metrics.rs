//! `GET /metrics`

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::job::JobClass;
use keyway_shared::store::{ALIVE_WITHIN, Store, StoreError};
use metrics_exporter_prometheus::PrometheusHandle;

use super::health::PATIENCE;
use crate::error::ApiError;
use crate::schema::{Missing, Open};
use crate::state::ApiState;

/// Read metrics
///
/// In the text format of Prometheus. 404 when metrics have a listen address of their own.
#[utoipa::path(get, path = "/metrics", tag = "operations", security(()),
    responses(
        (status = 200, description = "The metrics.", body = String,
            content_type = "text/plain; version=0.0.4"),
        Open, Missing))]
pub(crate) async fn get_metrics(
    State(state): State<ApiState>,
) -> Result<impl IntoResponse, ApiError> {
    if !state.options.metrics_on_api {
        return Err(ApiError::NotFound(
            "Metrics are served at another address".into(),
        ));
    }
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Ok((
        content_type,
        metrics_text(&state.store, &state.metrics).await,
    ))
}

/// What `/metrics` shows: also for a listener of its own.
pub async fn metrics_text(store: &Store, metrics: &PrometheusHandle) -> String {
    match tokio::time::timeout(PATIENCE, measure_queue(store)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the depth of the queue is not known"),
        Err(_) => tracing::warn!("the depth of the queue is not known: the store is slow"),
    }
    metrics.run_upkeep();
    metrics.render()
}

/// Depth and age of the queue, from SQL: the same whichever process is asked.
async fn measure_queue(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.begin_read().await?;
    let now = tx.now().await?;
    let depths = tx.queue_depth().await?;
    let unrung = tx.oldest_unrung().await?;
    let link = tx.oldest_due_link().await?;
    let workers = tx.live_processes("worker", now - ALIVE_WITHIN).await?;
    let closed = tx.closed_gates(now).await?;
    tx.commit().await?;
    for provider in ProviderName::ALL {
        let name = provider.as_str();
        let here = closed.iter().filter(|gate| gate.provider() == name).count();
        metrics::gauge!("keyway_gates_closed", "provider" => name).set(here as f64);
    }
    let seconds_since =
        |at: Option<DateTime<Utc>>| at.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0));
    metrics::gauge!("keyway_sweeper_late_seconds").set(seconds_since(unrung));
    metrics::gauge!("keyway_links_oldest_due_seconds").set(seconds_since(link));
    metrics::gauge!("keyway_workers_alive").set(workers as f64);
    for class in JobClass::ALL {
        let depth = depths.iter().find(|depth| depth.class == *class);
        let due = depth.map_or(0, |depth| depth.depth);
        let oldest = seconds_since(depth.and_then(|depth| depth.oldest_due));
        metrics::gauge!("keyway_jobs_due", "class" => class.as_str()).set(due as f64);
        metrics::gauge!("keyway_jobs_oldest_due_seconds", "class" => class.as_str()).set(oldest);
    }
    Ok(())
}
