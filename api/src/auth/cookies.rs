//! The cookies of a browser that is signed in.
//!
//! The session's token is in a cookie that scripts cannot read. Existing pages log out by clearing
//! both cookies by script, which reaches only the other one: so the first counts together with it.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use keyway_shared::domain::account::{User, UserSession};
use url::Url;

use super::session::LASTS;
use crate::error::ApiError;
use crate::extract::Credential;
use crate::options::ApiOptions;
use crate::state::ApiState;

/// Holds the session's token.
const SESSION: &str = "keyway_session";
/// Seconds that they last: as long as the session.
const AGE: i64 = LASTS.num_seconds();
/// Tells pages that there is one.
const LOGGED_IN: &str = "keyway_logged_in";

/// The token of the session that the browser is signed in with.
pub(crate) fn session(headers: &HeaderMap) -> Option<&str> {
    all(headers, LOGGED_IN).find(|value| *value == "true")?;
    all(headers, SESSION).next()
}

/// The values of a cookie: a browser may have several of one name.
pub(crate) fn all<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Whom the browser is signed in as, for pages that ask who sits before it. One whose session has
/// ended is as good as nobody.
pub(crate) async fn signed_in(
    state: &ApiState,
    headers: &HeaderMap,
) -> Result<Option<(UserSession, User)>, ApiError> {
    let Some(token) = session(headers) else {
        return Ok(None);
    };
    match Credential::of_session(state, token).await {
        Ok((Credential::Session(session), user)) => Ok(Some((session, user))),
        Ok(_) | Err(ApiError::Unauthorized(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a form was sent from a page of our own. Whoever could send one from elsewhere could sign a
/// browser in, or let a device in, in somebody's name.
pub(crate) fn is_from_own_page(options: &ApiOptions, headers: &HeaderMap) -> bool {
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    let own = Url::parse(&options.public_url).map(|own| own.origin().ascii_serialization());
    own.as_deref().ok().is_some_and(|own| origin == Some(own))
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

/// Signs the browser in.
pub(crate) fn sign_in(options: &ApiOptions, headers: &mut HeaderMap, token: &str) {
    set(options, headers, SESSION, token, AGE);
    set(options, headers, LOGGED_IN, "true", AGE);
}

fn set(options: &ApiOptions, headers: &mut HeaderMap, name: &str, value: &str, age: i64) {
    let hidden = if name == SESSION { "; HttpOnly" } else { "" };
    let secure = if options.public_url.starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    let domain = match &options.cookie_domain {
        Some(domain) => format!("; Domain={domain}"),
        None => String::new(),
    };
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={age}; SameSite=Lax{domain}{hidden}{secure}");
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
