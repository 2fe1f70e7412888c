//! The cookies of a browser that is signed in.
//!
//! The session's token is in a cookie that scripts cannot read. Existing pages log out by clearing
//! both cookies by script, which reaches only the other one: so the first counts together with it.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use url::Url;

use crate::error::ApiError;
use crate::options::ApiOptions;
use crate::state::ApiState;

/// Holds the session's token.
const SESSION: &str = "keyway_session";
/// Tells pages that there is one.
const LOGGED_IN: &str = "keyway_logged_in";

/// The token of the session that the browser is signed in with.
pub(crate) fn session(headers: &HeaderMap) -> Option<&str> {
    all(headers, LOGGED_IN).find(|value| *value == "true")?;
    all(headers, SESSION).next()
}

fn all<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// 403 for a request with a cookie that may change something and does not come from a page of ours,
/// or of one of the origins that may call with credentials. Browsers name the origin of each such
/// request.
pub(crate) fn check_origin(
    options: &ApiOptions,
    method: &Method,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    let own = Url::parse(&options.public_url).map(|own| own.origin().ascii_serialization());
    let known = origin.is_some_and(|origin| {
        options.cors_origins.iter().any(|known| known == origin) || own.as_deref() == Ok(origin)
    });
    if known {
        Ok(())
    } else {
        Err(ApiError::forbidden(
            "A request with a cookie must come from a page of an allowed origin: see \
             KEYWAY_CORS_ORIGINS. Other clients send the token in the header Authorization",
        ))
    }
}

/// Removes both cookies.
pub(crate) fn clear(options: &ApiOptions, headers: &mut HeaderMap) {
    for name in [SESSION, LOGGED_IN] {
        set(options, headers, name, "", 0);
    }
}

fn set(options: &ApiOptions, headers: &mut HeaderMap, name: &str, value: &str, age: u32) {
    let hidden = if name == SESSION { "; HttpOnly" } else { "" };
    let secure = if options.public_url.starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!("{name}={value}; Path=/; Max-Age={age}; SameSite=Lax{hidden}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// Around every handler: a browser whose session is refused is rid of its cookies.
pub(crate) async fn tidy(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let by_cookie = !request.headers().contains_key(header::AUTHORIZATION)
        && all(request.headers(), SESSION).next().is_some();
    let mut response = next.run(request).await;
    if by_cookie && response.status() == StatusCode::UNAUTHORIZED {
        clear(&state.options, response.headers_mut());
    }
    response
}
