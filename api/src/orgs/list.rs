//! `GET /v1/orgs`

use serde_json::Value;

use crate::envelope::{ListEnvelope, Listed};
use crate::error::ApiError;
use crate::extract::{Caller, Page};
use crate::schema::{Guarded, Invalid};

/// List organisations
///
/// For existing pages, whose menus ask for them. There are none here: vaults belong to repositories, and
/// users to themselves.
#[utoipa::path(get, path = "/v1/orgs", tag = "users", params(Page),
    responses((status = 200, body = ListEnvelope<Value>), Guarded, Invalid))]
pub(crate) async fn list_orgs(_: Caller, page: Page) -> Result<Listed<Value>, ApiError> {
    Ok(Listed::new(Vec::new(), 0, page))
}
