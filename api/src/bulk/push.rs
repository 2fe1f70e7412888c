//! `POST /v1/secrets/push`

use std::collections::BTreeMap;
use std::fmt;

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::dotenv;
use keyway_shared::domain::names::MAX_SECRETS;
use keyway_shared::domain::vault::Role;
use keyway_shared::secret::Secret;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::open_environment;
use crate::auth::roles;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::field::rule;
use crate::extract::{Caller, Json, open_vault};
use crate::schema::{Body, Conflicting, Guarded, Missing};
use crate::state::ApiState;
use crate::validate::{self, Checks, TRASH_KEEPS};

/// Most characters of a key that is no name which are repeated: it may be a piece of a value.
const MAX_SHOWN: usize = 40;

/// What the environment is to hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PushSecrets {
    /// `owner/repo` of the vault.
    #[schema(example = "acme/web")]
    repo_full_name: String,
    /// Name of the environment.
    #[schema(example = "production")]
    environment: String,
    /// Values by name: at most 1000, each at most 64 KiB.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    secrets: Values,
}

/// Values by name, each name once.
#[derive(Debug)]
struct Values(BTreeMap<String, Secret>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = BTreeMap<String, Secret>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    if values.insert(key, value).is_some() {
                        return Err(rule("must hold each name once"));
                    }
                }
                Ok(values)
            }
        }

        deserializer.deserialize_map(Entries).map(Self)
    }
}

/// How many keys were changed in which way.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PushCounts {
    created: u64,
    updated: u64,
    /// Moved to the trash.
    deleted: u64,
    unchanged: u64,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pushed {
    success: bool,
    message: String,
    stats: PushCounts,
}

/// Push secrets
///
/// Makes the environment hold exactly these secrets: others go to the trash, for which the key needs
/// `delete:secrets` as well. An empty object empties the environment.
#[utoipa::path(post, path = "/v1/secrets/push", tag = "secrets",
    responses((status = 200, body = Envelope<Pushed>), Guarded, Missing, Body, Conflicting))]
pub(crate) async fn push_secrets(
    State(state): State<ApiState>,
    caller: Caller,
    Json(body): Json<PushSecrets>,
) -> Result<Data<Pushed>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let (owner, repo) = validate::repo("repoFullName", &body.repo_full_name)?;
    let values = body.secrets.0;
    check(&values)?;

    roles::of_repository(&state, &caller, owner, repo).await?;
    let mut tx = state.store.begin().await?;
    let access = open_vault(&mut tx, &caller, owner, repo, Role::Write).await?;
    let environment = open_environment(&mut tx, &caller, &access, &body.environment, Access::Write)
        .await
        .map_err(|error| match error {
            // As existing clients know it: nothing of what the path names is missing.
            ApiError::NotFound(text) => ApiError::BadRequest(text),
            error => error,
        })?;
    let vault = access.vault;
    let before = tx.read_environment(vault.id, environment.id).await?;
    for (key, stored) in &before.values {
        if let Some(pushed) = values.get(key)
            && dotenv::is_torn(stored.expose(), pushed.expose())
        {
            return Err(ApiError::conflict(format!(
                "{key} has several lines, of which this push holds only the first: the file it \
                 came from cannot carry them. Remove {key} and the lines after it from the push, \
                 or write it as a single secret."
            )));
        }
    }
    let now = tx.now().await?;
    let stats = tx
        .replace_secrets(
            vault.id,
            environment.id,
            &values,
            true,
            Some(caller.user.id),
            now,
            now + TRASH_KEEPS,
        )
        .await?;
    if stats.deleted > 0 {
        // Known only now; what was written is undone.
        caller.require(Scope::DeleteSecrets)?;
    }
    let metadata = json!({
        "environment": environment.name,
        "count": values.len(),
        "created": stats.created,
        "updated": stats.updated,
        "deleted": stats.deleted,
    });
    let action = Action::SecretsPushed;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;

    Ok(Data(Pushed {
        success: true,
        message: format!(
            "Pushed {} {} to {}: {} created, {} updated, {} deleted",
            values.len(),
            if values.len() == 1 {
                "secret"
            } else {
                "secrets"
            },
            environment.name,
            stats.created,
            stats.updated,
            stats.deleted
        ),
        stats: PushCounts {
            created: stats.created,
            updated: stats.updated,
            deleted: stats.deleted,
            unchanged: stats.unchanged,
        },
    }))
}

fn check(values: &BTreeMap<String, Secret>) -> Result<(), ApiError> {
    let mut checks = Checks::default();
    checks.that(
        values.len() <= MAX_SECRETS,
        "secrets",
        format!("must be at most {MAX_SECRETS}: an environment holds no more"),
    );
    for (key, value) in values {
        let shown: String = key.chars().take(MAX_SHOWN).collect();
        let field = format!("secrets.{shown}");
        checks.secret_name(&field, key);
        checks.secret_value(&field, value);
    }
    checks.done()
}
