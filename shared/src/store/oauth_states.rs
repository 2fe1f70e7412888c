//! Authorizations under way.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::tx::{changed, inconsistent, on, word};
use super::{StoreError, Tx};
use crate::domain::account::User;
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

    /// Adds a ticket, of which only the hash is kept: whoever shows it may begin an authorization in
    /// this user's name.
    pub async fn insert_authorize_ticket(
        &mut self,
        ticket_hash: &[u8; 32],
        user_id: Uuid,
        provider: ProviderName,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO authorize_tickets (ticket_hash, user_id, provider, expires_at)
             VALUES ($1, $2, $3, $4)"
        )
        .bind(ticket_hash.as_slice())
        .bind(user_id)
        .bind(provider.as_str())
        .bind(expires_at)
        .execute(conn))?;
        Ok(())
    }

    /// Whose a ticket is, while it works.
    pub async fn find_authorize_ticket(
        &mut self,
        ticket_hash: &[u8; 32],
        provider: ProviderName,
        now: DateTime<Utc>,
    ) -> Result<Option<User>, StoreError> {
        let user_id: Option<Uuid> = on!(self, |conn| sqlx::query_scalar(
            "SELECT user_id FROM authorize_tickets
             WHERE ticket_hash = $1 AND provider = $2 AND expires_at > $3"
        )
        .bind(ticket_hash.as_slice())
        .bind(provider.as_str())
        .bind(now)
        .fetch_optional(conn))?;
        match user_id {
            Some(user_id) => self.find_user(user_id).await,
            None => Ok(None),
        }
    }

    /// Takes a ticket out, and gives whose it is: it works once, for its provider, and not for long.
    pub async fn take_authorize_ticket(
        &mut self,
        ticket_hash: &[u8; 32],
        provider: ProviderName,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, StoreError> {
        let row: Option<(Uuid, DateTime<Utc>)> = on!(self, |conn| sqlx::query_as(
            "DELETE FROM authorize_tickets WHERE ticket_hash = $1 AND provider = $2
             RETURNING user_id, expires_at"
        )
        .bind(ticket_hash.as_slice())
        .bind(provider.as_str())
        .fetch_optional(conn))?;
        Ok(row
            .filter(|(_, expires_at)| *expires_at > now)
            .map(|(user_id, _)| user_id))
    }

    /// Removes the expired ones, and expired tickets; how many there were.
    pub async fn prune_oauth_states(&mut self, now: DateTime<Utc>) -> Result<i64, StoreError> {
        let states = changed!(self, |conn| sqlx::query(
            "DELETE FROM oauth_states WHERE expires_at <= $1"
        )
        .bind(now)
        .execute(conn))?;
        let tickets = changed!(self, |conn| sqlx::query(
            "DELETE FROM authorize_tickets WHERE expires_at <= $1"
        )
        .bind(now)
        .execute(conn))?;
        Ok((states + tickets) as i64)
    }
}
