//! Parts of the path. What does not look like an id names nothing, so it is 404.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use keyway_shared::domain::names::is_repo_part;
use keyway_shared::domain::vault::{Role, VaultAccess};
use keyway_shared::store::Tx;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Caller;
use crate::auth::roles;
use crate::error::ApiError;
use crate::idempotency::rests_on_role;
use crate::state::ApiState;

/// Parts of the path by name, as a struct.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<ApiState> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(path)| Self(path))
            .map_err(|_| ApiError::NotFound("Not found".into()))
    }
}

/// The vault that the path names by `{owner}/{repo}`. Not yet looked up: see [`VaultPath::open`].
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct VaultPath {
    /// Owner of the repository.
    pub owner: String,
    /// Name of the repository.
    pub repo: String,
}

impl FromRequestParts<ApiState> for VaultPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::not_found("vault"))?;
        let part = |name| {
            params
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
                .filter(|value| is_repo_part(value))
        };
        let (Some(owner), Some(repo)) = (part("owner"), part("repo")) else {
            return Err(ApiError::not_found("vault"));
        };
        if state.roles.is_some() {
            let caller = Caller::from_request_parts(parts, state).await?;
            roles::of_repository(state, &caller, &owner, &repo).await?;
        }
        Ok(Self { owner, repo })
    }
}

impl VaultPath {
    /// The vault, when the caller is a member: else 404, or 403 when the role is not enough.
    pub async fn open(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        needed: Role,
    ) -> Result<VaultAccess, ApiError> {
        open_vault(tx, caller, &self.owner, &self.repo, needed).await
    }
}

/// As [`VaultPath::open`], for a vault that the body or the query names.
pub(crate) async fn open_vault(
    tx: &mut Tx,
    caller: &Caller,
    owner: &str,
    repo: &str,
    needed: Role,
) -> Result<VaultAccess, ApiError> {
    let access = tx
        .find_vault(caller.user.id, owner, repo)
        .await?
        .ok_or_else(|| ApiError::not_found("vault"))?;
    if access.role < needed {
        return Err(ApiError::role(needed, access.role));
    }
    rests_on_role(access.vault.id, needed);
    Ok(access)
}
