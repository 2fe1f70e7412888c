//! Jobs: their documents, the wait for their end, and what a job's end is answered with.

mod cancel;
mod document;
mod events;
mod get;
mod list;
mod prefer;
mod retry;
mod running;
mod verdict;
mod wait;

pub(crate) use document::{AttemptBody, JobBody, OutcomeBody};
pub(crate) use prefer::Patience;
pub(crate) use running::{ReadAnswer, RunningSync, SyncAnswer};
pub(crate) use verdict::refuse;
pub(crate) use wait::Pending;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ApiState;

/// The routes, to be merged into the one table.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_jobs))
        .routes(routes!(get::get_job))
        .routes(routes!(events::follow_job))
        .routes(routes!(cancel::cancel_job))
        .routes(routes!(retry::retry_job))
}
