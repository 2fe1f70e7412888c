//! `GET /v1/secrets/pull`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::dotenv;
use keyway_shared::domain::vault::Role;
use keyway_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::open_environment;
use crate::auth::roles;
use crate::envelope::{Data, Envelope, shown};
use crate::error::{ApiError, ConflictCode};
use crate::extract::{Caller, Query, open_vault};
use crate::schema::{Conflicting, Guarded, Invalid, Missing};
use crate::state::ApiState;
use crate::validate;

/// What to pull.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PullQuery {
    /// `owner/repo` of the vault.
    #[param(example = "acme/web")]
    repo: String,
    /// Name of the environment.
    #[param(example = "production")]
    environment: String,
}

/// The secrets of an environment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pulled {
    /// Text of a `.env` file.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    content: Secret,
}

/// Pull secrets
///
/// As the text of a `.env` file. 404 when the environment has none.
#[utoipa::path(get, path = "/v1/secrets/pull", tag = "secrets", params(PullQuery),
    responses((status = 200, body = Envelope<Pulled>), Guarded, Missing, Invalid, Conflicting))]
pub(crate) async fn pull_secrets(
    State(state): State<ApiState>,
    caller: Caller,
    Query(query): Query<PullQuery>,
) -> Result<Data<Pulled>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let (owner, repo) = validate::repo("repo", &query.repo)?;

    roles::of_repository(&state, &caller, owner, repo).await?;
    let mut tx = state.store.begin().await?;
    let access = open_vault(&mut tx, &caller, owner, repo, Role::Read).await?;
    let environment =
        open_environment(&mut tx, &caller, &access, &query.environment, Access::Read).await?;
    let vault = access.vault;
    let snapshot = tx.read_environment(vault.id, environment.id).await?;
    if !snapshot.corrupt.is_empty() {
        // A file without them would look complete, and pushing it would delete them.
        return Err(ApiError::Conflict(
            ConflictCode::VaultCorrupt,
            format!(
                "These secrets cannot be decrypted: {}. Write them again, or restore a backup.",
                snapshot.corrupt.join(", ")
            )
            .into(),
        ));
    }
    if snapshot.values.is_empty() {
        return Err(ApiError::NotFound(
            format!("No secrets found in environment '{}'", environment.name).into(),
        ));
    }
    let now = tx.now().await?;
    let metadata = json!({ "environment": environment.name, "count": snapshot.values.len() });
    let action = Action::SecretsPulled;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(Data(Pulled {
        content: dotenv::write(&snapshot.values),
    }))
}
