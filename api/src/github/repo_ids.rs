//! `GET /v1/github/repo-ids`

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::Query;
use crate::schema::{Invalid, Open};
use crate::validate;

/// Which repository.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RepoIdsQuery {
    /// `owner/repo`
    #[param(example = "acme/web")]
    repo: String,
}

/// Its numbers at GitHub.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepoIds {
    /// Always null.
    owner_id: Option<i64>,
    /// Always null.
    repo_id: Option<i64>,
}

/// Get a repository's numbers
///
/// For existing clients, which ask before anybody has signed in. Nobody is told here which repositories
/// there are, so both are null, whatever is asked for; nothing here needs them.
#[utoipa::path(get, path = "/v1/github/repo-ids", tag = "github", security(()), params(RepoIdsQuery),
    responses((status = 200, body = Envelope<RepoIds>), Invalid, Open))]
pub(crate) async fn get_repo_ids(
    Query(query): Query<RepoIdsQuery>,
) -> Result<Data<RepoIds>, ApiError> {
    validate::repo("repo", &query.repo)?;
    Ok(Data(RepoIds {
        owner_id: None,
        repo_id: None,
    }))
}
