//! Every answer that is not a success, as problem documents (RFC 9457).
//!
//! A 4xx says what the caller can do about it. The text of a 5xx is constant; what happened goes to
//! the log, once, with the request's id. No value of a secret and no token is ever part of either.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keyway_shared::domain::access::Denied;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::names::MAX_SECRETS;
use keyway_shared::domain::vault::Role;
use keyway_shared::store::{Constraint, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::Context;

/// Where the codes are described.
const TYPE_BASE: &str = "https://keyway.sh/errors/";
/// Most fields that `detail` names; `errors` has them all.
const MAX_IN_DETAIL: usize = 5;
/// Seconds after which it is worth trying again when storage is away.
const STORE_RETRY_AFTER: u64 = 2;
/// Seconds after which it is worth trying again when two requests met.
const RACE_RETRY_AFTER: u64 = 1;

/// One field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, with the path to it: `secrets.API_KEY`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl FieldError {
    /// Says what is wrong with a field. The message must not repeat the value.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// The 409s that clients tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictCode {
    /// Something else stands against it.
    Conflict,
    /// The plan expired, was used, or no longer holds.
    PlanStale,
    /// The same `Idempotency-Key` with another body.
    IdempotencyMismatch,
    /// The provider no longer accepts the credential.
    ReconnectRequired,
    /// The source has no secrets and the request did not confirm that.
    EmptySource,
    /// More deletions than may be made without a word.
    TooManyDeletes,
    /// A stored value does not decrypt.
    VaultCorrupt,
    /// Not all of the provider's side could be seen.
    IncompleteView,
}

