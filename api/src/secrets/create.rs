//! `POST /v1/vaults/{owner}/{repo}/secrets`

use axum::extract::State;
use axum::http::StatusCode;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use keyway_shared::secret::Secret;
use keyway_shared::store::PutOutcome;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json, VaultPath, open_environment};
use crate::schema::{Body, Guarded, Missing};
use crate::state::ApiState;
use crate::validate::Checks;

/// The secret to write.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CreateSecret {
    /// `^[A-Za-z_][A-Za-z0-9_]{0,255}$`
    #[schema(example = "DATABASE_URL", pattern = "^[A-Za-z_][A-Za-z0-9_]{0,255}$")]
    key: String,
    /// At most 64 KiB.
    #[schema(value_type = String)]
    value: Secret,
    /// Name of the environment.
    #[schema(example = "production")]
    environment: String,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrittenSecret {
    id: Uuid,
    /// `created` or `updated`.
    status: &'static str,
}

/// Write a secret
///
/// Creates it, or gives it a new value; the one before stays as a version. An environment holds at
/// most 1000 secrets.
#[utoipa::path(post, path = "/v1/vaults/{owner}/{repo}/secrets", tag = "secrets",
    params(VaultPath),
    responses(
        (status = 201, description = "It was created.", body = Envelope<WrittenSecret>),
        (status = 200, description = "It has a new value.", body = Envelope<WrittenSecret>),
        Guarded, Missing, Body))]
pub(crate) async fn create_secret(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Json(body): Json<CreateSecret>,
) -> Result<(StatusCode, Data<WrittenSecret>), ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut checks = Checks::default();
    checks.secret_name("key", &body.key);
    checks.secret_value("value", &body.value);
    checks.done()?;

    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Write).await?;
    let environment =
        open_environment(&mut tx, &caller, &access, &body.environment, Access::Write).await?;
    let vault = access.vault;
    let now = tx.now().await?;
    let outcome = tx
        .put_secret(
            vault.id,
            environment.id,
            &body.key,
            &body.value,
            Some(caller.user.id),
            now,
        )
        .await?;
    let (id, action) = match outcome {
        PutOutcome::Created(id) => (id, Some(Action::SecretCreated)),
        PutOutcome::Updated(id) => (id, Some(Action::SecretUpdated)),
        PutOutcome::Unchanged(id) => (id, None),
    };
    if let Some(action) = action {
        let metadata = json!({ "key": body.key, "environment": environment.name });
        caller
            .note(&mut tx, &state, now, action, Some(&vault), metadata)
            .await?;
    }
    tx.commit().await?;

    let (code, status) = match outcome {
        PutOutcome::Created(_) => (StatusCode::CREATED, "created"),
        PutOutcome::Updated(_) | PutOutcome::Unchanged(_) => (StatusCode::OK, "updated"),
    };
    Ok((code, Data(WrittenSecret { id, status })))
}
