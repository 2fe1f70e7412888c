//! `GET /openapi.json`

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;

use crate::schema::Open;

static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| crate::openapi().to_pretty_json().unwrap_or_default().into());

/// Read the OpenAPI document
#[utoipa::path(get, path = "/openapi.json", tag = "operations", security(()),
    responses(
        (status = 200, description = "This document.", body = Object,
            content_type = "application/json"),
        Open))]
pub(crate) async fn get_openapi() -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (content_type, DOCUMENT.clone())
}
