//! `GET /v1/vaults/{owner}/{repo}/trash`

use axum::extract::State;
use chrono::{DateTime, Utc};
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::{Role, SecretInfo};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::{ListEnvelope, Listed, Timestamp};
use crate::error::ApiError;
use crate::extract::{Caller, Page, VaultPath};
use crate::schema::{Guarded, Invalid, Missing};
use crate::state::ApiState;

const DAY_SECONDS: i64 = 86_400;

/// A secret in the trash.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrashItem {
    id: Uuid,
    key: String,
    environment: String,
    deleted_at: Option<Timestamp>,
    /// When the trash forgets it.
    expires_at: Option<Timestamp>,
    /// Days until then, begun ones counted.
    days_remaining: i64,
}

impl TrashItem {
    fn of(secret: SecretInfo, now: DateTime<Utc>) -> Self {
        let left = secret.expires_at.map_or(0, |at| (at - now).num_seconds());
        Self {
            id: secret.id,
            key: secret.key,
            environment: secret.environment,
            deleted_at: secret.deleted_at.map(Timestamp),
            expires_at: secret.expires_at.map(Timestamp),
            days_remaining: (left.max(0) + DAY_SECONDS - 1) / DAY_SECONDS,
        }
    }
}

/// List the trash
///
/// Last deleted first.
#[utoipa::path(get, path = "/v1/vaults/{owner}/{repo}/trash", tag = "trash",
    params(VaultPath, Page),
    responses((status = 200, body = ListEnvelope<TrashItem>), Guarded, Missing, Invalid))]
pub(crate) async fn list_trash(
    State(state): State<ApiState>,
    caller: Caller,
    path: VaultPath,
    page: Page,
) -> Result<Listed<TrashItem>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let mut tx = state.store.begin_read().await?;
    let access = path.open(&mut tx, &caller, Role::Read).await?;
    let (secrets, total) = tx
        .list_trash(access.vault.id, page.limit, page.offset)
        .await?;
    let now = tx.now().await?;
    tx.commit().await?;
    let items = secrets
        .into_iter()
        .map(|secret| TrashItem::of(secret, now))
        .collect();
    Ok(Listed::new(items, total, page))
}
