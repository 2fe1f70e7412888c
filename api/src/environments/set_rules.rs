//! `PATCH /v1/vaults/{owner}/{repo}/environments/{name}/rules`

use axum::extract::State;
use keyway_shared::domain::access::{Access, EnvironmentRules};
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{EnvironmentItem, EnvironmentPath};
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Path, VaultPath, open_environment};
use crate::schema::{Body, Guarded, Missing};
use crate::state::ApiState;
use crate::validate::Checks;

/// The least roles; at least one of both. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EnvironmentRulesChange)]
pub(crate) struct SetEnvironmentRules {
    /// Who sees values and pushes them to a provider: `read`, `write` or `admin`.
    #[schema(value_type = Option<String>, pattern = "^(read|write|admin)$")]
    read: Option<Role>,
    /// Who changes them, pulls from a provider and pushes with deletion: `write` or `admin`, and no
    /// lesser role than `read` names.
    #[schema(value_type = Option<String>, pattern = "^(write|admin)$", example = "admin")]
    write: Option<Role>,
}

/// The environment as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuledEnvironment {
    environment: EnvironmentItem,
}

/// Set who may use an environment
///
/// The least roles that may see its values and push them, and that may change them, whatever more a
/// role may do in the vault. Jobs that wait and links are held to it from their next start on. Needs the
/// role admin.
#[utoipa::path(patch, path = "/v1/vaults/{owner}/{repo}/environments/{name}/rules",
    tag = "environments", params(VaultPath, EnvironmentPath),
    responses((status = 200, body = Envelope<RuledEnvironment>), Guarded, Missing, Body))]
pub(crate) async fn set_environment_rules(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(EnvironmentPath { name }): Path<EnvironmentPath>,
    Json(body): Json<SetEnvironmentRules>,
) -> Result<Data<RuledEnvironment>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    if body.read.is_none() && body.write.is_none() {
        return Err(ApiError::bad_request("Give read, write, or both"));
    }
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Admin).await?;
    let mut environment = open_environment(&mut tx, &caller, &access, &name, Access::Write).await?;
    let before = environment.rules;
    let rules = EnvironmentRules {
        read: body.read.unwrap_or(before.read),
        write: body.write.unwrap_or(before.write),
    };
    let mut checks = Checks::default();
    checks.that(
        rules.are_sound(),
        "write",
        "must be write or admin, and no lesser role than read is: nobody changes what they may not see",
    );
    checks.done()?;
    environment.rules = rules;
    let vault = access.vault;
    if rules != before {
        let now = tx.now().await?;
        tx.set_environment_rules(vault.id, environment.id, rules)
            .await?;
        tx.touch_vault(vault.id, now).await?;
        let metadata = json!({
            "environment": name,
            "rules": rules,
            "previousRules": before,
        });
        let action = Action::PermissionChanged;
        caller
            .note(&mut tx, &state, now, action, Some(&vault), metadata)
            .await?;
    }
    tx.commit().await?;
    Ok(Data(RuledEnvironment {
        environment: environment.into(),
    }))
}
