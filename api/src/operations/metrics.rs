//! `GET /metrics`

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use keyway_shared::domain::job::JobClass;
use keyway_shared::store::StoreError;

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
    Ok((content_type, metrics_text(&state).await))
}

/// What `/metrics` shows: also for a listener of its own.
pub async fn metrics_text(state: &ApiState) -> String {
    match tokio::time::timeout(PATIENCE, measure_queue(state)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the depth of the queue is not known"),
        Err(_) => tracing::warn!("the depth of the queue is not known: the store is slow"),
    }
    state.metrics.run_upkeep();
    state.metrics.render()
}

/// Depth and age of the queue, from SQL: the same whichever process is asked.
async fn measure_queue(state: &ApiState) -> Result<(), StoreError> {
    let mut tx = state.store.begin_read().await?;
    let now = tx.now().await?;
    let depths = tx.queue_depth().await?;
    tx.commit().await?;
    for class in JobClass::ALL {
        let depth = depths.iter().find(|depth| depth.class == *class);
        let due = depth.map_or(0, |depth| depth.depth);
        let oldest = depth
            .and_then(|depth| depth.oldest_due)
            .map_or(0, |at| (now - at).num_milliseconds().max(0));
        metrics::gauge!("keyway_jobs_due", "class" => class.as_str()).set(due as f64);
        metrics::gauge!("keyway_jobs_oldest_due_seconds", "class" => class.as_str())
            .set(oldest as f64 / 1000.0);
    }
    Ok(())
}
