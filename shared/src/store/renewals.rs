//! Renewing tokens that end. A refresh token works once at some providers, and whoever uses it a second
//! time ends the whole authorization: one process renews at a time, what it is given is stored before
//! anybody uses it, and a renewal of which nobody knows how it ended is not tried again.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::tx::{changed, on, open_text};
use super::{StoreError, Tx};
use crate::crypto::Aad;
use crate::domain::connection::TokenPair;
use crate::secret::Secret;

/// Whether a token may be renewed now.
#[derive(Debug)]
pub enum Begun {
    /// By whoever asked, with this, until the lease that was asked for ends.
    Yes(Secret),
    /// Somebody does it.
    Busy,
    /// Somebody began, and never said how it ended: what there is may have been used.
    Lost,
    /// There is another token by now, or nothing to renew this one with.
    Moot,
}

#[derive(sqlx::FromRow)]
struct RenewalRow {
    token_version: i64,
    refresh_ciphertext: Option<Vec<u8>>,
    refresh_key_id: Option<String>,
    renewing_until: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct PreviousRow {
    previous_ciphertext: Option<Vec<u8>>,
    previous_key_id: Option<String>,
}

impl Tx {
    /// Takes the lease on renewing a connection's token of this version, for `holder`. For the renewal.
    pub async fn begin_renewal(
        &mut self,
        id: Uuid,
        version: i64,
        holder: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Begun, StoreError> {
        let sql = format!(
            "SELECT token_version, refresh_ciphertext, refresh_key_id, renewing_until
             FROM connections WHERE id = $1 AND status = 'active' {}",
            self.dialect().for_update
        );
        let row: Option<RenewalRow> = on!(self, |conn| sqlx::query_as(AssertSqlSafe(sql))
            .bind(id)
            .fetch_optional(conn))?;
        let Some(row) = row.filter(|row| row.token_version == version) else {
            return Ok(Begun::Moot);
        };
        let (Some(bytes), Some(key_id)) = (row.refresh_ciphertext, row.refresh_key_id) else {
            return Ok(Begun::Moot);
        };
        match row.renewing_until {
            Some(until) if until > now => return Ok(Begun::Busy),
            Some(_) => return Ok(Begun::Lost),
            None => {}
        }
        let aad = Aad::connection_refresh_token(id);
        let refresh = open_text(&self.context.ring, &key_id, &bytes, &aad)
            .map_err(|error| StoreError::from_crypto(error, "connections", id, "refresh"))?;
        changed!(self, |conn| sqlx::query(
            "UPDATE connections SET renewing_until = $2, renewal_id = $3 WHERE id = $1"
        )
        .bind(id)
        .bind(until)
        .bind(holder)
        .execute(conn))?;
        Ok(Begun::Yes(refresh))
    }

    /// Lets go of the lease after a renewal that certainly did nothing.
    pub async fn give_up_renewal(&mut self, id: Uuid, holder: Uuid) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE connections SET renewing_until = NULL, renewal_id = NULL
             WHERE id = $1 AND renewal_id = $2"
        )
        .bind(id)
        .bind(holder)
        .execute(conn))?;
        Ok(())
    }

    /// Stores what a renewal gave, all of it or nothing, and keeps the token before until the new one has
    /// worked. Without a new refresh token the old one stays. False when the lease is somebody else's, or
    /// the connection was made again.
    pub async fn keep_renewed(
        &mut self,
        id: Uuid,
        holder: Uuid,
        pair: &TokenPair,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let access = self.seal_text(&Aad::connection_token(id), &pair.access);
        let refresh = pair.refresh.as_ref();
        let refresh =
            refresh.map(|refresh| self.seal_text(&Aad::connection_refresh_token(id), refresh));
        let (refresh_key_id, refresh) = refresh.map(|sealed| (sealed.key_id, sealed.bytes)).unzip();
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE connections SET previous_ciphertext = token_ciphertext,
                 previous_key_id = token_key_id, previous_expires_at = token_expires_at,
                 token_ciphertext = $3, token_key_id = $4, token_expires_at = $5,
                 refresh_ciphertext = COALESCE($6, refresh_ciphertext),
                 refresh_key_id = COALESCE($7, refresh_key_id),
                 token_version = token_version + 1, renewing_until = NULL, renewal_id = NULL,
                 updated_at = $8
             WHERE id = $1 AND renewal_id = $2 AND status = 'active'"
        )
        .bind(id)
        .bind(holder)
        .bind(&access.bytes)
        .bind(&access.key_id)
        .bind(pair.expires_at)
        .bind(refresh)
        .bind(refresh_key_id)
        .bind(at)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Notes that a token which came by a renewal works: the one before is forgotten.
    pub async fn prove_token(&mut self, id: Uuid, version: i64) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE connections SET previous_ciphertext = NULL, previous_key_id = NULL,
                 previous_expires_at = NULL
             WHERE id = $1 AND token_version = $2"
        )
        .bind(id)
        .bind(version)
        .execute(conn))?;
        Ok(())
    }

    /// The token before one that came by a renewal and has not worked yet.
    pub async fn previous_token(
        &mut self,
        id: Uuid,
        version: i64,
    ) -> Result<Option<Secret>, StoreError> {
        let row: Option<PreviousRow> = on!(self, |conn| sqlx::query_as(
            "SELECT previous_ciphertext, previous_key_id FROM connections
             WHERE id = $1 AND token_version = $2"
        )
        .bind(id)
        .bind(version)
        .fetch_optional(conn))?;
        let (Some(bytes), Some(key_id)) = row
            .map(|row| (row.previous_ciphertext, row.previous_key_id))
            .unwrap_or_default()
        else {
            return Ok(None);
        };
        let aad = Aad::connection_token(id);
        open_text(&self.context.ring, &key_id, &bytes, &aad)
            .map(Some)
            .map_err(|error| StoreError::from_crypto(error, "connections", id, "previous"))
    }

    /// Goes back to the token before. False when it was forgotten meanwhile.
    pub async fn restore_token(
        &mut self,
        id: Uuid,
        version: i64,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE connections SET token_ciphertext = previous_ciphertext,
                 token_key_id = previous_key_id, token_expires_at = previous_expires_at,
                 previous_ciphertext = NULL, previous_key_id = NULL, previous_expires_at = NULL,
                 token_version = token_version + 1, updated_at = $3
             WHERE id = $1 AND token_version = $2 AND previous_ciphertext IS NOT NULL"
        )
        .bind(id)
        .bind(version)
        .bind(at)
        .execute(conn))?;
        Ok(rows == 1)
    }
}
