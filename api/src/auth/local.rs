//! Signing in where there is no GitHub: with an API key, typed into a page of ours.

use keyway_shared::domain::account::{KeyEnvironment, Scope, User};

use crate::error::ApiError;
use crate::extract::{ClientInfo, Credential};
use crate::pages::Field;
use crate::state::ApiState;

/// What is asked for.
pub(super) const FIELD: Field<'static> = Field {
    name: "api_key",
    label: "Your API key",
    example: "kw_live_…",
    is_secret: true,
};

/// The user of a key. A session may do whatever its user may, so a key that may do less gives none;
/// the text says so.
pub(super) async fn user_of(
    state: &ApiState,
    key: &str,
    client: &ClientInfo,
) -> Result<Result<User, String>, ApiError> {
    let found = Credential::of_api_key(state, key.trim(), client.address).await;
    let (credential, user) = match found {
        Ok(found) => found,
        Err(ApiError::Unauthorized(text)) => return Ok(Err(format!("{text}."))),
        Err(error) => return Err(error),
    };
    let Credential::ApiKey(key) = credential else {
        return Ok(Err("This is no API key.".to_owned()));
    };
    if !key.allowed_ips.is_empty() {
        return Ok(Err(
            "A key that is bound to addresses cannot sign anybody in: a session is bound to none."
                .to_owned(),
        ));
    }
    if key.environment != KeyEnvironment::Live {
        return Ok(Err("A test key cannot sign anybody in.".to_owned()));
    }
    let missing: Vec<_> = Scope::ALL
        .iter()
        .filter(|scope| !key.scopes.contains(scope))
        .map(|scope| scope.as_str())
        .collect();
    if missing.is_empty() {
        Ok(Ok(user))
    } else {
        Ok(Err(format!(
            "This key may do less than its user, so it cannot sign the user in. It lacks: {}.",
            missing.join(", ")
        )))
    }
}
