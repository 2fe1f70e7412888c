//! `POST /v1/github/check-installation`

use axum::extract::State;
use keyway_shared::github::SignIn;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::roles;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json};
use crate::schema::{Body, Guarded};
use crate::state::ApiState;
use crate::validate;

/// Where people see which apps they have installed, when no app tells.
const INSTALLATIONS: &str = "https://github.com/settings/installations";

/// Which repository.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckInstallation {
    #[schema(example = "acme")]
    repo_owner: String,
    #[schema(example = "web")]
    repo_name: String,
}

/// Whether anything is left to install.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Installation {
    /// False when people sign in through a GitHub App that does not show them the repository.
    installed: bool,
    /// Where to install it.
    install_url: String,
    message: &'static str,
}

/// Check an app's installation
///
/// For existing clients, which ask before they make a vault. True unless people sign in here through a
/// GitHub App, and what GitHub shows the caller through it does not have the repository.
#[utoipa::path(post, path = "/v1/github/check-installation", tag = "github",
    responses((status = 200, body = Envelope<Installation>), Guarded, Body))]
pub(crate) async fn check_installation(
    State(state): State<ApiState>,
    caller: Caller,
    Json(body): Json<CheckInstallation>,
) -> Result<Data<Installation>, ApiError> {
    let full_name = format!("{}/{}", body.repo_owner, body.repo_name);
    let (owner, repo) = validate::repo("repoName", &full_name)?;
    let sign_in = state.roles.as_ref().and_then(|roles| roles.sign_in());
    let Some(install_url) = sign_in.and_then(SignIn::installations_url) else {
        return Ok(Data(Installation {
            installed: true,
            install_url: INSTALLATIONS.to_owned(),
            message: "No app has to be installed",
        }));
    };
    let (installed, message) = match roles::repository(&state, &caller, owner, repo).await {
        Ok(_) => (true, "The app shows you the repository"),
        Err(ApiError::NotFound(_)) => (
            false,
            "The app does not show you the repository: install it there, or the repository is not yours",
        ),
        Err(error) => return Err(error),
    };
    Ok(Data(Installation {
        installed,
        install_url,
        message,
    }))
}
