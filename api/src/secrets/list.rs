//! `GET /v1/vaults/{owner}/{repo}/secrets`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;
use serde::Deserialize;
use utoipa::IntoParams;

use super::SecretItem;
use crate::envelope::{ListEnvelope, Listed};
use crate::error::ApiError;
use crate::extract::{Caller, Page, Query, VaultPath};
use crate::schema::{Guarded, Invalid, Missing};
use crate::state::ApiState;

/// Which secrets to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SecretFilter {
    /// Only those of this environment.
    environment: Option<String>,
}

/// List secrets
///
/// Without their values; last changed first. Every member of the vault sees which there are.
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/secrets", tag = "secrets",
    params(VaultPath, SecretFilter, Page),
    responses((status = 200, body = ListEnvelope<SecretItem>), Guarded, Missing, Invalid))]
pub(crate) async fn list_secrets(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    Query(filter): Query<SecretFilter>,
    page: Page,
) -> Result<Listed<SecretItem>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    let environment = match filter.environment {
        Some(name) => {
            let found = tx.find_environment(access.vault.id, &name).await?;
            Some(found.ok_or_else(|| ApiError::not_found("environment"))?.id)
        }
        None => None,
    };
    let (secrets, total) = tx
        .list_secrets(access.vault.id, environment, page.limit, page.offset)
        .await?;
    tx.commit().await?;
    let items = secrets.into_iter().map(SecretItem::from).collect();
    Ok(Listed::new(items, total, page))
}
