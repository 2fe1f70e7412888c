//! `GET /v1/activity`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Activity;
use keyway_shared::domain::vault::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::roles;
use crate::envelope::{ListEnvelope, Listed, Timestamp};
use crate::error::ApiError;
use crate::extract::{Caller, Page, Query, open_vault};
use crate::schema::{Guarded, Invalid, Missing};
use crate::state::ApiState;
use crate::validate;

/// Which entries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActivityFilter {
    /// Only those of this vault: `owner/repo`.
    vault: Option<String>,
    /// Go on after this entry: `nextCursor` of the page before.
    cursor: Option<Uuid>,
}

/// Who did it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Actor {
    id: Option<Uuid>,
    username: String,
    avatar_url: Option<String>,
}

/// One entry. Never holds values.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActivityItem {
    id: Uuid,
    action: &'static str,
    vault_id: Option<Uuid>,
    /// `owner/repo` of the vault then.
    repo_full_name: Option<String>,
    actor: Actor,
    /// `cli`, `web`, `api` or `mcp`.
    platform: &'static str,
    /// The address the request came from.
    ip: Option<String>,
    /// The API key that it was done with.
    api_key_id: Option<Uuid>,
    /// The session that it was done with.
    session_id: Option<Uuid>,
    /// The request that did it.
    request_id: Option<String>,
    /// Names and counts.
    #[schema(value_type = Object)]
    metadata: serde_json::Value,
    timestamp: Timestamp,
}

impl From<Activity> for ActivityItem {
    fn from(entry: Activity) -> Self {
        Self {
            id: entry.id,
            action: entry.action.as_str(),
            vault_id: entry.vault_id,
            repo_full_name: entry.repo_full_name,
            actor: Actor {
                id: entry.user_id,
                username: entry.username,
                avatar_url: None,
            },
            platform: entry.platform.as_str(),
            ip: entry.ip,
            api_key_id: entry.api_key_id,
            session_id: entry.session_id,
            request_id: entry.request_id,
            metadata: entry.metadata,
            timestamp: entry.at.into(),
        }
    }
}

/// List activity
///
/// The caller's own and that of the vaults the caller is a member of, newest first.
#[utoipa::path(get, path = "/v1/activity", tag = "activity", params(ActivityFilter, Page),
    responses((status = 200, body = ListEnvelope<ActivityItem>), Guarded, Missing, Invalid))]
pub(crate) async fn list_activity(
    State(state): State<ApiState>,
    caller: Caller,
    Query(filter): Query<ActivityFilter>,
    page: Page,
) -> Result<Listed<ActivityItem>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let vault = filter
        .vault
        .as_deref()
        .map(|name| validate::repo("vault", name))
        .transpose()?;

    match vault {
        Some((owner, repo)) => roles::of_repository(&state, &caller, owner, repo).await?,
        None => roles::of_all(&state, &caller).await?,
    }
    let mut tx = state.store.begin_read().await?;
    let vault_id = match vault {
        Some((owner, repo)) => {
            let access = open_vault(&mut tx, &caller, owner, repo, Role::Read).await?;
            Some(access.vault.id)
        }
        None => None,
    };
    // One more than asked for tells whether more follow.
    let (mut entries, total) = tx
        .list_activity(
            caller.user.id,
            vault_id,
            filter.cursor,
            page.limit + 1,
            page.offset,
        )
        .await?;
    tx.commit().await?;
    let more = entries.len() as i64 > page.limit;
    entries.truncate(page.limit as usize);
    let next = entries
        .last()
        .filter(|_| more)
        .map(|entry| entry.id.to_string());
    let items = entries.into_iter().map(ActivityItem::from).collect();
    Ok(Listed::with_cursor(items, total, page, next))
}