impl ConflictCode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::PlanStale => "plan-stale",
            Self::IdempotencyMismatch => "idempotency-mismatch",
            Self::ReconnectRequired => "reconnect-required",
            Self::EmptySource => "empty-source",
            Self::TooManyDeletes => "too-many-deletes",
            Self::VaultCorrupt => "vault-corrupt",
            Self::IncompleteView => "incomplete-view",
        }
    }
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 400: not JSON, or something that no field is to blame for.
    #[error("{0}")]
    BadRequest(Cow<'static, str>),
    /// 400: the provider does not accept the pasted token.
    #[error("{0}")]
    InvalidToken(Cow<'static, str>),
    /// 401
    #[error("{0}")]
    Unauthorized(&'static str),
    /// 403
    #[error("{0}")]
    Forbidden(Cow<'static, str>),
    /// 404: there is none, or it is not the caller's.
    #[error("{0}")]
    NotFound(Cow<'static, str>),
    /// 405
    #[error("the path does not take this method")]
    MethodNotAllowed,
    /// 409
    #[error("{1}")]
    Conflict(ConflictCode, Cow<'static, str>),
    /// 409: the same request, with the same `Idempotency-Key`, has not been answered yet.
    #[error("the request is on its way")]
    UnderWay {
        /// Seconds until it is worth trying again.
        retry_after: u64,
    },
    /// 413
    #[error("the body is longer than {limit} bytes")]
    PayloadTooLarge {
        /// The longest body that is taken.
        limit: usize,
    },
    /// 415
    #[error("the body must be application/json")]
    UnsupportedMediaType,
    /// 422
    #[error("validation failed")]
    Validation(Vec<FieldError>),
    /// 429
    #[error("too many requests")]
    RateLimited {
        /// Seconds until it is worth trying again.
        retry_after: u64,
    },
    /// 429: the caller has as much open as it may.
    #[error("too much is open at once")]
    TooManyOpen {
        /// How much may be.
        limit: u32,
        /// Of what: the rest of the sentence.
        rule: &'static str,
        /// Seconds until it is worth trying again.
        retry_after: u64,
    },
    /// 414
    #[error("the address is longer than {limit} bytes")]
    AddressTooLong {
        /// The longest that is taken.
        limit: usize,
    },
    /// 431
    #[error("more than {limit} header fields")]
    TooManyHeaders {
        /// The most that are taken.
        limit: usize,
    },
    /// 500
    #[error("internal error")]
    Internal,
    /// 502: a sentence of ours about what the provider did.
    #[error("{0}")]
    Provider(&'static str),
    /// 503
    #[error("{detail}")]
    Unavailable {
        /// A sentence of ours.
        detail: &'static str,
        /// Seconds until it is worth trying again.
        retry_after: u64,
        /// Path of a resource to look at instead.
        location: Option<String>,
    },
}

impl ApiError {
    /// 400
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::BadRequest(detail.into())
    }

    /// 403
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Forbidden(detail.into())
    }

    /// 404 of a kind of thing: `not_found("vault")` reads "Vault not found".
    pub fn not_found(what: &'static str) -> Self {
        let mut letters = what.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        let text: String = first.into_iter().chain(letters).collect();
        Self::NotFound(format!("{text} not found").into())
    }

    /// 409 `conflict`
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Conflict(ConflictCode::Conflict, detail.into())
    }

    /// 422 of one field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Validation(vec![FieldError::new(field, message)])
    }

    /// 403 for a key without these scopes.
    pub fn missing_scopes(scopes: &[Scope]) -> Self {
        let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        Self::forbidden(format!(
            "API key missing required scope(s): {}",
            words.join(", ")
        ))
    }

    /// 403 for a member whose role is not enough.
    pub fn role(needed: Role, own: Role) -> Self {
        Self::forbidden(format!(
            "This needs the role {needed} in the vault; your role is {own}"
        ))
    }

    /// 503 that says nothing but to come back.
    pub fn unavailable(retry_after: u64) -> Self {
        Self::Unavailable {
            detail: "The service cannot answer right now. Please try again.",
            retry_after,
            location: None,
        }
    }

    /// 500, after it was logged.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = chain(error), "request failed");
        Self::Internal
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.parts().0
    }

    /// The stable word, the last part of `type`.
    pub fn code(&self) -> &'static str {
        self.parts().1
    }

    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request", "Bad request"),
            Self::InvalidToken(_) => (StatusCode::BAD_REQUEST, "invalid-token", "Invalid token"),
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Method not allowed",
            ),
            Self::Conflict(code, _) => (StatusCode::CONFLICT, code.as_str(), "Conflict"),
            Self::UnderWay { .. } => (
                StatusCode::CONFLICT,
                ConflictCode::Conflict.as_str(),
                "Conflict",
            ),
            Self::PayloadTooLarge { .. } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload-too-large",
                "Payload too large",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Unsupported media type",
            ),
            Self::Validation(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "validation-error",
                "Validation failed",
            ),
            Self::AddressTooLong { .. } => {
                (StatusCode::URI_TOO_LONG, "uri-too-long", "URI too long")
            }
            Self::TooManyHeaders { .. } => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "header-too-large",
                "Header too large",
            ),
            Self::RateLimited { .. } | Self::TooManyOpen { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate-limited",
                "Too many requests",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Internal error",
            ),
            Self::Provider(_) => (StatusCode::BAD_GATEWAY, "provider-error", "Provider error"),
            Self::Unavailable { .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Service unavailable",
            ),
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::BadRequest(detail)
            | Self::InvalidToken(detail)
            | Self::Forbidden(detail)
            | Self::NotFound(detail)
            | Self::Conflict(_, detail) => detail.clone(),
            Self::Unauthorized(detail)
            | Self::Provider(detail)
            | Self::Unavailable { detail, .. } => Cow::Borrowed(detail),
            Self::MethodNotAllowed => "This path does not take this method".into(),
            Self::PayloadTooLarge { limit } => {
                format!("The body is longer than {limit} bytes").into()
            }
            Self::UnderWay { .. } => {
                "A request with this Idempotency-Key is on its way. Send it again in a moment."
                    .into()
            }
            Self::UnsupportedMediaType => {
                "The body must be JSON: send Content-Type: application/json".into()
            }
            Self::Validation(errors) => sentence(errors).into(),
            Self::RateLimited { retry_after } => {
                format!("Too many requests. Try again in {retry_after} s.").into()
            }
            Self::TooManyOpen { limit, rule, .. } => format!("At most {limit} {rule}.").into(),
            Self::AddressTooLong { limit } => {
                format!("The address of the request is longer than {limit} bytes").into()
            }
            Self::TooManyHeaders { limit } => {
                format!("The request has more than {limit} header fields").into()
            }
            Self::Internal => "Something went wrong on our side. The request id helps us to find \
                               out what."
                .into(),
        }
    }
}

