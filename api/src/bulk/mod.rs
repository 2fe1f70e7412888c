//! All secrets of an environment at once, as the command line client reads and writes them.

pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod view;

use keyway_shared::domain::access::Access;
use keyway_shared::domain::vault::{Environment, VaultAccess};
use keyway_shared::store::Tx;

use crate::error::ApiError;
use crate::extract::{Caller, admit};

/// The environment of that name; 404 tells which there are, for a person at a terminal.
async fn open_environment(
    tx: &mut Tx,
    caller: &Caller,
    access: &VaultAccess,
    name: &str,
    what: Access,
) -> Result<Environment, ApiError> {
    if let Some(environment) = tx.find_environment(access.vault.id, name).await? {
        admit(caller, access, &environment, what)?;
        return Ok(environment);
    }
    let names: Vec<_> = tx
        .list_environments(access.vault.id)
        .await?
        .into_iter()
        .map(|environment| environment.name)
        .collect();
    let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    Err(ApiError::NotFound(
        format!(
            "Environment '{name}' does not exist in this vault. Available environments: {}",
            names.join(", ")
        )
        .into(),
    ))
}
