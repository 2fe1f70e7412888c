//! GitHub mode: who somebody is there, and the roles that GitHub told, which count for a short while.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::tx::{changed, on, open_text};
use super::{Constraint, StoreError, Tx};
use crate::crypto::Aad;
use crate::domain::account::User;
use crate::domain::vault::Role;
use crate::secret::Secret;

/// How long GitHub's word counts.
pub const BELIEVED: Duration = Duration::from_mins(1);

/// What is known of somebody at GitHub.
#[derive(Debug, Clone)]
pub struct GitHubAccount {
    /// The user here.
    pub user_id: Uuid,
    /// GitHub's number.
    pub github_id: i64,
    /// The login when it was last heard.
    pub login: String,
    /// The token of the last sign-in.
    pub token: Option<KeptToken>,
    /// Until when the roles in all repositories need not be asked for.
    pub repositories_until: Option<DateTime<Utc>>,
}

/// A token that is kept from a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptToken {
    /// The token.
    pub access: Secret,
    /// When it ends; `None` when it does not end by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// Gives the next one, once.
    pub refresh: Option<Secret>,
}

/// What is known of a user's role in a vault.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KnownRole {
    /// The vault.
    pub vault_id: Uuid,
    /// Owner of its repository.
    pub repo_owner: String,
    /// Name of its repository.
    pub repo_name: String,
    /// Number of its repository; `None` for a vault of local mode.
    pub github_repo_id: Option<i64>,
    /// Until when the role counts; `None` when there is none.
    pub valid_until: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    user_id: Uuid,
    github_id: i64,
    login: String,
    token_ciphertext: Option<Vec<u8>>,
    token_key_id: Option<String>,
    refresh_ciphertext: Option<Vec<u8>>,
    refresh_key_id: Option<String>,
    token_expires_at: Option<DateTime<Utc>>,
    repositories_until: Option<DateTime<Utc>>,
}

/// What is known, of the vault that the condition names; $1 is the user.
macro_rules! known_role {
    () => {
        "SELECT v.id AS vault_id, v.repo_owner, v.repo_name, v.github_repo_id, m.valid_until
         FROM vaults v LEFT JOIN vault_members m ON m.vault_id = v.id AND m.user_id = $1 "
    };
}

impl Tx {
    /// The user of an account at GitHub, by its number.
    pub async fn find_github_user(&mut self, github_id: i64) -> Result<Option<User>, StoreError> {
        let id: Option<Uuid> = on!(self, |conn| sqlx::query_scalar(
            "SELECT user_id FROM github_accounts WHERE github_id = $1"
        )
        .bind(github_id)
        .fetch_optional(conn))?;
        match id {
            Some(id) => self.find_user(id).await,
            None => Ok(None),
        }
    }

    /// Adds a user with the account. [`Constraint::GitHubAccount`] when somebody else has just done so.
    pub async fn insert_github_user(
        &mut self,
        user: &User,
        github_id: i64,
        login: &str,
    ) -> Result<(), StoreError> {
        self.insert_user(user).await?;
        changed!(self, |conn| sqlx::query(
            "INSERT INTO github_accounts (user_id, github_id, login, updated_at)
             VALUES ($1, $2, $3, $4)"
        )
        .bind(user.id)
        .bind(github_id)
        .bind(login)
        .bind(user.created_at)
        .execute(conn))?;
        Ok(())
    }

    /// What is known of a user at GitHub.
    pub async fn github_account(
        &mut self,
        user_id: Uuid,
    ) -> Result<Option<GitHubAccount>, StoreError> {
        let row: Option<AccountRow> = on!(self, |conn| {
            sqlx::query_as(
            "SELECT user_id, github_id, login, token_ciphertext, token_key_id, refresh_ciphertext,
                 refresh_key_id, token_expires_at, repositories_until
             FROM github_accounts WHERE user_id = $1"
        )
        .bind(user_id)
        .fetch_optional(conn)
        })?;
        row.map(|row| {
            let open = |bytes: &Option<Vec<u8>>, key_id: &Option<String>, aad: Aad, column| {
                let (Some(bytes), Some(key_id)) = (bytes, key_id) else {
                    return Ok(None);
                };
                open_text(&self.context.ring, key_id, bytes, &aad)
                    .map(Some)
                    .map_err(|error| {
                        StoreError::from_crypto(error, "github_accounts", user_id, column)
                    })
            };
            let aad = Aad::github_token(user_id);
            let access = open(&row.token_ciphertext, &row.token_key_id, aad, "token")?;
            let aad = Aad::github_refresh_token(user_id);
            let refresh = open(&row.refresh_ciphertext, &row.refresh_key_id, aad, "refresh")?;
            Ok(GitHubAccount {
                user_id: row.user_id,
                github_id: row.github_id,
                login: row.login,
                token: access.map(|access| KeptToken {
                    access,
                    expires_at: row.token_expires_at,
                    refresh,
                }),
                repositories_until: row.repositories_until,
            })
        })
        .transpose()
    }

