//! The shape of successful answers: `{"data": …, "meta": {"requestId": …}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use keyway_shared::secret::Secret;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::context::request_id;
use crate::extract::Page;
use crate::idempotency::BearsSecret;

/// A point in time: RFC 3339, UTC, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-15T10:00:00.000Z")]
pub struct Timestamp(pub DateTime<Utc>);

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// Writes a secret into an answer that is there to show it. Until then it stays in its wrapper, and is wiped
/// with it.
pub(crate) fn shown<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// What is known of the request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The id that logs know this request by; also in the header `X-Request-Id`.
    pub request_id: String,
}

/// A successful answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Envelope<T> {
    /// The answer itself.
    pub data: T,
    /// About the request.
    pub meta: Meta,
}

/// Which part of a list this is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// Entries in the whole list.
    pub total: i64,
    /// Most entries in one answer.
    pub limit: i64,
    /// Entries left out at the beginning.
    pub offset: i64,
    /// Whether more follow.
    pub has_more: bool,
    /// Pass it as `cursor` to go on from here. Only in lists that take a cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What is known of the request and the list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListMeta {
    /// Which part of the list this is.
    pub pagination: Pagination,
    /// The id that logs know this request by; also in the header `X-Request-Id`.
    pub request_id: String,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListEnvelope<T> {
    /// The entries.
    pub data: Vec<T>,
    /// About the request and the list.
    pub meta: ListMeta,
}

fn meta() -> Meta {
    Meta {
        request_id: request_id().as_ref().to_owned(),
    }
}

/// 200 with one thing.
#[derive(Debug)]
pub struct Data<T>(pub T);

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        Json(Envelope {
            data: self.0,
            meta: meta(),
        })
        .into_response()
    }
}

/// 201 with what was created.
#[derive(Debug)]
pub struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Data(self.0)).into_response()
    }
}

/// 200 with a secret, which is shown this once only: the answer is not kept for a request that is sent
/// again.
#[derive(Debug)]
pub struct ShownOnce<T>(pub T);

impl<T: Serialize> IntoResponse for ShownOnce<T> {
    fn into_response(self) -> Response {
        let mut response = Data(self.0).into_response();
        response.extensions_mut().insert(BearsSecret);
        response
    }
}

/// 202 with what was accepted, and where to look for its end.
#[derive(Debug)]
pub struct Accepted<T> {
    /// What was accepted.
    pub data: T,
    /// Path of the resource to look at.
    pub location: String,
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::ACCEPTED, Data(self.data)).into_response();
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// 204 without a body.
#[derive(Debug)]
pub struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// 200 with a page of a list.
#[derive(Debug)]
pub struct Listed<T> {
    items: Vec<T>,
    pagination: Pagination,
}

impl<T> Listed<T> {
    /// A page of a list that has `total` entries.
    pub fn new(items: Vec<T>, total: i64, page: Page) -> Self {
        let end = page.offset + items.len() as i64;
        Self {
            pagination: Pagination {
                total,
                limit: page.limit,
                offset: page.offset,
                has_more: end < total,
                next_cursor: None,
            },
            items,
        }
    }

    /// A page of a list that grows without bound: `next` is where the following page begins, `None`
    /// at the end. This, not the total, tells whether more follow.
    pub fn with_cursor(items: Vec<T>, total: i64, page: Page, next: Option<String>) -> Self {
        let mut listed = Self::new(items, total, page);
        listed.pagination.has_more = next.is_some();
        listed.pagination.next_cursor = next;
        listed
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        Json(ListEnvelope {
            data: self.items,
            meta: ListMeta {
                pagination: self.pagination,
                request_id: request_id().as_ref().to_owned(),
            },
        })
        .into_response()
    }
}
