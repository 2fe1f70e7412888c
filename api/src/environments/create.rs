//! `POST /v1/vaults/{owner}/{repo}/environments`

use axum::extract::State;
use keyway_shared::domain::access::{Access, EnvironmentRules};
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::{Environment, EnvironmentKind, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{EnvironmentItem, items};
use crate::envelope::{Created, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json, VaultPath, admit};
use crate::schema::{Body, Conflicting, Guarded, Missing};
use crate::state::ApiState;
use crate::validate::Checks;

/// What to create.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CreateEnvironment {
    /// `^[a-z][a-z0-9_-]{1,29}$`
    #[schema(example = "preview", pattern = "^[a-z][a-z0-9_-]{1,29}$")]
    name: String,
    /// `development`, `standard` or `protected`; the name suggests one.
    #[schema(value_type = Option<String>)]
    r#type: Option<EnvironmentKind>,
}

/// What was created, and all there are now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedEnvironment {
    environment: EnvironmentItem,
    environments: Vec<EnvironmentItem>,
}

/// Create an environment
///
/// Needs the role admin.
#[utoipa::path(post, path = "/v1/vaults/{owner}/{repo}/environments", tag = "environments",
    params(VaultPath),
    responses((status = 201, body = Envelope<CreatedEnvironment>),
        Guarded, Missing, Body, Conflicting))]
pub(crate) async fn create_environment(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Json(body): Json<CreateEnvironment>,
) -> Result<Created<CreatedEnvironment>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut checks = Checks::default();
    checks.environment_name("name", &body.name);
    checks.done()?;

    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Admin).await?;
    let now = tx.now().await?;
    let last = tx.list_environments(access.vault.id).await?.pop();
    let environment = Environment {
        id: state.ambient.new_id(),
        vault_id: access.vault.id,
        kind: body
            .r#type
            .unwrap_or_else(|| EnvironmentKind::from_name(&body.name)),
        name: body.name,
        rules: EnvironmentRules::default(),
        display_order: last.map_or(0, |last| last.display_order + 1),
        revision: 0,
        created_at: now,
    };
    // A test key makes none that it could not touch.
    admit(&caller, &access, &environment, Access::Write)?;
    let vault = access.vault;
    tx.insert_environment(&environment).await?;
    tx.touch_vault(vault.id, now).await?;
    let metadata = json!({ "environment": environment.name, "type": environment.kind });
    let action = Action::EnvironmentCreated;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    let environments = items(tx.list_environments(vault.id).await?);
    tx.commit().await?;
    Ok(Created(CreatedEnvironment {
        environment: environment.into(),
        environments,
    }))
}
