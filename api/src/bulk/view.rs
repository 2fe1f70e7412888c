//! `GET /v1/secrets/view`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use keyway_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::open_environment;
use crate::auth::roles;
use crate::envelope::{Data, Envelope, shown};
use crate::error::ApiError;
use crate::extract::{Caller, Query, open_vault};
use crate::schema::{Conflicting, Guarded, Invalid, Missing};
use crate::state::ApiState;
use crate::validate;

/// What to view.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ViewQuery {
    /// `owner/repo` of the vault.
    #[param(example = "acme/web")]
    repo: String,
    /// Name of the environment.
    #[param(example = "production")]
    environment: String,
    /// Name of the secret.
    #[param(example = "DATABASE_URL")]
    key: String,
}

/// A secret with its value.
#[derive(Serialize, ToSchema)]
pub(crate) struct ViewedSecret {
    key: String,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    value: Secret,
    environment: String,
}

/// View a secret
///
/// Its value, by name.
#[utoipa::path(get, path = "/v1/secrets/view", tag = "secrets", params(ViewQuery),
    responses((status = 200, body = Envelope<ViewedSecret>),
        Guarded, Missing, Invalid, Conflicting))]
pub(crate) async fn view_secret(
    State(state): State<ApiState>,
    caller: Caller,
    Query(query): Query<ViewQuery>,
) -> Result<Data<ViewedSecret>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let (owner, repo) = validate::repo("repo", &query.repo)?;

    roles::of_repository(&state, &caller, owner, repo).await?;
    let mut tx = state.store.begin().await?;
    let access = open_vault(&mut tx, &caller, owner, repo, Role::Read).await?;
    let environment =
        open_environment(&mut tx, &caller, &access, &query.environment, Access::Read).await?;
    let vault = access.vault;
    let missing = || ApiError::not_found("secret");
    let secret = tx
        .find_secret_by_key(vault.id, environment.id, &query.key)
        .await?
        .ok_or_else(missing)?;
    let value = tx
        .secret_value(vault.id, secret.id)
        .await?
        .ok_or_else(missing)?;
    let now = tx.now().await?;
    let metadata = json!({ "key": secret.key, "environment": environment.name });
    let action = Action::SecretValueAccessed;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(Data(ViewedSecret {
        key: secret.key,
        value,
        environment: environment.name,
    }))
}
