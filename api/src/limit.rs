//! Limits on requests: of a credential, and of an address that shows none that is taken.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use keyway_shared::github::is_token_format;
use keyway_shared::queue::Allowance;

use crate::error::ApiError;
use crate::extract::{Caller, client_address, network_of};
use crate::state::ApiState;

/// What machines of the operator's ask, and what they need no credential for.
const EXEMPT: [&str; 5] = ["/healthz", "/readyz", "/metrics", "/health", "/v1/health"];

/// As in the drafts of "RateLimit header fields for HTTP" up to the seventh, which clients read.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Around every handler: counts the request, and answers 429 when it is one too many.
pub(crate) async fn limit(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let options = &state.options;
    let route = request.extensions().get::<MatchedPath>();
    let exempt = route.is_some_and(|route| EXEMPT.contains(&route.as_str()));
    if exempt || (options.rate_limit.is_none() && options.address_rate_limit.is_none()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let address = client_address(&state, &parts);
    // GitHub is asked about each token that looks like one of its own: not for anybody without end.
    let asks_outside = state.roles.is_some() && bears_github_token(&parts.headers);
    let mut counted = None;
    if asks_outside {
        counted = of_address(&state, address).await;
        if let Some(refused) = refusal(counted.as_ref(), "address") {
            return refused;
        }
    }
    // What the handler asks for again is kept with the request.
    match Caller::from_request_parts(&mut parts, &state).await {
        Ok(caller) => {
            counted = of_credential(&state, &caller).await;
            if let Some(refused) = refusal(counted.as_ref(), "credential") {
                return refused;
            }
        }
        Err(_) if asks_outside => {}
        Err(_) => {
            counted = of_address(&state, address).await;
            if let Some(refused) = refusal(counted.as_ref(), "address") {
                return refused;
            }
        }
    }
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(allowance) = counted {
        tell(response.headers_mut(), &allowance);
    }
    response
}

fn bears_github_token(headers: &HeaderMap) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .is_some_and(|(_, token)| is_token_format(token.trim()))
}

async fn of_credential(state: &ApiState, caller: &Caller) -> Option<Allowance> {
    let limit = state.options.rate_limit?;
    Some(count(state, &caller.counted_as(), limit).await)
}

async fn of_address(state: &ApiState, address: Option<IpAddr>) -> Option<Allowance> {
    let limit = state.options.address_rate_limit?;
    let name = address.map_or_else(
        || "address:unknown".to_owned(),
        |address| format!("address:{}", network_of(address)),
    );
    Some(count(state, &name, limit).await)
}

async fn count(state: &ApiState, caller: &str, limit: u32) -> Allowance {
    let now = state.ambient.now().timestamp_millis();
    state.queue.limits().count(caller, limit, now).await
}

/// The answer to a request that may not pass.
fn refusal(allowance: Option<&Allowance>, by: &'static str) -> Option<Response> {
    let allowance = allowance.filter(|allowance| !allowance.passes)?;
    metrics::counter!("keyway_requests_limited_total", "by" => by).increment(1);
    let refused = ApiError::RateLimited {
        retry_after: allowance.retry_after,
    };
    let mut response = refused.into_response();
    tell(response.headers_mut(), allowance);
    Some(response)
}

fn tell(headers: &mut HeaderMap, allowance: &Allowance) {
    headers.insert(LIMIT, HeaderValue::from(allowance.limit));
    headers.insert(REMAINING, HeaderValue::from(allowance.remaining));
    headers.insert(RESET, HeaderValue::from(allowance.reset));
}