    /// Keeps the token of a sign-in, or forgets the one that is kept.
    pub async fn set_github_token(
        &mut self,
        user_id: Uuid,
        token: Option<&KeptToken>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let access = token.map(|kept| self.seal_text(&Aad::github_token(user_id), &kept.access));
        let refresh = token
            .and_then(|kept| kept.refresh.as_ref())
            .map(|refresh| self.seal_text(&Aad::github_refresh_token(user_id), refresh));
        let (key_id, bytes) = access.map(|sealed| (sealed.key_id, sealed.bytes)).unzip();
        let (refresh_key_id, refresh_bytes) =
            refresh.map(|sealed| (sealed.key_id, sealed.bytes)).unzip();
        changed!(self, |conn| sqlx::query(
            "UPDATE github_accounts SET token_ciphertext = $2, token_key_id = $3,
                 refresh_ciphertext = $4, refresh_key_id = $5, token_expires_at = $6,
                 refreshing_until = NULL, updated_at = $7
             WHERE user_id = $1"
        )
        .bind(user_id)
        .bind(bytes)
        .bind(key_id)
        .bind(refresh_bytes)
        .bind(refresh_key_id)
        .bind(token.and_then(|kept| kept.expires_at))
        .bind(at)
        .execute(conn))?;
        Ok(())
    }

    /// The right to ask for a new token in a user's name, which one process has at a time. It ends at
    /// `until`, or with the new token.
    pub async fn begin_github_refresh(
        &mut self,
        user_id: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE github_accounts SET refreshing_until = $3
             WHERE user_id = $1 AND (refreshing_until IS NULL OR refreshing_until <= $2)"
        )
        .bind(user_id)
        .bind(now)
        .bind(until)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Notes until when the roles in all of a user's repositories need not be asked for.
    pub async fn set_github_repositories_until(
        &mut self,
        user_id: Uuid,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE github_accounts SET repositories_until = $2 WHERE user_id = $1"
        )
        .bind(user_id)
        .bind(until)
        .execute(conn))?;
        Ok(())
    }

    /// What is known of a user's role in the vault of a repository. It shows that there is such a
    /// vault: for asking GitHub only, never for an answer.
    pub async fn known_role(
        &mut self,
        user_id: Uuid,
        owner: &str,
        repo: &str,
    ) -> Result<Option<KnownRole>, StoreError> {
        Ok(on!(self, |conn| sqlx::query_as(concat!(
            known_role!(),
            "WHERE v.repo_key = $2"
        ))
        .bind(user_id)
        .bind(format!("{owner}/{repo}").to_lowercase())
        .fetch_optional(conn))?)
    }

    /// The same, by the vault's id.
    pub async fn known_role_by_id(
        &mut self,
        user_id: Uuid,
        vault_id: Uuid,
    ) -> Result<Option<KnownRole>, StoreError> {
        Ok(on!(self, |conn| sqlx::query_as(concat!(
            known_role!(),
            "WHERE v.id = $2"
        ))
        .bind(user_id)
        .bind(vault_id)
        .fetch_optional(conn))?)
    }

    /// Which vault has the repository of that number.
    pub async fn vault_of_github_repository(
        &mut self,
        github_repo_id: i64,
    ) -> Result<Option<Uuid>, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT id FROM vaults WHERE github_repo_id = $1"
        )
        .bind(github_repo_id)
        .fetch_optional(conn))?)
    }

    /// Ties a vault to a repository's number, once. [`Constraint::VaultsRepo`] when another vault has
    /// it.
    pub async fn bind_github_repository(
        &mut self,
        vault_id: Uuid,
        github_repo_id: i64,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE vaults SET github_repo_id = $2 WHERE id = $1 AND github_repo_id IS NULL"
        )
        .bind(vault_id)
        .bind(github_repo_id)
        .execute(conn))?;
        Ok(())
    }

    /// Notes a role that GitHub told, or that it told of none.
    pub async fn set_github_role(
        &mut self,
        vault_id: Uuid,
        user_id: Uuid,
        role: Option<Role>,
        at: DateTime<Utc>,
        valid_until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Some(role) = role else {
            changed!(self, |conn| sqlx::query(
                "DELETE FROM vault_members
                 WHERE vault_id = $1 AND user_id = $2 AND valid_until IS NOT NULL"
            )
            .bind(vault_id)
            .bind(user_id)
            .execute(conn))?;
            return Ok(());
        };
        changed!(self, |conn| sqlx::query(
            "INSERT INTO vault_members (vault_id, user_id, role, created_at, valid_until)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (vault_id, user_id)
             DO UPDATE SET role = excluded.role, valid_until = excluded.valid_until"
        )
        .bind(vault_id)
        .bind(user_id)
        .bind(role.as_str())
        .bind(at)
        .bind(valid_until)
        .execute(conn))?;
        Ok(())
    }

    /// The vault of a job. For asking GitHub only, as [`Tx::known_role`].
    pub async fn vault_of_job(&mut self, job_id: Uuid) -> Result<Option<Uuid>, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT vault_id FROM jobs WHERE id = $1"
        )
        .bind(job_id)
        .fetch_optional(conn))?)
    }
}

/// Whether an error says that somebody else has just added what was to be added.
pub(crate) fn is_taken(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Conflict(Constraint::UsersUsername | Constraint::GitHubAccount)
    )
}
