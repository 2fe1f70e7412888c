//! Test keys never touch production: neither an environment that is protected, nor what a provider
//! calls production, nor a vault as a whole that has such an environment.

use keyway_shared::domain::account::KeyEnvironment;
use keyway_shared::domain::vault::EnvironmentKind;
use keyway_shared::store::Tx;
use uuid::Uuid;

use crate::error::ApiError;
use crate::extract::{Caller, Credential};

/// What providers call the environment that everybody sees.
const PRODUCTION: &str = "production";
const REFUSED: &str =
    "A test key (kw_test_…) cannot touch a production environment. Use a live key";

fn is_test(caller: &Caller) -> bool {
    matches!(&caller.credential, Credential::ApiKey(key) if key.environment == KeyEnvironment::Test)
}

/// 403 for a test key, when the environment is protected.
pub(crate) fn may_touch(caller: &Caller, kind: EnvironmentKind) -> Result<(), ApiError> {
    if is_test(caller) && kind == EnvironmentKind::Protected {
        return Err(ApiError::forbidden(REFUSED));
    }
    Ok(())
}

/// The same, for the environment of that name.
pub(crate) async fn may_touch_named(
    tx: &mut Tx,
    caller: &Caller,
    vault_id: Uuid,
    name: &str,
) -> Result<(), ApiError> {
    if !is_test(caller) {
        return Ok(());
    }
    match tx.find_environment(vault_id, name).await? {
        Some(environment) => may_touch(caller, environment.kind),
        None => Ok(()),
    }
}

/// 403 for a test key, when the provider's environment is its production.
pub(crate) fn may_sync_with(caller: &Caller, provider_environment: &str) -> Result<(), ApiError> {
    if is_test(caller) && provider_environment.eq_ignore_ascii_case(PRODUCTION) {
        return Err(ApiError::forbidden(REFUSED));
    }
    Ok(())
}

/// 403 for a test key, when any environment of the vault is protected: for what concerns all of them.
pub(crate) async fn may_touch_all(
    tx: &mut Tx,
    caller: &Caller,
    vault_id: Uuid,
) -> Result<(), ApiError> {
    if !is_test(caller) {
        return Ok(());
    }
    for environment in tx.list_environments(vault_id).await? {
        may_touch(caller, environment.kind)?;
    }
    Ok(())
}

/// 403 for a test key that would make a live one.
pub(crate) fn may_make(caller: &Caller, environment: KeyEnvironment) -> Result<(), ApiError> {
    if is_test(caller) && environment != KeyEnvironment::Test {
        return Err(ApiError::forbidden(
            "A test key (kw_test_…) can make test keys only",
        ));
    }
    Ok(())
}
