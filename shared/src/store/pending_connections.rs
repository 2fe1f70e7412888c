//! Connections that were begun at the provider and that nobody has confirmed yet. Their tokens are
//! sealed here, and come out once, to be sealed again as those of connections.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::tx::{changed, inconsistent, on, open_text, word};
use super::{StoreError, Tx};
use crate::crypto::Aad;
use crate::domain::connection::{InstallSource, ProviderAccount, ProviderName};
use crate::secret::Secret;

const TABLE: &str = "pending_connections";

macro_rules! columns {
    () => {
        "id, browser_hash, provider, provider_user_id, username, provider_team_id, team_name,
         installation_id, source, next, expires_at"
    };
}

/// A connection that waits for a user's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingConnection {
    /// Identity.
    pub id: Uuid,
    /// SHA-256 of the cookie of the browser that brought it.
    pub browser_hash: [u8; 32],
    /// With whom.
    pub provider: ProviderName,
    /// Whose account it is there; without an address, which nobody needs.
    pub account: ProviderAccount,
    /// The installation of our integration.
    pub installation_id: Option<String>,
    /// Where it was begun.
    pub source: Option<InstallSource>,
    /// The provider's page to go on to.
    pub next: Option<String>,
    /// After this time it is refused.
    pub expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct PendingRow {
    id: Uuid,
    browser_hash: Vec<u8>,
    provider: String,
    provider_user_id: String,
    username: String,
    provider_team_id: Option<String>,
    team_name: Option<String>,
    installation_id: Option<String>,
    source: Option<String>,
    next: Option<String>,
    expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct TakenRow {
    #[sqlx(flatten)]
    pending: PendingRow,
    token_ciphertext: Vec<u8>,
    token_key_id: String,
}

impl TryFrom<PendingRow> for PendingConnection {
    type Error = StoreError;

    fn try_from(row: PendingRow) -> Result<Self, StoreError> {
        let source = row.source.as_deref();
        Ok(Self {
            browser_hash: row
                .browser_hash
                .try_into()
                .map_err(|_| inconsistent(TABLE, "browser_hash", row.id))?,
            provider: word(&row.provider, TABLE, "provider", row.id)?,
            source: source
                .map(|source| word(source, TABLE, "source", row.id))
                .transpose()?,
            id: row.id,
            account: ProviderAccount {
                user_id: row.provider_user_id,
                username: row.username,
                email: None,
                team_id: row.provider_team_id,
                team_name: row.team_name,
                token_kind: None,
            },
            installation_id: row.installation_id,
            next: row.next,
            expires_at: row.expires_at,
        })
    }
}

impl Tx {
    /// Adds one.
    pub async fn insert_pending_connection(
        &mut self,
        pending: &PendingConnection,
        token: &Secret,
    ) -> Result<(), StoreError> {
        let sealed = self.seal_text(&Aad::pending_connection_token(pending.id), token);
        let account = &pending.account;
        changed!(self, |conn| {
            sqlx::query(
            "INSERT INTO pending_connections (id, browser_hash, provider, provider_user_id, username,
                 provider_team_id, team_name, installation_id, source, next, token_ciphertext,
                 token_key_id, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        )
        .bind(pending.id)
        .bind(pending.browser_hash.as_slice())
        .bind(pending.provider.as_str())
        .bind(&account.user_id)
        .bind(&account.username)
        .bind(&account.team_id)
        .bind(&account.team_name)
        .bind(&pending.installation_id)
        .bind(pending.source.map(InstallSource::as_str))
        .bind(&pending.next)
        .bind(&sealed.bytes)
        .bind(&sealed.key_id)
        .bind(pending.expires_at)
        .execute(conn)
        })?;
        Ok(())
    }

    /// One, while it can be confirmed.
    pub async fn find_pending_connection(
        &mut self,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<PendingConnection>, StoreError> {
        let row: Option<PendingRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM pending_connections WHERE id = $1 AND expires_at > $2"
        ))
        .bind(id)
        .bind(now)
        .fetch_optional(conn))?;
        row.map(PendingConnection::try_from).transpose()
    }

    /// Takes one out, with its token: it works once. An expired one is as good as none.
    pub async fn take_pending_connection(
        &mut self,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<(PendingConnection, Secret)>, StoreError> {
        let row: Option<TakenRow> = on!(self, |conn| sqlx::query_as(concat!(
            "DELETE FROM pending_connections WHERE id = $1
             RETURNING ",
            columns!(),
            ", token_ciphertext, token_key_id"
        ))
        .bind(id)
        .fetch_optional(conn))?;
        let Some(row) = row.filter(|row| row.pending.expires_at > now) else {
            return Ok(None);
        };
        let token = open_text(
            &self.context.ring,
            &row.token_key_id,
            &row.token_ciphertext,
            &Aad::pending_connection_token(id),
        )
        .map_err(|error| StoreError::from_crypto(error, TABLE, id, "token"))?;
        Ok(Some((row.pending.try_into()?, token)))
    }
}
