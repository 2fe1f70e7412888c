//! API keys. Tokens are stored as hashes only.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, inconsistent, on, word};
use super::{StoreError, Tx};
use crate::domain::account::{ApiKey, User, network_text, parse_network};

/// The columns of a key, from `k`.
macro_rules! columns {
    () => {
        "k.id, k.user_id, k.name, k.environment, k.prefix, k.scopes, k.allowed_ips, k.expires_at,
         k.last_used_at, k.usage_count, k.created_at, k.revoked_at"
    };
}

#[derive(sqlx::FromRow)]
struct ApiKeyRow {
    id: Uuid,
    user_id: Uuid,
    name: String,
    environment: String,
    prefix: String,
    scopes: Json<serde_json::Value>,
    allowed_ips: Option<Json<Vec<String>>>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    usage_count: i64,
    created_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: ApiKeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            user_id: row.user_id,
            name: row.name,
            environment: word(&row.environment, "api_keys", "environment", row.id)?,
            prefix: row.prefix,
            scopes: serde_json::from_value(row.scopes.0)
                .map_err(|_| inconsistent("api_keys", "scopes", row.id))?,
            // One that cannot be read must not open the key to everybody.
            allowed_ips: row
                .allowed_ips
                .map_or_else(Vec::new, |texts| texts.0)
                .iter()
                .map(|text| parse_network(text))
                .collect::<Option<_>>()
                .ok_or_else(|| inconsistent("api_keys", "allowed_ips", row.id))?,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            usage_count: row.usage_count,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        })
    }
}

/// A key with its user.
#[derive(sqlx::FromRow)]
struct OwnedRow {
    #[sqlx(flatten)]
    key: ApiKeyRow,
    username: String,
    operator: bool,
    user_created_at: DateTime<Utc>,
}

impl Tx {
    /// Adds a key of which only `token_hash` is kept.
    pub async fn insert_api_key(
        &mut self,
        key: &ApiKey,
        token_hash: &[u8; 32],
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO api_keys (id, user_id, name, environment, prefix, token_hash, scopes,
                 expires_at, last_used_at, usage_count, created_at, revoked_at, allowed_ips)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        )
        .bind(key.id)
        .bind(key.user_id)
        .bind(&key.name)
        .bind(key.environment.as_str())
        .bind(&key.prefix)
        .bind(token_hash.as_slice())
        .bind(Json(&key.scopes))
        .bind(key.expires_at)
        .bind(key.last_used_at)
        .bind(key.usage_count)
        .bind(key.created_at)
        .bind(key.revoked_at)
        .bind(
            (!key.allowed_ips.is_empty())
                .then(|| { Json(key.allowed_ips.iter().map(network_text).collect::<Vec<_>>(),) })
        )
        .execute(conn))?;
        Ok(())
    }

    /// The key of a token and whose it is. Revoked and expired ones too: the caller tells them apart.
    pub async fn find_api_key_by_hash(
        &mut self,
        token_hash: &[u8; 32],
    ) -> Result<Option<(ApiKey, User)>, StoreError> {
        let row: Option<OwnedRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            ", u.username, u.operator, u.created_at AS user_created_at
             FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.token_hash = $1"
        ))
        .bind(token_hash.as_slice())
        .fetch_optional(conn))?;
        row.map(|row| {
            let user = User {
                id: row.key.user_id,
                username: row.username,
                operator: row.operator,
                created_at: row.user_created_at,
            };
            Ok((row.key.try_into()?, user))
        })
        .transpose()
    }

    /// A user's keys, newest first.
    pub async fn list_api_keys(&mut self, user_id: Uuid) -> Result<Vec<ApiKey>, StoreError> {
        let rows: Vec<ApiKeyRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys k WHERE k.user_id = $1 ORDER BY k.created_at DESC, k.id DESC"
        ))
        .bind(user_id)
        .fetch_all(conn))?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    /// Everybody's keys with their users' names, newest first. For the command line.
    pub async fn list_all_api_keys(&mut self) -> Result<Vec<(ApiKey, String)>, StoreError> {
        let rows: Vec<OwnedRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            ", u.username, u.operator, u.created_at AS user_created_at
             FROM api_keys k JOIN users u ON u.id = k.user_id
             ORDER BY k.created_at DESC, k.id DESC"
        ))
        .fetch_all(conn))?;
        rows.into_iter()
            .map(|row| Ok((row.key.try_into()?, row.username)))
            .collect()
    }

    /// One of a user's keys.
    pub async fn find_api_key(
        &mut self,
        user_id: Uuid,
        id: Uuid,
    ) -> Result<Option<ApiKey>, StoreError> {
        let row: Option<ApiKeyRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys k WHERE k.user_id = $1 AND k.id = $2"
        ))
        .bind(user_id)
        .bind(id)
        .fetch_optional(conn))?;
        row.map(ApiKey::try_from).transpose()
    }

    /// Revokes one of a user's keys; false when there is none that is not yet revoked.
    pub async fn revoke_api_key(
        &mut self,
        user_id: Uuid,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE api_keys SET revoked_at = $3
             WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL"
        )
        .bind(user_id)
        .bind(id)
        .bind(at)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Notes a use. A key that is gone meanwhile is no error.
    pub async fn touch_api_key(&mut self, id: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE api_keys SET last_used_at = $2, usage_count = usage_count + 1 WHERE id = $1"
        )
        .bind(id)
        .bind(at)
        .execute(conn))?;
        Ok(())
    }
}
