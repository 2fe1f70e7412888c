//! Environments of a vault that was opened. Whatever sees or changes the secrets of one comes through
//! here; jobs, which may outlive the right that they were asked for with, ask again in the worker.

use keyway_shared::domain::access::Access;
use keyway_shared::domain::vault::{Environment, VaultAccess};
use keyway_shared::store::Tx;
use uuid::Uuid;

use super::Caller;
use crate::error::ApiError;
use crate::idempotency::rests_on_environment;

/// The environment of that name: 404 when there is none, 403 when it may not be used so.
pub(crate) async fn open_environment(
    tx: &mut Tx,
    caller: &Caller,
    access: &VaultAccess,
    name: &str,
    what: Access,
) -> Result<Environment, ApiError> {
    let environment = tx.find_environment(access.vault.id, name).await?;
    opened(caller, access, environment, what)
}

/// The same, by its id.
pub(crate) async fn open_environment_by_id(
    tx: &mut Tx,
    caller: &Caller,
    access: &VaultAccess,
    id: Uuid,
    what: Access,
) -> Result<Environment, ApiError> {
    let environment = tx.find_environment_by_id(access.vault.id, id).await?;
    opened(caller, access, environment, what)
}

fn opened(
    caller: &Caller,
    access: &VaultAccess,
    environment: Option<Environment>,
    what: Access,
) -> Result<Environment, ApiError> {
    let environment = environment.ok_or_else(|| ApiError::not_found("environment"))?;
    admit(caller, access, &environment, what)?;
    Ok(environment)
}

/// 403 unless the environment may be used so.
pub(crate) fn admit(
    caller: &Caller,
    access: &VaultAccess,
    environment: &Environment,
    what: Access,
) -> Result<(), ApiError> {
    caller.asker(access.role).may(what, environment)?;
    rests_on_environment(access.vault.id, environment.id, what);
    Ok(())
}

/// 403 unless every environment of the vault may be used so: for what concerns all of them.
pub(crate) async fn admit_all(
    tx: &mut Tx,
    caller: &Caller,
    access: &VaultAccess,
    what: Access,
) -> Result<(), ApiError> {
    for environment in tx.list_environments(access.vault.id).await? {
        admit(caller, access, &environment, what)?;
    }
    Ok(())
}
