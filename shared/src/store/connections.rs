//! Connections. Tokens are sealed here and leave only as a [`Credential`].

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::tx::{changed, on, one_row, open_text, word};
use super::{StoreError, Tx};
use crate::crypto::Aad;
use crate::domain::connection::{
    Connection, ConnectionStatus, Credential, ProviderName, ReconnectReason, TokenPair, TokenState,
};
use crate::secret::Secret;

macro_rules! columns {
    () => {
        "id, user_id, provider, provider_account_id, provider_user_id, provider_team_id,
         installation_id, account_name, auth_method, token_kind, status, status_reason, token_version,
         token_expires_at, refresh_ciphertext IS NOT NULL AS renewable,
         previous_ciphertext IS NOT NULL AS unproven, created_at, updated_at"
    };
}

#[derive(sqlx::FromRow)]
struct ConnectionRow {
    id: Uuid,
    user_id: Uuid,
    provider: String,
    provider_account_id: String,
    provider_user_id: String,
    provider_team_id: Option<String>,
    installation_id: Option<String>,
    account_name: String,
    auth_method: String,
    token_kind: Option<String>,
    status: String,
    status_reason: Option<String>,
    token_version: i64,
    token_expires_at: Option<DateTime<Utc>>,
    renewable: bool,
    unproven: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<ConnectionRow> for Connection {
    type Error = StoreError;

    fn try_from(row: ConnectionRow) -> Result<Self, StoreError> {
        Ok(Self {
            provider: word(&row.provider, "connections", "provider", row.id)?,
            auth_method: word(&row.auth_method, "connections", "auth_method", row.id)?,
            status: word(&row.status, "connections", "status", row.id)?,
            status_reason: row
                .status_reason
                .map(|reason| word(&reason, "connections", "status_reason", row.id))
                .transpose()?,
            token: TokenState {
                version: row.token_version,
                expires_at: row.token_expires_at,
                renewable: row.renewable,
                unproven: row.unproven,
            },
            id: row.id,
            user_id: row.user_id,
            provider_account_id: row.provider_account_id,
            provider_user_id: row.provider_user_id,
            provider_team_id: row.provider_team_id,
            installation_id: row.installation_id,
            account_name: row.account_name,
            token_kind: row.token_kind,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

#[derive(sqlx::FromRow)]
struct CredentialRow {
    #[sqlx(flatten)]
    connection: ConnectionRow,
    token_ciphertext: Vec<u8>,
    token_key_id: String,
}

impl Tx {
    /// Saves a connection with a token that is not renewed: see [`Tx::upsert_connection_with`].
    pub async fn upsert_connection(
        &mut self,
        connection: &Connection,
        token: &Secret,
    ) -> Result<Connection, StoreError> {
        let pair = TokenPair::lasting(token.clone());
        self.upsert_connection_with(connection, &pair).await
    }

    /// Saves a connection. The same user's connection with the same account is made again: its id
    /// stays, everything else is taken from `connection`, and it is active. Gives what is stored.
    pub async fn upsert_connection_with(
        &mut self,
        connection: &Connection,
        pair: &TokenPair,
    ) -> Result<Connection, StoreError> {
        // The token is bound to the row's id, so which row it will be must be known before it is
        // sealed. Nothing that another unit of work does in between changes that.
        let mut stored = Connection {
            status: ConnectionStatus::Active,
            status_reason: None,
            token: TokenState {
                version: 0,
                expires_at: pair.expires_at,
                renewable: pair.refresh.is_some(),
                unproven: false,
            },
            ..connection.clone()
        };
        let mut known = self.lock_account(connection).await?;
        if known.is_none() && !self.insert_connection(&stored, pair).await? {
            known = self.lock_account(connection).await?;
            known.ok_or_else(|| StoreError::RowsAffected {
                table: "connections",
                id: connection.id.to_string(),
                rows: 0,
            })?;
        }
        if let Some((id, version)) = known {
            stored.id = id;
            stored.token.version = version + 1;
            self.update_connection(&stored, pair).await?;
        }
        Ok(stored)
    }

    /// A user's connections, newest first. Those that were given up are not among them.
    pub async fn list_connections(&mut self, user_id: Uuid) -> Result<Vec<Connection>, StoreError> {
        let rows: Vec<ConnectionRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM connections WHERE user_id = $1 AND status <> 'disconnected'
              ORDER BY created_at DESC, id DESC"
        ))
        .bind(user_id)
        .fetch_all(conn))?;
        rows.into_iter().map(Connection::try_from).collect()
    }

    /// The ids of a user's connections with a provider, also of those that were given up: which of them
    /// connecting again brings back, nobody knows yet.
    pub async fn connection_ids(
        &mut self,
        user_id: Uuid,
        provider: ProviderName,
    ) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT id FROM connections WHERE user_id = $1 AND provider = $2 ORDER BY id"
        )
        .bind(user_id)
        .bind(provider.as_str())
        .fetch_all(conn))?)
    }

    /// One of a user's connections, unless it was given up.
    pub async fn find_connection(
        &mut self,
        user_id: Uuid,
        id: Uuid,
    ) -> Result<Option<Connection>, StoreError> {
        let row: Option<ConnectionRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM connections WHERE user_id = $1 AND id = $2 AND status <> 'disconnected'"
        ))
        .bind(user_id)
        .bind(id)
        .fetch_optional(conn))?;
        row.map(Connection::try_from).transpose()
    }

    /// The connection of one of a vault's links, whosever it is, and also when it was given up.
    pub async fn connection_of_link(
        &mut self,
        vault_id: Uuid,
        link_id: Uuid,
    ) -> Result<Option<Connection>, StoreError> {
        let row: Option<ConnectionRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM connections WHERE id =
                 (SELECT connection_id FROM links WHERE vault_id = $1 AND id = $2)"
        ))
        .bind(vault_id)
        .bind(link_id)
        .fetch_optional(conn))?;
        row.map(Connection::try_from).transpose()
    }

    /// Keeps a connection as it is until the end of the unit of work, whosever it is and also when it was
    /// given up.
    pub async fn lock_connection(&mut self, id: Uuid) -> Result<(), StoreError> {
        let dialect = self.dialect();
        on!(self, |conn| async {
            let mut query = QueryBuilder::new("SELECT id FROM connections WHERE id = ");
            query.push_bind(id).push(" ").push(dialect.for_update);
            query
                .build_query_scalar::<Uuid>()
                .fetch_optional(conn)
                .await
        })?;
        Ok(())
    }

    /// Whether anybody's connection but this one, and not given up, has the same installation.
    pub async fn is_installation_shared(
        &mut self,
        connection: &Connection,
    ) -> Result<bool, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM connections WHERE installation_id = $1 AND provider = $2
                 AND id <> $3 AND status <> 'disconnected')"
        )
        .bind(&connection.installation_id)
        .bind(connection.provider.as_str())
        .bind(connection.id)
        .fetch_one(conn))?)
    }

    /// Keeps one of a user's connections from being given up until the end of the unit of work, for a
    /// link that is to have it. False when it was given up.
    pub async fn hold_connection(&mut self, user_id: Uuid, id: Uuid) -> Result<bool, StoreError> {
        let dialect = self.dialect();
        let found: Option<Uuid> = on!(self, |conn| async {
            let mut query = QueryBuilder::new("SELECT id FROM connections WHERE user_id = ");
            query.push_bind(user_id).push(" AND id = ").push_bind(id);
            query.push(" AND status <> 'disconnected' ");
            query.push(dialect.for_update);
            query.build_query_scalar().fetch_optional(conn).await
        })?;
        Ok(found.is_some())
    }

    /// One of a user's connections with what calls are made with, unless it was given up.
    pub async fn connection_credential(
        &mut self,
        user_id: Uuid,
        id: Uuid,
    ) -> Result<Option<(Connection, Credential)>, StoreError> {
        let row: Option<CredentialRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            ", token_ciphertext, token_key_id FROM connections
              WHERE user_id = $1 AND id = $2 AND status <> 'disconnected'"
        ))
        .bind(user_id)
        .bind(id)
        .fetch_optional(conn))?;
        let Some(row) = row else {
            return Ok(None);
        };
        let token = open_text(
            &self.context.ring,
            &row.token_key_id,
            &row.token_ciphertext,
            &Aad::connection_token(id),
        )
        .map_err(|error| StoreError::from_crypto(error, "connections", id, "token"))?;
        let connection = Connection::try_from(row.connection)?;
        let credential = Credential {
            token,
            team_id: connection.provider_team_id.clone(),
            installation_id: connection.installation_id.clone(),
            token_kind: connection.token_kind.clone(),
        };
        Ok(Some((connection, credential)))
    }

    /// Gives up one of a user's connections: forgets its credential, its plans, and unless links have it
    /// all of it. The links stay and pause, those that somebody paused for that reason. Gives how many
    /// there are; `None` when there is no such connection. To be called after its jobs were cancelled,
    /// in the order in which a run that ends writes.
    pub async fn disconnect(
        &mut self,
        user_id: Uuid,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Option<u64>, StoreError> {
        // A link that is just being saved with it is waited for, and one that comes later waits.
        if !self.hold_connection(user_id, id).await? {
            return Ok(None);
        }
        let links: i64 = on!(self, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM links WHERE connection_id = $1"
        )
        .bind(id)
        .fetch_one(conn))?;
        if links == 0 {
            let rows = changed!(self, |conn| sqlx::query(
                "DELETE FROM connections WHERE id = $1"
            )
            .bind(id)
            .execute(conn))?;
            one_row(rows, "connections", id)?;
            return Ok(Some(0));
        }
        let nothing = self.seal_text(&Aad::connection_token(id), &Secret::new(""));
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE connections SET status = $2, status_reason = NULL, installation_id = NULL,
                 token_ciphertext = $3, token_key_id = $4, token_version = token_version + 1,
                 token_expires_at = NULL, refresh_ciphertext = NULL, refresh_key_id = NULL,
                 previous_ciphertext = NULL, previous_key_id = NULL, previous_expires_at = NULL,
                 renewal_id = NULL, renewing_until = NULL, updated_at = $5
             WHERE id = $1"
        )
        .bind(id)
        .bind(ConnectionStatus::Disconnected.as_str())
        .bind(&nothing.bytes)
        .bind(&nothing.key_id)
        .bind(at)
        .execute(conn))?;
        one_row(rows, "connections", id)?;
        changed!(self, |conn| sqlx::query(
            "DELETE FROM plans WHERE connection_id = $1"
        )
        .bind(id)
        .execute(conn))?;
        self.pause_disconnected_links(id, at).await?;
        Ok(Some(links.unsigned_abs()))
    }

    /// Notes that the connection has to be made again, and why. Of a `version` of its token only: one that
    /// was replaced meanwhile says nothing of the next. What waits for a later time with it is due now, to
    /// end for that reason. For the engine; a connection that is gone or was given up is no error. False
    /// when that was known.
    pub async fn mark_needs_reconnect(
        &mut self,
        id: Uuid,
        version: Option<i64>,
        reason: ReconnectReason,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE connections SET status = $2, status_reason = $5, renewal_id = NULL,
                 renewing_until = NULL, updated_at = $3
             WHERE id = $1 AND status = $4 AND token_version = COALESCE($6, token_version)"
        )
        .bind(id)
        .bind(ConnectionStatus::NeedsReconnect.as_str())
        .bind(at)
        .bind(ConnectionStatus::Active.as_str())
        .bind(reason.as_str())
        .bind(version)
        .execute(conn))?;
        if rows == 1 {
            self.hasten_connection_jobs(id, at).await?;
        }
        Ok(rows == 1)
    }

    /// The user's connection with that account and the version of its token, kept from changing until the
    /// end of the unit of work.
    async fn lock_account(
        &mut self,
        connection: &Connection,
    ) -> Result<Option<(Uuid, i64)>, StoreError> {
        let dialect = self.dialect();
        Ok(on!(self, |conn| async {
            let mut query =
                QueryBuilder::new("SELECT id, token_version FROM connections WHERE user_id = ");
            query.push_bind(connection.user_id);
            query
                .push(" AND provider = ")
                .push_bind(connection.provider.as_str());
            query
                .push(" AND provider_account_id = ")
                .push_bind(&connection.provider_account_id);
            query.push(" ").push(dialect.for_update);
            query.build_query_as().fetch_optional(conn).await
        })?)
    }

    /// False when the account is connected meanwhile.
    async fn insert_connection(
        &mut self,
        connection: &Connection,
        pair: &TokenPair,
    ) -> Result<bool, StoreError> {
        let sealed = self.seal_text(&Aad::connection_token(connection.id), &pair.access);
        let (refresh_key_id, refresh) = self.seal_refresh(connection.id, pair);
        let rows = changed!(self, |conn| {
            sqlx::query(
            "INSERT INTO connections (id, user_id, provider, provider_account_id, provider_user_id,
                 provider_team_id, installation_id, account_name, auth_method, token_ciphertext,
                 token_key_id, status, created_at, updated_at, refresh_ciphertext, refresh_key_id,
                 token_expires_at, token_kind)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
             ON CONFLICT (user_id, provider, provider_account_id) DO NOTHING"
        )
        .bind(connection.id)
        .bind(connection.user_id)
        .bind(connection.provider.as_str())
        .bind(&connection.provider_account_id)
        .bind(&connection.provider_user_id)
        .bind(&connection.provider_team_id)
        .bind(&connection.installation_id)
        .bind(&connection.account_name)
        .bind(connection.auth_method.as_str())
        .bind(&sealed.bytes)
        .bind(&sealed.key_id)
        .bind(connection.status.as_str())
        .bind(connection.created_at)
        .bind(connection.updated_at)
        .bind(refresh)
        .bind(refresh_key_id)
        .bind(pair.expires_at)
        .bind(&connection.token_kind)
        .execute(conn)
        })?;
        Ok(rows == 1)
    }

    async fn update_connection(
        &mut self,
        connection: &Connection,
        pair: &TokenPair,
    ) -> Result<(), StoreError> {
        let sealed = self.seal_text(&Aad::connection_token(connection.id), &pair.access);
        let (refresh_key_id, refresh) = self.seal_refresh(connection.id, pair);
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE connections SET provider_user_id = $2, provider_team_id = $3,
                 installation_id = $4, account_name = $5, auth_method = $6, token_ciphertext = $7,
                 token_key_id = $8, status = $9, created_at = $10, updated_at = $11,
                 status_reason = NULL, token_version = $12, refresh_ciphertext = $13,
                 refresh_key_id = $14, token_expires_at = $15, previous_ciphertext = NULL,
                 previous_key_id = NULL, previous_expires_at = NULL, renewal_id = NULL,
                 renewing_until = NULL, token_kind = $16
             WHERE id = $1"
        )
        .bind(connection.id)
        .bind(&connection.provider_user_id)
        .bind(&connection.provider_team_id)
        .bind(&connection.installation_id)
        .bind(&connection.account_name)
        .bind(connection.auth_method.as_str())
        .bind(&sealed.bytes)
        .bind(&sealed.key_id)
        .bind(connection.status.as_str())
        .bind(connection.created_at)
        .bind(connection.updated_at)
        .bind(connection.token.version)
        .bind(refresh)
        .bind(refresh_key_id)
        .bind(pair.expires_at)
        .bind(&connection.token_kind)
        .execute(conn))?;
        one_row(rows, "connections", connection.id)?;
        self.resume_reconnected_links(connection.id, connection.updated_at)
            .await
    }

    /// The refresh token as it is stored, if there is one.
    fn seal_refresh(&self, id: Uuid, pair: &TokenPair) -> (Option<String>, Option<Vec<u8>>) {
        let refresh = pair.refresh.as_ref();
        refresh
            .map(|refresh| self.seal_text(&Aad::connection_refresh_token(id), refresh))
            .map(|sealed| (sealed.key_id, sealed.bytes))
            .unzip()
    }
}
