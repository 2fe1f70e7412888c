//! `GET /v1/vaults/{owner}/{repo}/secrets/{id}/versions`

use axum::extract::State;
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Person, SecretPath, open_secret};
use crate::envelope::{Data, Envelope, Timestamp};
use crate::error::ApiError;
use crate::extract::{Caller, Path, VaultPath};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// An old value, without the value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionItem {
    id: Uuid,
    version_number: i64,
    /// When this value was written.
    created_at: Timestamp,
    created_by: Option<Person>,
}

/// The old values of a secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Versions {
    /// Newest first.
    versions: Vec<VersionItem>,
}

/// List a secret's versions
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/secrets/{id}/versions", tag = "secrets",
    params(VaultPath, SecretPath),
    responses((status = 200, body = Envelope<Versions>), Guarded, Missing))]
pub(crate) async fn list_secret_versions(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Path(SecretPath { id }): Path<SecretPath>,
) -> Result<Data<Versions>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    open_secret(&mut tx, &caller, &access, id, Access::Read).await?;
    let versions = tx.list_versions(access.vault.id, id).await?;
    tx.commit().await?;
    Ok(Data(Versions {
        versions: versions
            .into_iter()
            .map(|version| VersionItem {
                id: version.id,
                version_number: version.version,
                created_at: version.created_at.into(),
                created_by: version.created_by.map(Person::from),
            })
            .collect(),
    }))
}
