//! Test keys never touch production: neither an environment that is protected, nor what a provider
//! calls production, nor a vault as a whole that has such an environment.
//!
//! What is done with a single environment is decided in `shared`, together with the roles.

use keyway_shared::domain::access::may_touch;
use keyway_shared::domain::account::KeyEnvironment;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::vault::EnvironmentKind;
use keyway_shared::store::Tx;
use uuid::Uuid;

use crate::error::ApiError;
use crate::extract::Caller;
use crate::state::ApiState;

/// 403 for a test key, when any environment of the vault is protected: for what concerns all of them.
pub(crate) async fn may_touch_all(
    tx: &mut Tx,
    caller: &Caller,
    vault_id: Uuid,
) -> Result<(), ApiError> {
    let key = caller.key_environment();
    if key == Some(KeyEnvironment::Test) {
        for environment in tx.list_environments(vault_id).await? {
            may_touch(key, environment.kind)?;
        }
    }
    Ok(())
}

/// 403 for a test key, when the connection is used for production: by a link, or by a job that has not
/// ended.
pub(crate) async fn may_change_connection(
    tx: &mut Tx,
    caller: &Caller,
    connection_id: Uuid,
) -> Result<(), ApiError> {
    let key = caller.key_environment();
    if key == Some(KeyEnvironment::Test) {
        for (kind, remote) in tx.connection_uses(connection_id).await? {
            may_touch(key, kind)?;
            may_touch(key, EnvironmentKind::of_remote(&remote))?;
        }
    }
    Ok(())
}

/// 403 for a test key, when production uses any connection with the provider: which one a browser will
/// come back with, nobody knows yet.
pub(crate) async fn may_connect(
    state: &ApiState,
    caller: &Caller,
    provider: ProviderName,
) -> Result<(), ApiError> {
    if caller.key_environment() != Some(KeyEnvironment::Test) {
        return Ok(());
    }
    let mut tx = state.store.begin_read().await?;
    for id in tx.connection_ids(caller.user.id, provider).await? {
        may_change_connection(&mut tx, caller, id).await?;
    }
    Ok(tx.commit().await?)
}

/// 403 for a test key that would make or revoke a live one.
pub(crate) fn may_manage(caller: &Caller, environment: KeyEnvironment) -> Result<(), ApiError> {
    if caller.key_environment() == Some(KeyEnvironment::Test) && environment != KeyEnvironment::Test
    {
        return Err(ApiError::forbidden(
            "A test key (kw_test_…) can make and revoke test keys only",
        ));
    }
    Ok(())
}
