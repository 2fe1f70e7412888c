//! Users.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::tx::{changed, on, one_row};
use super::{StoreError, Tx};
use crate::domain::account::User;

#[derive(sqlx::FromRow)]
pub(super) struct UserRow {
    id: Uuid,
    username: String,
    operator: bool,
    created_at: DateTime<Utc>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id,
            username: row.username,
            operator: row.operator,
            created_at: row.created_at,
        }
    }
}

impl Tx {
    /// Adds a user. [`Constraint::UsersUsername`](super::Constraint) when the name is taken, in
    /// whatever case.
    pub async fn insert_user(&mut self, user: &User) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO users (id, username, username_key, operator, created_at)
             VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(user.id)
        .bind(&user.username)
        .bind(user.username.to_lowercase())
        .bind(user.operator)
        .bind(user.created_at)
        .execute(conn))?;
        Ok(())
    }

    /// A user by id.
    pub async fn find_user(&mut self, id: Uuid) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = on!(self, |conn| sqlx::query_as(
            "SELECT id, username, operator, created_at FROM users WHERE id = $1"
        )
        .bind(id)
        .fetch_optional(conn))?;
        Ok(row.map(User::from))
    }

    /// A user by name, without regard to case.
    pub async fn find_user_by_name(&mut self, username: &str) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = on!(self, |conn| sqlx::query_as(
            "SELECT id, username, operator, created_at FROM users WHERE username_key = $1"
        )
        .bind(username.to_lowercase())
        .fetch_optional(conn))?;
        Ok(row.map(User::from))
    }

    /// Whether there is any user.
    pub async fn any_user(&mut self) -> Result<bool, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM users)"
        )
        .fetch_one(conn))?)
    }

    /// Makes a user an operator, or no longer one.
    pub async fn set_operator(&mut self, id: Uuid, operator: bool) -> Result<(), StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE users SET operator = $2 WHERE id = $1"
        )
        .bind(id)
        .bind(operator)
        .execute(conn))?;
        one_row(rows, "users", id)
    }
}
