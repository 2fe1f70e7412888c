//! `GET /v1/vaults/{owner}/{repo}/secrets/{id}/value`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::vault::Role;
use keyway_shared::secret::Secret;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{SecretPath, open_secret};
use crate::envelope::{Data, Envelope, shown};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Conflicting, Guarded, Missing};
use crate::state::ApiState;

/// A value, in full and as it may be shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecretValue {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    value: Secret,
    /// The first and last few characters; of a short value none.
    preview: String,
}

/// Read a secret's value
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/secrets/{id}/value", tag = "secrets",
    params(VaultPath, SecretPath),
    responses((status = 200, body = Envelope<SecretValue>), Guarded, Missing, Conflicting))]
pub(crate) async fn get_secret_value(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(SecretPath { id }): Path<SecretPath>,
) -> Result<Data<SecretValue>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    // It writes: no value is shown of which the log does not tell.
    let mut tx = state.store.begin().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    let secret = open_secret(&mut tx, &caller, &access, id, Access::Read).await?;
    let vault = access.vault;
    let value = tx
        .secret_value(vault.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("secret"))?;
    let now = tx.now().await?;
    let metadata = json!({ "key": secret.key, "environment": secret.environment });
    let action = Action::SecretValueAccessed;
    caller
        .note(&mut tx, &state, now, action, Some(&vault), metadata)
        .await?;
    tx.commit().await?;
    Ok(Data(SecretValue {
        preview: preview(value.expose()),
        value,
    }))
}

/// Nothing of up to 8 characters, two at either end of up to 12, else four.
fn preview(value: &str) -> String {
    const DOTS: &str = "••••";
    let characters: Vec<char> = value.chars().collect();
    let shown = match characters.len() {
        0..=8 => return DOTS.repeat(2),
        9..=12 => 2,
        _ => 4,
    };
    let start: String = characters.iter().take(shown).collect();
    let end: String = characters.iter().skip(characters.len() - shown).collect();
    format!("{start}{DOTS}{end}")
}

#[cfg(test)]
mod tests {
    use super::preview;

    #[test]
    fn a_preview_of_a_short_value_shows_nothing_of_it() {
        assert_eq!(preview(""), "••••••••");
        assert_eq!(preview("12345678"), "••••••••");
        assert_eq!(preview("123456789"), "12••••89");
        assert_eq!(preview("1234567890abc"), "1234••••0abc");
        assert_eq!(preview("ééééééééé"), "éé••••éé");
    }
}
