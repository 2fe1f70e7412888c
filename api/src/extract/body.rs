//! JSON bodies.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use super::field;
use crate::error::ApiError;
use crate::state::ApiState;

/// How deep objects and lists may stand in one another: ours go to four.
const MAX_DEPTH: usize = 32;

/// A JSON body whose unknown fields are ignored. Malformed JSON is 400; a wrong type or a missing
/// field 422, naming it; too long 413; a content type that is not JSON 415, none is taken as JSON.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// As [`Json`], and unknown fields are 422: for requests in which a misspelt field could widen a
/// write. Fields of objects within need `deny_unknown_fields` of their own.
#[derive(Debug)]
pub struct Strict<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let body = read(request, state).await?;
        parse(&body).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<ApiState> for Strict<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let body = read(request, state).await?;
        // First the unknown fields: a misspelt one tells more than the missing one it stands for.
        if let Ok(fields) = serde_json::from_slice::<serde_json::Map<_, _>>(&body) {
            field::refuse_unknown::<T>(fields.keys().map(String::as_str))?;
        }
        parse(&body).map(Self)
    }
}

async fn read(request: Request, state: &ApiState) -> Result<Bytes, ApiError> {
    if !is_json(request.headers()) {
        return Err(ApiError::UnsupportedMediaType);
    }
    let body = bytes(request, state).await?;
    if is_deep(&body) {
        return Err(ApiError::bad_request(format!(
            "The body has more than {MAX_DEPTH} objects and lists in one another"
        )));
    }
    Ok(body)
}

/// Whether it is nested too deeply, known before anything is made of it. Of what is no JSON this may
/// say either.
fn is_deep(body: &[u8]) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// A body of whatever type.
pub(crate) async fn bytes(request: Request, state: &ApiState) -> Result<Bytes, ApiError> {
    let limit = state.options.connections.body_timeout;
    tokio::time::timeout(limit, Bytes::from_request(request, state))
        .await
        .map_err(|_| ApiError::bad_request("The body did not arrive in time"))?
        .map_err(|rejection: BytesRejection| {
            if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::PayloadTooLarge {
                    limit: state.options.max_body,
                }
            } else {
                ApiError::bad_request("The body ended early")
            }
        })
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let essence = value
        .to_str()
        .ok()
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // serde would read a struct from a list as well.
    if body.trim_ascii_start().first() == Some(&b'[') {
        serde_json::from_slice::<IgnoredAny>(body).map_err(|error| malformed(&error))?;
        return Err(ApiError::field("", "the body must be an object"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize::<_, T>(&mut json).map_err(|error| {
        let inner = error.inner();
        match inner.classify() {
            Category::Data => field::validation(error.path(), &inner.to_string()),
            Category::Syntax | Category::Eof | Category::Io => malformed(inner),
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    if error.line() == 1 && error.column() == 0 {
        return ApiError::bad_request("The body must be a JSON object");
    }
    ApiError::bad_request(format!(
        "The body is not valid JSON: see line {}, column {}",
        error.line(),
        error.column()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_texts() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_deep(nested(MAX_DEPTH).as_bytes()));
        assert!(is_deep(nested(MAX_DEPTH + 1).as_bytes()));
        assert!(is_deep(&vec![b'{'; 1 << 20]));
        let brackets = "[".repeat(100);
        assert!(!is_deep(format!(r#"{{"a":"{brackets}"}}"#).as_bytes()));
        assert!(!is_deep(format!(r#"{{"a":"\"{brackets}"}}"#).as_bytes()));
        assert!(is_deep(format!(r#"{{"a":"\\",{brackets}"#).as_bytes()));
        // One after the other is not in one another.
        assert!(!is_deep("[],".repeat(100).as_bytes()));
    }
}
