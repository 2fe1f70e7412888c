//! `POST /v1/vaults`

use axum::extract::State;
use keyway_shared::domain::access::EnvironmentRules;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::{Environment, EnvironmentKind, Role, Vault};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::roles;
use crate::envelope::{Created, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json};
use crate::schema::{Body, Conflicting, Guarded, Missing};
use crate::state::ApiState;
use crate::validate;

/// The environments of a new vault, in order of display.
const ENVIRONMENTS: [&str; 3] = ["development", "staging", "production"];

/// What to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateVault {
    /// `owner/repo`; names are told apart without regard to case.
    #[schema(
        example = "acme/web",
        pattern = "^[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}$"
    )]
    repo_full_name: String,
}

/// What was created.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedVault {
    id: Uuid,
    /// The same as `id`.
    vault_id: Uuid,
    repo_full_name: String,
    environments: Vec<&'static str>,
    message: &'static str,
}

/// Create a vault
///
/// It has the environments `development`, `staging` and `production`, and its creator as admin. In GitHub mode the creator must be an admin of the
/// repository.
#[utoipa::path(post, path = "/v1/vaults", tag = "vaults",
    responses((status = 201, body = Envelope<CreatedVault>), Guarded, Missing, Body, Conflicting))]
pub(crate) async fn create_vault(
    State(state): State<ApiState>,
    caller: Caller,
    Json(body): Json<CreateVault>,
) -> Result<Created<CreatedVault>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let (owner, repo) = validate::repo("repoFullName", &body.repo_full_name)?;
    let repository = roles::repository(&state, &caller, owner, repo).await?;
    if let Some(repository) = &repository
        && repository.role < Some(Role::Admin)
    {
        return Err(ApiError::forbidden(
            "Only an admin of the repository can create its vault",
        ));
    }

    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let vault = Vault {
        id: state.ambient.new_id(),
        created_by: caller.user.id,
        repo_owner: owner.to_owned(),
        repo_name: repo.to_owned(),
        created_at: now,
        updated_at: now,
    };
    let environments: Vec<_> = (0..)
        .zip(ENVIRONMENTS)
        .map(|(display_order, name)| Environment {
            id: state.ambient.new_id(),
            vault_id: vault.id,
            name: name.to_owned(),
            kind: EnvironmentKind::from_name(name),
            rules: EnvironmentRules::default(),
            display_order,
            revision: 0,
            created_at: now,
        })
        .collect();
    tx.insert_vault(&vault, &environments).await?;
    if let Some(repository) = &repository {
        tx.bind_github_repository(vault.id, repository.id).await?;
    }
    let action = Action::VaultCreated;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), json!({}))
        .await?;
    tx.commit().await?;

    Ok(Created(CreatedVault {
        id: vault.id,
        vault_id: vault.id,
        repo_full_name: vault.repo_full_name(),
        environments: ENVIRONMENTS.to_vec(),
        message: "Vault created",
    }))
}
