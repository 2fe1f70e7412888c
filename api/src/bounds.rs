//! Bounds of every request: of its address and header fields, and of the time that it may take.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::options::ApiOptions;
use crate::state::ApiState;

/// Longest path and query, in bytes.
const MAX_ADDRESS: usize = 16 << 10;
/// Most header fields.
pub(crate) const MAX_HEADERS: usize = 100;
/// What a request may take beyond sending its body and waiting for its job: calls to providers and
/// to the database have limits of their own, well below.
const MARGIN: Duration = Duration::from_mins(1);

/// Around every handler.
pub(crate) async fn bounds(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let address = request.uri().path_and_query();
    if address.is_some_and(|address| address.as_str().len() > MAX_ADDRESS) {
        return ApiError::AddressTooLong { limit: MAX_ADDRESS }.into_response();
    }
    if request.headers().len() > MAX_HEADERS {
        return ApiError::TooManyHeaders { limit: MAX_HEADERS }.into_response();
    }
    // Nothing here depends on it; a proxy in front may, and take another host than the one behind it.
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return ApiError::bad_request("The request must have one Host").into_response();
    }
    // A stream of events has been answered by then, and goes on.
    tokio::time::timeout(longest(&state.options), next.run(request))
        .await
        .unwrap_or_else(|_| {
            tracing::error!("a request took longer than any may");
            ApiError::unavailable(1).into_response()
        })
}

fn longest(options: &ApiOptions) -> Duration {
    options.max_wait + options.connections.body_timeout + MARGIN
}
