//! Authorizations under way.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::tx::{changed, inconsistent, on, word};
use super::{StoreError, Tx};
use crate::domain::connection::ProviderName;

/// An authorization that a browser was sent away for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthState {
    /// SHA-256 of the state parameter.
    pub state_hash: [u8; 32],
    /// Who connects.
    pub user_id: Uuid,
    /// With whom.
    pub provider: ProviderName,
    /// Where the browser goes in the end.
    pub redirect_uri: Option<String>,
    /// SHA-256 of the cookie of the browser that started.
    pub browser_hash: [u8; 32],
    /// After this time it is refused.
    pub expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct OAuthStateRow {
    user_id: Uuid,
    provider: String,
    redirect_uri: Option<String>,
    browser_hash: Vec<u8>,
    expires_at: DateTime<Utc>,
}

impl Tx {
    /// Adds one.
    pub async fn insert_oauth_state(&mut self, state: &OAuthState) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO oauth_states
                 (state_hash, user_id, provider, redirect_uri, browser_hash, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)"
        )
        .bind(state.state_hash.as_slice())
        .bind(state.user_id)
        .bind(state.provider.as_str())
        .bind(&state.redirect_uri)
        .bind(state.browser_hash.as_slice())
        .bind(state.expires_at)
        .execute(conn))?;
        Ok(())
    }

    /// Takes one out: it works once. An expired one is as good as none.
    pub async fn take_oauth_state(
        &mut self,
        state_hash: &[u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<OAuthState>, StoreError> {
        let row: Option<OAuthStateRow> = on!(self, |conn| sqlx::query_as(
            "DELETE FROM oauth_states WHERE state_hash = $1
             RETURNING user_id, provider, redirect_uri, browser_hash, expires_at"
        )
        .bind(state_hash.as_slice())
        .fetch_optional(conn))?;
        let Some(row) = row.filter(|row| row.expires_at > now) else {
            return Ok(None);
        };
        let id = row.user_id;
        Ok(Some(OAuthState {
            state_hash: *state_hash,
            user_id: row.user_id,
            provider: word(&row.provider, "oauth_states", "provider", id)?,
            redirect_uri: row.redirect_uri,
            browser_hash: row
                .browser_hash
                .try_into()
                .map_err(|_| inconsistent("oauth_states", "browser_hash", id))?,
            expires_at: row.expires_at,
        }))
    }

    /// Removes the expired ones; how many there were.
    pub async fn prune_oauth_states(&mut self, now: DateTime<Utc>) -> Result<i64, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM oauth_states WHERE expires_at <= $1"
        )
        .bind(now)
        .execute(conn))?;
        Ok(rows as i64)
    }
}
