//! `GET /v1/vaults/{owner}/{repo}/contributors`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::{Member, Role};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// Somebody with a role in a vault.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Contributor {
    login: String,
    /// Picture at GitHub; null in local mode, where users have no account there.
    avatar_url: Option<String>,
    /// Page at GitHub; null in local mode.
    html_url: Option<String>,
    /// `read`, `write` or `admin`.
    permission: &'static str,
}

impl Contributor {
    /// `github` is the origin of GitHub's pages, in GitHub mode.
    fn of(member: Member, github: Option<&str>) -> Self {
        let page = github.map(|github| format!("{github}/{}", member.username));
        Self {
            avatar_url: page.as_ref().map(|page| format!("{page}.png")),
            html_url: page,
            login: member.username,
            permission: member.role.as_str(),
        }
    }
}

/// Who has a role in a vault.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Contributors)]
pub(crate) struct ContributorList {
    /// The vault.
    repo_id: Uuid,
    provider: &'static str,
    contributors: Vec<Contributor>,
}

/// List contributors
///
/// For existing pages: the members of the vault, oldest first. In GitHub mode, those whose role was asked
/// for within the last minute.
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/contributors", tag = "members",
    params(VaultPath),
    responses((status = 200, body = Envelope<ContributorList>), Guarded, Missing))]
pub(crate) async fn list_contributors(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
) -> Result<Data<ContributorList>, ApiError> {
    const GITHUB: &str = "https://github.com";

    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let vault = path.open(&mut tx, &caller, Role::Read).await?.vault;
    let members = tx.list_members(vault.id).await?;
    tx.commit().await?;
    let github = state
        .roles
        .as_ref()
        .map(|roles| roles.sign_in().map_or(GITHUB, |app| app.origin()));
    Ok(Data(ContributorList {
        repo_id: vault.id,
        provider: "github",
        contributors: members
            .into_iter()
            .map(|member| Contributor::of(member, github))
            .collect(),
    }))
}
