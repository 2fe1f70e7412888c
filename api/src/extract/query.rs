//! Query strings.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::field;
use crate::error::{ApiError, FieldError};
use crate::state::ApiState;

const DEFAULT_LIMIT: i64 = 25;
const MAX_LIMIT: i64 = 100;

/// A query whose unknown parameters are ignored; a wrong or missing one is 422, naming it.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// As [`Query`], and unknown parameters are 422.
#[derive(Debug)]
pub struct StrictQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<ApiState> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        parse(parts).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequestParts<ApiState> for StrictQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        let names: Vec<_> = pairs(parts).map(|(name, _)| name).collect();
        field::refuse_unknown::<T>(names.iter().map(AsRef::as_ref))?;
        parse(parts).map(Self)
    }
}

fn pairs(parts: &Parts) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
}

fn parse<T: DeserializeOwned>(parts: &Parts) -> Result<T, ApiError> {
    let query = serde_html_form::Deserializer::new(pairs(parts));
    serde_path_to_error::deserialize(query)
        .map_err(|error| field::validation(error.path(), &error.inner().to_string()))
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Most entries in the answer.
    #[param(required = false, minimum = 1, maximum = 100, default = 25)]
    pub limit: i64,
    /// Entries to leave out at the beginning.
    #[param(required = false, minimum = 0, default = 0)]
    pub offset: i64,
}

#[derive(Deserialize)]
struct RawPage {
    limit: Option<String>,
    offset: Option<String>,
}

impl FromRequestParts<ApiState> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        let raw: RawPage = parse(parts)?;
        let mut errors = Vec::new();
        let mut number = |name: &str, text: Option<String>, default, max| match text {
            None => default,
            Some(text) => match text.parse::<i64>() {
                Ok(number) if (i64::from(name == "limit")..=max).contains(&number) => number,
                _ => {
                    errors.push(FieldError::new(
                        name,
                        if name == "limit" {
                            "must be a number from 1 to 100"
                        } else {
                            "must be a number from 0"
                        },
                    ));
                    default
                }
            },
        };
        let page = Self {
            limit: number("limit", raw.limit, DEFAULT_LIMIT, MAX_LIMIT),
            offset: number("offset", raw.offset, 0, i64::from(u32::MAX)),
        };
        if errors.is_empty() {
            Ok(page)
        } else {
            Err(ApiError::Validation(errors))
        }
    }
}
