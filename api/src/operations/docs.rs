//! `GET /docs`

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_swagger_ui::Config;

use crate::error::ApiError;
use crate::schema::Open;

/// Everything comes from this host; React sets styles of elements, nothing else is inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; font-src 'self'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(
        Config::new(["/openapi.json"])
            .validator_url("none")
            .try_it_out_enabled(true)
            .display_request_duration(true)
            .filter(true),
    )
});

/// Read the reference
///
/// This document as pages. They load nothing from other hosts.
#[utoipa::path(get, path = "/docs", tag = "operations", security(()),
    responses((status = 303, description = "See `/docs/`."), Open))]
pub(crate) async fn get_docs() -> Redirect {
    Redirect::to("/docs/")
}

/// The first page.
pub(crate) async fn index() -> Response {
    file("index.html")
}

/// What the pages load.
pub(crate) async fn asset(Path(path): Path<String>) -> Response {
    file(&path)
}

fn file(path: &str) -> Response {
    match utoipa_swagger_ui::serve(path, Arc::clone(&CONFIG)) {
        Ok(Some(file)) => (
            [
                (header::CONTENT_TYPE, file.content_type),
                (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
            ],
            file.bytes.into_owned(),
        )
            .into_response(),
        Ok(None) => ApiError::NotFound("There is nothing at this path".into()).into_response(),
        Err(error) => {
            tracing::error!(%error, "the reference cannot be shown");
            ApiError::Internal.into_response()
        }
    }
}
