//! Single secrets of a vault, their versions and the trash.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod trash_delete;
pub(crate) mod trash_empty;
pub(crate) mod trash_list;
pub(crate) mod trash_restore;
pub(crate) mod update;
pub(crate) mod value;
pub(crate) mod version_restore;
pub(crate) mod version_value;
pub(crate) mod versions;

use keyway_shared::domain::access::Access;
use keyway_shared::domain::vault::{SecretInfo, VaultAccess};
use keyway_shared::store::Tx;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::envelope::Timestamp;
use crate::error::ApiError;
use crate::extract::{Caller, open_environment_by_id};

/// A user as secrets name it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Person {
    username: String,
    avatar_url: Option<String>,
}

impl From<String> for Person {
    fn from(username: String) -> Self {
        Self {
            username,
            avatar_url: None,
        }
    }
}

/// A secret without its value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretItem {
    id: Uuid,
    key: String,
    environment: String,
    /// Raised with each new value.
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Who changed it last.
    last_modified_by: Option<Person>,
}

impl From<SecretInfo> for SecretItem {
    fn from(secret: SecretInfo) -> Self {
        Self {
            id: secret.id,
            key: secret.key,
            environment: secret.environment,
            version: secret.version,
            created_at: secret.created_at.into(),
            updated_at: secret.updated_at.into(),
            last_modified_by: secret.updated_by.map(Person::from),
        }
    }
}

/// The secret.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct SecretPath {
    /// Id of the secret.
    id: Uuid,
}

/// The version.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct VersionPath {
    /// Id of the secret.
    id: Uuid,
    /// Id of the version.
    version: Uuid,
}

/// A living secret of a vault that was opened, or 404; 403 when its environment may not be used so.
async fn open_secret(
    tx: &mut Tx,
    caller: &Caller,
    access: &VaultAccess,
    id: Uuid,
    what: Access,
) -> Result<SecretInfo, ApiError> {
    let secret = tx
        .find_secret(access.vault.id, id)
        .await?
        .ok_or_else(|| ApiError::not_found("secret"))?;
    open_environment_by_id(tx, caller, access, secret.environment_id, what).await?;
    Ok(secret)
}
