//! Roles in GitHub mode: GitHub is asked before a unit of work looks a role up. In local mode there is
//! nothing to ask.

use keyway_shared::github::{Repository, RoleError};
use uuid::Uuid;

use crate::error::ApiError;
use crate::extract::Caller;
use crate::state::ApiState;

impl From<RoleError> for ApiError {
    fn from(error: RoleError) -> Self {
        match error {
            RoleError::BadToken => Self::Unauthorized("Invalid access token"),
            RoleError::SignInAgain => Self::forbidden(
                "GitHub has to be asked for your role, and takes no token of yours. Sign in through \
                 GitHub again",
            ),
            RoleError::NotNow { retry_after } => Self::Unavailable {
                detail: "GitHub cannot be asked for your role right now. Please try again.",
                retry_after,
                location: None,
            },
            RoleError::Store(error) => error.into(),
        }
    }
}

/// Before the vault of a repository is opened.
pub(crate) async fn of_repository(
    state: &ApiState,
    caller: &Caller,
    owner: &str,
    repo: &str,
) -> Result<(), ApiError> {
    if let Some(roles) = &state.roles {
        let token = caller.credential.github_token();
        roles
            .of_repository(caller.user.id, token, owner, repo)
            .await?;
    }
    Ok(())
}

/// Before a vault is opened by its id.
pub(crate) async fn of_vault(
    state: &ApiState,
    caller: &Caller,
    vault: Uuid,
) -> Result<(), ApiError> {
    if let Some(roles) = &state.roles {
        let token = caller.credential.github_token();
        roles.of_vault(caller.user.id, token, vault).await?;
    }
    Ok(())
}

/// Before a job is opened.
pub(crate) async fn of_job(state: &ApiState, caller: &Caller, job: Uuid) -> Result<(), ApiError> {
    if let Some(roles) = &state.roles {
        let token = caller.credential.github_token();
        roles.of_job(caller.user.id, token, job).await?;
    }
    Ok(())
}

/// Before a list of what is in all vaults of the caller.
pub(crate) async fn of_all(state: &ApiState, caller: &Caller) -> Result<(), ApiError> {
    if let Some(roles) = &state.roles {
        let token = caller.credential.github_token();
        roles.of_all(caller.user.id, token).await?;
    }
    Ok(())
}

/// The repository as the caller sees it; `None` in local mode, where no repository is needed.
pub(crate) async fn repository(
    state: &ApiState,
    caller: &Caller,
    owner: &str,
    repo: &str,
) -> Result<Option<Repository>, ApiError> {
    let Some(roles) = &state.roles else {
        return Ok(None);
    };
    let token = caller.credential.github_token();
    let repository = roles
        .repository(caller.user.id, token, owner, repo)
        .await?
        .ok_or_else(|| ApiError::not_found("repository"))?;
    Ok(Some(repository))
}

/// 409 in GitHub mode, where nobody here gives roles.
pub(crate) fn are_given_here(state: &ApiState) -> Result<(), ApiError> {
    if state.roles.is_some() {
        return Err(ApiError::conflict(
            "Roles are those of the repository at GitHub: change them there",
        ));
    }
    Ok(())
}
