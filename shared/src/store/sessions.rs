//! Sessions of users who signed in. Tokens are stored as hashes only; a session that is revoked is
//! removed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::tx::{changed, on, word};
use super::{StoreError, Tx};
use crate::domain::account::{User, UserSession};

/// The columns of a session, from `s`.
macro_rules! columns {
    () => {
        "s.id, s.user_id, s.platform, s.ip, s.last_used_at, s.created_at, s.expires_at"
    };
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: Uuid,
    user_id: Uuid,
    platform: String,
    ip: Option<String>,
    last_used_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl TryFrom<SessionRow> for UserSession {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        Ok(Self {
            platform: word(&row.platform, "sessions", "platform", row.id)?,
            id: row.id,
            user_id: row.user_id,
            ip: row.ip,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}

/// A session with its user.
#[derive(sqlx::FromRow)]
struct OwnedRow {
    #[sqlx(flatten)]
    session: SessionRow,
    username: String,
    operator: bool,
    user_created_at: DateTime<Utc>,
}

impl Tx {
    /// Adds a session of which only `token_hash` is kept.
    pub async fn insert_session(
        &mut self,
        session: &UserSession,
        token_hash: &[u8; 32],
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO sessions (id, user_id, token_hash, platform, ip, last_used_at, created_at,
                 expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        )
        .bind(session.id)
        .bind(session.user_id)
        .bind(token_hash.as_slice())
        .bind(session.platform.as_str())
        .bind(&session.ip)
        .bind(session.last_used_at)
        .bind(session.created_at)
        .bind(session.expires_at)
        .execute(conn))?;
        Ok(())
    }

    /// The session of a token and whose it is. Expired ones too, until they are pruned.
    pub async fn find_session_by_hash(
        &mut self,
        token_hash: &[u8; 32],
    ) -> Result<Option<(UserSession, User)>, StoreError> {
        let row: Option<OwnedRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            ", u.username, u.operator, u.created_at AS user_created_at
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = $1"
        ))
        .bind(token_hash.as_slice())
        .fetch_optional(conn))?;
        row.map(|row| {
            let user = User {
                id: row.session.user_id,
                username: row.username,
                operator: row.operator,
                created_at: row.user_created_at,
            };
            Ok((row.session.try_into()?, user))
        })
        .transpose()
    }

    /// One of a user's sessions.
    pub async fn find_session(
        &mut self,
        user_id: Uuid,
        id: Uuid,
    ) -> Result<Option<UserSession>, StoreError> {
        let row: Option<SessionRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM sessions s WHERE s.user_id = $1 AND s.id = $2"
        ))
        .bind(user_id)
        .bind(id)
        .fetch_optional(conn))?;
        row.map(UserSession::try_from).transpose()
    }

    /// A user's sessions that have not expired, newest first.
    pub async fn list_sessions(
        &mut self,
        user_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Vec<UserSession>, StoreError> {
        let rows: Vec<SessionRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM sessions s WHERE s.user_id = $1 AND s.expires_at > $2
             ORDER BY s.created_at DESC, s.id DESC"
        ))
        .bind(user_id)
        .bind(now)
        .fetch_all(conn))?;
        rows.into_iter().map(UserSession::try_from).collect()
    }

    /// Revokes one of a user's sessions; false when there is none.
    pub async fn delete_session(&mut self, user_id: Uuid, id: Uuid) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM sessions WHERE user_id = $1 AND id = $2"
        )
        .bind(user_id)
        .bind(id)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Notes a use. A session that is gone meanwhile is no error.
    pub async fn touch_session(&mut self, id: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE sessions SET last_used_at = $2 WHERE id = $1"
        )
        .bind(id)
        .bind(at)
        .execute(conn))?;
        Ok(())
    }
}
