//! Forms of our own pages.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::de::DeserializeOwned;

use super::body::bytes;
use crate::error::ApiError;
use crate::state::ApiState;

/// The fields of a form, which has as much room and time as any body.
#[derive(Debug)]
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let mut whole = Request::new(Body::empty());
        request.method().clone_into(whole.method_mut());
        if let Some(kind) = request.headers().get(header::CONTENT_TYPE) {
            whole
                .headers_mut()
                .insert(header::CONTENT_TYPE, kind.clone());
        }
        *whole.body_mut() = Body::from(bytes(request, state).await?);
        let form = axum::Form::from_request(whole, state).await;
        form.map(|axum::Form(fields)| Self(fields))
            .map_err(|_| ApiError::bad_request("The body is not the form of this page"))
    }
}
