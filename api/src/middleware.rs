//! What surrounds every handler: the request's id, its span, its metrics, its headers, and the
//! guard that turns a panic into a 500.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;
use utoipa::openapi::OpenApi;

use crate::context::Context;
use crate::error::ApiError;
use crate::state::ApiState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID: usize = 64;
/// What stands for a request that met no route: its path may be anything.
const UNMATCHED: &str = "unmatched";
/// Nothing that the API answers is a page; `/docs` has a policy of its own.
const NO_CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The id of each operation by method and route, for spans.
#[derive(Debug, Clone)]
pub(crate) struct Operations(Arc<HashMap<(Method, String), String>>);

impl Operations {
    pub(crate) fn of(openapi: &OpenApi) -> Self {
        let mut operations = HashMap::new();
        for (path, item) in &openapi.paths.paths {
            let methods = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in methods {
                if let Some(id) = operation.as_ref().and_then(|o| o.operation_id.clone()) {
                    operations.insert((method, path.clone()), id);
                }
            }
        }
        Self(Arc::new(operations))
    }

    fn name(&self, method: &Method, route: &str) -> &str {
        let method = if method == Method::HEAD {
            Method::GET
        } else {
            method.clone()
        };
        self.0
            .get(&(method, route.to_owned()))
            .map_or("none", String::as_str)
    }
}

/// State of [`observe`].
#[derive(Clone)]
pub(crate) struct Observed {
    pub(crate) state: ApiState,
    pub(crate) operations: Operations,
}

/// Gives the request its id and context, runs it in a span, counts it, and sets the headers that
/// every answer bears. Neither the span nor the metrics bear the path or the query as they came,
/// only the route that was met.
pub(crate) async fn observe(
    State(observed): State<Observed>,
    request: Request,
    next: Next,
) -> Response {
    let ambient = &observed.state.ambient;
    let started = ambient.elapsed();
    let request_id: Arc<str> =
        given_id(request.headers()).map_or_else(|| ambient.new_id().to_string().into(), Arc::from);
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or(UNMATCHED, MatchedPath::as_str)
        .to_owned();
    let method = request.method().clone();
    let context = Context {
        request_id: Arc::clone(&request_id),
        path: Arc::from(request.uri().path()),
        plain_json: is_mcp(request.headers()),
        keyed: None,
    };
    let operation = observed.operations.name(&method, &route);
    let span = tracing::info_span!(
        "api",
        otel.name = format!("api.{operation}"),
        operation,
        request_id = &*request_id,
        method = word(&method),
        route,
        status = tracing::field::Empty,
        duration_ms = tracing::field::Empty,
    );
    let mut response = context
        .scope(next.run(request).instrument(span.clone()))
        .await;

    let took = ambient.elapsed().saturating_sub(started);
    let status = response.status().as_u16();
    span.record("status", status);
    span.record("duration_ms", took.as_millis() as u64);
    span.in_scope(|| tracing::debug!(status, duration_ms = took.as_millis() as u64, "answered"));
    metrics::counter!(
        "http_requests_total",
        "route" => route.clone(), "method" => word(&method), "status" => status.to_string()
    )
    .increment(1);
    metrics::histogram!("http_request_duration_seconds", "route" => route)
        .record(took.as_secs_f64());

    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, NO_CONTENT_POLICY),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The caller's own id, when it is safe to repeat in headers and logs.
fn given_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let safe = (1..=MAX_REQUEST_ID).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    safe.then_some(id)
}

fn is_mcp(headers: &HeaderMap) -> bool {
    headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .is_some_and(|agent| agent.contains("keyway-mcp"))
}

/// The method as one of a few words: a caller may send any, and metrics keep each for ever.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// What a panic is answered with. Its message may hold anything, so it is not repeated.
pub(crate) fn on_panic(_message: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    ApiError::Internal.into_response()
}

/// Lets the pages of the configured origins, and no others, call the API with credentials.
pub(crate) fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<_> = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok())
        .collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::PATCH,
            Method::POST,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            REQUEST_ID,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("prefer"),
        ])
        .expose_headers([
            REQUEST_ID,
            header::LOCATION,
            header::RETRY_AFTER,
            HeaderName::from_static("ratelimit-limit"),
            HeaderName::from_static("ratelimit-remaining"),
            HeaderName::from_static("ratelimit-reset"),
            HeaderName::from_static("keyway-revocation"),
        ])
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_500_that_repeats_nothing() {
        async fn broken() {
            panic!("hunter2");
        }
        let app = Router::new()
            .route("/", get(broken))
            .layer(CatchPanicLayer::custom(on_panic));
        let request = Request::builder().uri("/").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("errors/internal") && !body.contains("hunter2"));
    }

    #[test]
    fn only_safe_request_ids_are_taken() {
        let given = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(id).unwrap());
            given_id(&headers).map(ToOwned::to_owned)
        };
        assert_eq!(given("a-1_B.c"), Some("a-1_B.c".to_owned()));
        assert_eq!(given(&"x".repeat(64)), Some("x".repeat(64)));
        for id in ["", "a b", "a\tb", "a,b", &"x".repeat(65)] {
            assert_eq!(given(id), None);
        }
    }
}
