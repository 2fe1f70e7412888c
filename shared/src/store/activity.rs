//! The activity log. Entries are only ever added.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, on, push_current_member, word};
use super::{StoreError, Tx};
use crate::domain::activity::Activity;

/// What a user may see: own entries, and those of vaults that the user is a member of.
macro_rules! push_visible {
    ($query:ident, $user_id:ident, $at:ident) => {
        $query
            .push_bind($user_id)
            .push(" OR vault_id IN (SELECT m.vault_id FROM vault_members m WHERE m.user_id = ")
            .push_bind($user_id);
        push_current_member!($query, $at);
        $query.push("))");
    };
}

/// Which entries, of those that a user may see.
#[derive(Debug, Clone, Default)]
pub struct ActivityRange {
    /// Of this vault.
    pub vault_id: Option<Uuid>,
    /// Of this time and later.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
    /// That come after this one in the order of the list: for going on.
    pub before: Option<Uuid>,
}

#[derive(sqlx::FromRow)]
struct ActivityRow {
    id: Uuid,
    at: DateTime<Utc>,
    action: String,
    user_id: Option<Uuid>,
    username: String,
    vault_id: Option<Uuid>,
    repo_full_name: Option<String>,
    platform: String,
    ip: Option<String>,
    api_key_id: Option<Uuid>,
    session_id: Option<Uuid>,
    request_id: Option<String>,
    metadata: Json<serde_json::Value>,
}

impl TryFrom<ActivityRow> for Activity {
    type Error = StoreError;

    fn try_from(row: ActivityRow) -> Result<Self, StoreError> {
        Ok(Self {
            action: word(&row.action, "activity", "action", row.id)?,
            platform: word(&row.platform, "activity", "platform", row.id)?,
            id: row.id,
            at: row.at,
            user_id: row.user_id,
            username: row.username,
            vault_id: row.vault_id,
            repo_full_name: row.repo_full_name,
            ip: row.ip,
            api_key_id: row.api_key_id,
            session_id: row.session_id,
            request_id: row.request_id,
            metadata: row.metadata.0,
        })
    }
}

impl Tx {
    /// Adds an entry.
    pub async fn insert_activity(&mut self, activity: &Activity) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO activity (id, at, action, user_id, username, vault_id, repo_full_name,
                 platform, ip, api_key_id, session_id, request_id, metadata)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        )
        .bind(activity.id)
        .bind(activity.at)
        .bind(activity.action.as_str())
        .bind(activity.user_id)
        .bind(&activity.username)
        .bind(activity.vault_id)
        .bind(&activity.repo_full_name)
        .bind(activity.platform.as_str())
        .bind(&activity.ip)
        .bind(activity.api_key_id)
        .bind(activity.session_id)
        .bind(&activity.request_id)
        .bind(Json(&activity.metadata))
        .execute(conn))?;
        Ok(())
    }

    /// Adds an entry that a job makes: the names that it bears are those of its user and its vault, and
    /// where it came from is what the job keeps of that.
    /// Tells whether the vault has a webhook that may want to hear of it, which the statement looks up
    /// on its way, so that vaults without one pay nothing for those with.
    pub async fn insert_job_activity(
        &mut self,
        activity: &Activity,
        job_id: Uuid,
    ) -> Result<bool, StoreError> {
        let listens: Option<bool> = on!(self, |conn| {
            sqlx::query_scalar(
            "INSERT INTO activity (id, at, action, user_id, username, vault_id, repo_full_name,
                 platform, ip, api_key_id, session_id, request_id, metadata)
             SELECT $1, $2, $3, u.id, u.username, $5, v.repo_owner || '/' || v.repo_name,
                 COALESCE(j.asked_platform, $6), j.asked_ip, CASE WHEN j.asked_platform IS NOT NULL THEN j.api_key_id END,
                 j.asked_session_id, j.asked_request_id, $7
             FROM users u LEFT JOIN vaults v ON v.id = $5 LEFT JOIN jobs j ON j.id = $8
             WHERE u.id = $4
             RETURNING EXISTS (SELECT 1 FROM webhooks w
                 WHERE w.vault_id = activity.vault_id AND w.disabled_at IS NULL)"
        )
        .bind(activity.id)
        .bind(activity.at)
        .bind(activity.action.as_str())
        .bind(activity.user_id)
        .bind(activity.vault_id)
        .bind(activity.platform.as_str())
        .bind(Json(&activity.metadata))
        .bind(job_id)
        .fetch_optional(conn)
        })?;
        Ok(listens.unwrap_or_default())
    }

    /// A user's own entries and those of the vaults the user is a member of, newest first.
    pub async fn activity_of(
        &mut self,
        user_id: Uuid,
        range: &ActivityRange,
        limit: i64,
    ) -> Result<Vec<Activity>, StoreError> {
        let at = self.members_at();
        let rows: Vec<ActivityRow> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(
                "SELECT id, at, action, user_id, username, vault_id, repo_full_name, platform, ip,
                     api_key_id, session_id, request_id, metadata
                 FROM activity WHERE (user_id = ",
            );
            push_visible!(query, user_id, at);
            if let Some(vault_id) = range.vault_id {
                query.push(" AND vault_id = ").push_bind(vault_id);
            }
            if let Some(since) = range.since {
                query.push(" AND at >= ").push_bind(since);
            }
            if let Some(until) = range.until {
                query.push(" AND at < ").push_bind(until);
            }
            if let Some(before) = range.before {
                query.push(" AND id < ").push_bind(before);
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(Activity::try_from).collect()
    }

    /// A user's own entries and those of the vaults the user is a member of, newest first, and how
    /// many there are (the cursor left out of account).
    pub async fn list_activity(
        &mut self,
        user_id: Uuid,
        vault_id: Option<Uuid>,
        cursor: Option<Uuid>,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<Activity>, i64), StoreError> {
        let at = self.members_at();
        let rows: Vec<ActivityRow> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(
                "SELECT id, at, action, user_id, username, vault_id, repo_full_name, platform, ip,
                     api_key_id, session_id, request_id, metadata
                 FROM activity WHERE (user_id = ",
            );
            push_visible!(query, user_id, at);
            if let Some(vault_id) = vault_id {
                query.push(" AND vault_id = ").push_bind(vault_id);
            }
            if let Some(cursor) = cursor {
                query.push(" AND id < ").push_bind(cursor);
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.push(" OFFSET ").push_bind(offset);
            query.build_query_as().fetch_all(conn).await
        })?;
        let total: i64 = on!(self, |conn| async {
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM activity WHERE (user_id = ");
            push_visible!(query, user_id, at);
            if let Some(vault_id) = vault_id {
                query.push(" AND vault_id = ").push_bind(vault_id);
            }
            query.build_query_scalar().fetch_one(conn).await
        })?;
        let entries: Result<Vec<_>, _> = rows.into_iter().map(Activity::try_from).collect();
        Ok((entries?, total))
    }
}