/// The first few fields that do not fit, in one line.
fn sentence(errors: &[FieldError]) -> String {
    let mut parts: Vec<_> = errors
        .iter()
        .take(MAX_IN_DETAIL)
        .map(|error| {
            if error.field.is_empty() {
                error.message.clone()
            } else {
                format!("{} {}", error.field, error.message)
            }
        })
        .collect();
    if errors.len() > MAX_IN_DETAIL {
        parts.push(format!("and {} more", errors.len() - MAX_IN_DETAIL));
    }
    parts.join("; ")
}

/// The text of an error and of what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Conflict(constraint) => Self::conflict(match constraint {
                Constraint::UsersUsername => "A user of this name exists already",
                Constraint::GitHubAccount => "The account at GitHub has a user already",
                Constraint::VaultsRepo => "A vault exists for this repository already",
                Constraint::EnvironmentsName => "An environment of this name exists already",
                Constraint::SecretsKey => "A secret of this name exists in the environment already",
                Constraint::ConnectionsAccount => "This account is connected already",
                Constraint::LinksDestination => "This destination is linked already",
                Constraint::LinksHolder => "This destination is linked with another vault",
                Constraint::JobsProjectRunning => "A job of this project is running",
                Constraint::ApiKeysToken | Constraint::Other => "It exists already",
            }),
            StoreError::TooMany { limit } if *limit == MAX_SECRETS => Self::field(
                "secrets",
                format!("an environment holds at most {limit} secrets"),
            ),
            StoreError::TooMany { limit } => {
                Self::Validation(vec![FieldError::new("", format!("at most {limit}"))])
            }
            StoreError::Corrupt { .. } => {
                tracing::error!(error = chain(&error), "a stored value does not decrypt");
                Self::Conflict(
                    ConflictCode::VaultCorrupt,
                    "A stored value cannot be decrypted: it is damaged or was moved. Write it \
                     again, or restore a backup."
                        .into(),
                )
            }
            transient if transient.is_transient() => {
                tracing::warn!(error = chain(&error), "storage is unavailable");
                Self::unavailable(STORE_RETRY_AFTER)
            }
            // It was there a moment ago, in the same unit of work: another request took it away. The
            // next try will say so.
            StoreError::RowsAffected { rows: 0, .. } => {
                tracing::warn!(error = chain(&error), "two requests met");
                Self::unavailable(RACE_RETRY_AFTER)
            }
            StoreError::Database(_)
            | StoreError::Unavailable(_)
            | StoreError::Inconsistent { .. }
            | StoreError::RowsAffected { .. }
            | StoreError::UnknownKey { .. }
            | StoreError::WrongKey { .. }
            | StoreError::Migrate(_)
            | StoreError::Url { .. } => Self::internal(&error),
        }
    }
}

impl From<Denied> for ApiError {
    fn from(why: Denied) -> Self {
        Self::forbidden(why.to_string())
    }
}

impl From<Infallible> for ApiError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A problem document.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Identifies the kind of problem; ends with `code`.
    #[schema(example = "https://keyway.sh/errors/not-found")]
    pub r#type: String,
    /// The kind of problem for people.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened, and what can be done.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
    /// The stable word to match on.
    pub code: &'static str,
    /// The id that logs know this request by.
    pub request_id: String,
    /// The same, under the name that older clients read.
    pub trace_id: String,
    /// The fields that do not fit; only with `validation-error`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let context = Context::current();
        let (status, code, title) = self.parts();
        let detail = self.detail().into_owned();
        let (mut retry_after, mut location) = (None, None);
        let errors = match self {
            Self::Validation(errors) => errors,
            Self::RateLimited { retry_after: after }
            | Self::UnderWay { retry_after: after }
            | Self::TooManyOpen {
                retry_after: after, ..
            } => {
                retry_after = Some(after);
                Vec::new()
            }
            Self::Unavailable {
                retry_after: after,
                location: at,
                ..
            } => {
                (retry_after, location) = (Some(after), at);
                Vec::new()
            }
            _ => Vec::new(),
        };
        let mut response = Json(Problem {
            r#type: format!("{TYPE_BASE}{code}"),
            title,
            status: status.as_u16(),
            detail,
            instance: context.path.as_ref().to_owned(),
            code,
            request_id: context.request_id.as_ref().to_owned(),
            trace_id: context.request_id.as_ref().to_owned(),
            errors,
        })
        .into_response();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if !context.plain_json {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/problem+json"),
            );
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"keyway\""),
            );
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(location) = location.and_then(|at| HeaderValue::from_str(&at).ok()) {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}
