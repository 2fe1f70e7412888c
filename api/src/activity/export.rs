//! `GET /v1/activity/export`

use std::collections::VecDeque;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures::stream;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Activity;
use keyway_shared::domain::vault::Role;
use keyway_shared::store::StoreError;
use keyway_shared::store::activity::ActivityRange;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::list::ActivityItem;
use crate::auth::roles;
use crate::error::ApiError;
use crate::extract::{Caller, Query, open_vault};
use crate::schema::{Guarded, Invalid, Missing};
use crate::state::ApiState;
use crate::validate;

/// Entries that are read at once.
const AT_ONCE: i64 = 500;

/// Which entries to export.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportFilter {
    /// Only those of this vault: `owner/repo`.
    vault: Option<String>,
    /// Only those of this time and later (RFC 3339).
    since: Option<DateTime<Utc>>,
    /// Only those before this time (RFC 3339).
    until: Option<DateTime<Utc>>,
}

/// Export activity
///
/// The same entries as the list, newest first, as JSON lines: one object in each line. An answer that
/// ends in the middle of a line is not complete. Needs `read:secrets`.
#[utoipa::path(get, path = "/v1/activity/export", tag = "activity", params(ExportFilter),
    responses(
        (status = 200, description = "One `ActivityItem` in each line.", body = String, content_type = "application/x-ndjson"),
        Guarded, Missing, Invalid
    ))]
pub(crate) async fn export_activity(
    State(state): State<ApiState>,
    caller: Caller,
    Query(filter): Query<ExportFilter>,
) -> Result<Response, ApiError> {
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
    let mut vault_id = None;
    if let Some((owner, repo)) = vault {
        let mut tx = state.store.begin_read().await?;
        let access = open_vault(&mut tx, &caller, owner, repo, Role::Read).await?;
        tx.commit().await?;
        vault_id = Some(access.vault.id);
    }
    let export = Export {
        state,
        user_id: caller.user.id,
        range: ActivityRange {
            vault_id,
            since: filter.since,
            until: filter.until,
            before: None,
        },
        read: VecDeque::new(),
    };
    let lines = stream::try_unfold(export, |mut export| async move {
        Ok::<_, StoreError>(export.next().await?.map(|line| (line, export)))
    });
    let mut response = Body::from_stream(lines).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    Ok(response)
}

/// What is left to be told. Never more than a page of it is in memory, and no unit of work is open
/// while the client reads.
struct Export {
    state: ApiState,
    user_id: Uuid,
    range: ActivityRange,
    read: VecDeque<Activity>,
}

impl Export {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.read.is_empty() {
            // Each page sees who may see what at its own time.
            let mut tx = self.state.store.begin_read_statement().await?;
            let page = tx.activity_of(self.user_id, &self.range, AT_ONCE).await?;
            tx.commit().await?;
            self.read = page.into();
        }
        let Some(entry) = self.read.pop_front() else {
            return Ok(None);
        };
        self.range.before = Some(entry.id);
        let mut line = serde_json::to_vec(&ActivityItem::from(entry)).unwrap_or_default();
        line.push(b'\n');
        Ok(Some(line))
    }
}
