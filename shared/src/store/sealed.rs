//! Everything that is sealed with a key of the ring, and sealing it again with the first one. Of no tenant:
//! for the workers and for whoever runs the installation.

use sqlx::{AssertSqlSafe, QueryBuilder};
use uuid::Uuid;

use super::tx::{changed, on};
use super::{StoreError, Tx};
use crate::crypto::{Aad, CryptoError, Sealed};
use crate::domain::key_rotation::{KeyUse, SealFault, UnopenedRow};

/// A column of ciphertexts. A test holds the list against the schema (`every_sealed_column_is_known`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedColumn {
    /// The table.
    pub table: &'static str,
    /// The ciphertexts.
    pub ciphertext: &'static str,
    /// The ids of the keys that sealed them.
    pub key_id: &'static str,
    id: &'static str,
    binding: Binding,
}

/// What a ciphertext of a column is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binding {
    Setting,
    Secret,
    Version,
    ConnectionToken,
    PendingConnectionToken,
    ConnectionRefreshToken,
    WebhookSecret,
    GitHubToken,
    GitHubRefreshToken,
}

const fn column(
    table: &'static str,
    ciphertext: &'static str,
    key_id: &'static str,
    id: &'static str,
    binding: Binding,
) -> SealedColumn {
    SealedColumn {
        table,
        ciphertext,
        key_id,
        id,
        binding,
    }
}

/// All of them, in the order in which they are sealed again. The settings come first, since every process
/// opens one at its start: from then on none starts that has not got the key. Versions come after the
/// secrets whose ciphertexts they are made of.
pub const SEALED: &[SealedColumn] = &[
    column("settings", "value", "key_id", "name", Binding::Setting),
    column("secrets", "ciphertext", "key_id", "id", Binding::Secret),
    column(
        "secret_versions",
        "ciphertext",
        "key_id",
        "id",
        Binding::Version,
    ),
    column(
        "connections",
        "token_ciphertext",
        "token_key_id",
        "id",
        Binding::ConnectionToken,
    ),
    column(
        "pending_connections",
        "token_ciphertext",
        "token_key_id",
        "id",
        Binding::PendingConnectionToken,
    ),
    column(
        "connections",
        "refresh_ciphertext",
        "refresh_key_id",
        "id",
        Binding::ConnectionRefreshToken,
    ),
    column(
        "connections",
        "previous_ciphertext",
        "previous_key_id",
        "id",
        Binding::ConnectionToken,
    ),
    column(
        "webhooks",
        "secret_ciphertext",
        "secret_key_id",
        "id",
        Binding::WebhookSecret,
    ),
    column(
        "webhooks",
        "previous_ciphertext",
        "previous_key_id",
        "id",
        Binding::WebhookSecret,
    ),
    column(
        "github_accounts",
        "token_ciphertext",
        "token_key_id",
        "user_id",
        Binding::GitHubToken,
    ),
    column(
        "github_accounts",
        "refresh_ciphertext",
        "refresh_key_id",
        "user_id",
        Binding::GitHubRefreshToken,
    ),
];

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Resealed {
    /// Rows that are sealed with the first key now.
    pub rows: i64,
    /// Rows that do not open. They are as they were.
    pub failures: Vec<UnopenedRow>,
    /// Where the next batch goes on; nothing at the end of the column.
    pub next: Option<Uuid>,
}

#[derive(sqlx::FromRow)]
struct SettingRow {
    name: String,
    ciphertext: Vec<u8>,
    key_id: String,
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: Uuid,
    /// Null only where somebody has been at the row: then it is damaged.
    ciphertext: Option<Vec<u8>>,
    key_id: String,
}

#[derive(sqlx::FromRow)]
struct ValueRow {
    id: Uuid,
    ciphertext: Vec<u8>,
    key_id: String,
    vault_id: Uuid,
    environment_id: Uuid,
    key: String,
    version: i64,
}

/// A ciphertext of another key, in its place.
struct Held<Id> {
    id: Id,
    sealed: Sealed,
    aad: Aad,
}

impl Tx {
    /// Seals the next rows of a column, at most `limit`, with the first key of the ring, as far as they are
    /// sealed with another one. Values, versions and times stay as they are.
    ///
    /// Rows that somebody has locked are left out: a unit of work of a user may wait for this one, and
    /// never the other way round, so the two cannot block each other for good. Those that are taken
    /// stay locked until the end, so that nothing that is written meanwhile is overwritten. What was left
    /// out or comes later is found by the next look.
    pub async fn reseal(
        &mut self,
        column: &SealedColumn,
        after: Uuid,
        limit: i64,
    ) -> Result<Resealed, StoreError> {
        if column.binding == Binding::Setting {
            let held = self.held_settings().await?;
            return self.seal_again(column, held).await;
        }
        let held = match column.binding {
            Binding::Secret | Binding::Version => self.held_values(column, after, limit).await?,
            _ => self.held_tokens(column, after, limit).await?,
        };
        let full = held.len() as i64 == limit;
        let last = held.last().map(|row| row.id);
        let mut resealed = self.seal_again(column, held).await?;
        resealed.next = last.filter(|_| full);
        Ok(resealed)
    }

    /// How much is sealed with which key. One statement that looks at every row: for whoever asks.
    pub async fn key_uses(&mut self) -> Result<Vec<KeyUse>, StoreError> {
        let counts: Vec<_> = SEALED
            .iter()
            .map(|c| {
                format!(
                    "SELECT {key} AS key_id, '{table}' AS sealed_table, '{ciphertext}' AS sealed_column,
                         COUNT(*) AS sealed_rows
                     FROM {table} WHERE {key} IS NOT NULL GROUP BY {key}",
                    key = c.key_id,
                    table = c.table,
                    ciphertext = c.ciphertext,
                )
            })
            .collect();
        // Made of the names above.
        let query = AssertSqlSafe(counts.join(" UNION ALL "));
        let rows: Vec<(String, String, String, i64)> =
            on!(self, |conn| sqlx::query_as(query).fetch_all(conn))?;
        let uses = rows
            .into_iter()
            .map(|(key_id, table, column, rows)| KeyUse {
                key_id,
                table,
                column,
                rows,
            });
        Ok(uses.collect())
    }

    async fn held_settings(&mut self) -> Result<Vec<Held<String>>, StoreError> {
        let (active, dialect) = (self.context.ring.active_id().to_owned(), self.dialect());
        let rows: Vec<SettingRow> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(
                "SELECT name, value AS ciphertext, key_id FROM settings WHERE key_id <> ",
            );
            query.push_bind(&active).push(" ORDER BY name ");
            query.push(dialect.skip_locked);
            query.build_query_as().fetch_all(conn).await
        })?;
        let held = rows.into_iter().map(|row| Held {
            aad: Aad::setting(&row.name),
            id: row.name,
            sealed: Sealed {
                key_id: row.key_id,
                bytes: row.ciphertext,
            },
        });
        Ok(held.collect())
    }

    async fn held_values(
        &mut self,
        column: &SealedColumn,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<Held<Uuid>>, StoreError> {
        // Not a join: rows of secrets need not be locked for those of their versions.
        let place = match column.binding {
            Binding::Version => {
                "(SELECT s.vault_id FROM secrets s WHERE s.id = t.secret_id) AS vault_id,
                 (SELECT s.environment_id FROM secrets s WHERE s.id = t.secret_id) AS environment_id"
            }
            _ => "t.vault_id, t.environment_id",
        };
        let (active, dialect) = (self.context.ring.active_id().to_owned(), self.dialect());
        let rows: Vec<ValueRow> = on!(self, |conn| async {
            let mut query =
                QueryBuilder::new("SELECT t.id, t.ciphertext, t.key_id, t.key, t.version, ");
            query.push(place);
            query.push(" FROM ").push(column.table);
            query.push(" t WHERE t.id > ").push_bind(after);
            query.push(" AND t.key_id <> ").push_bind(&active);
            query.push(" ORDER BY t.id LIMIT ").push_bind(limit);
            query.push(" ").push(dialect.skip_locked);
            query.build_query_as().fetch_all(conn).await
        })?;
        let held = rows.into_iter().map(|row| Held {
            id: row.id,
            aad: Aad::secret(row.vault_id, row.environment_id, &row.key, row.version),
            sealed: Sealed {
                key_id: row.key_id,
                bytes: row.ciphertext,
            },
        });
        Ok(held.collect())
    }

    async fn held_tokens(
        &mut self,
        column: &SealedColumn,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<Held<Uuid>>, StoreError> {
        let (active, dialect) = (self.context.ring.active_id().to_owned(), self.dialect());
        let rows: Vec<TokenRow> = on!(self, |conn| async {
            let mut query = QueryBuilder::new("SELECT ");
            query.push(column.id).push(" AS id, ");
            query.push(column.ciphertext).push(" AS ciphertext, ");
            query.push(column.key_id).push(" AS key_id FROM ");
            query.push(column.table).push(" WHERE ").push(column.id);
            query.push(" > ").push_bind(after);
            query.push(" AND ").push(column.key_id);
            query.push(" <> ").push_bind(&active);
            query.push(" ORDER BY ").push(column.id);
            query.push(" LIMIT ").push_bind(limit);
            query.push(" ").push(dialect.skip_locked);
            query.build_query_as().fetch_all(conn).await
        })?;
        let aad = match column.binding {
            Binding::ConnectionToken => Aad::connection_token,
            Binding::PendingConnectionToken => Aad::pending_connection_token,
            Binding::ConnectionRefreshToken => Aad::connection_refresh_token,
            Binding::GitHubToken => Aad::github_token,
            Binding::GitHubRefreshToken => Aad::github_refresh_token,
            _ => Aad::webhook_secret,
        };
        let held = rows.into_iter().map(|row| Held {
            id: row.id,
            aad: aad(row.id),
            sealed: Sealed {
                key_id: row.key_id,
                bytes: row.ciphertext.unwrap_or_default(),
            },
        });
        Ok(held.collect())
    }

    async fn seal_again<Id>(
        &mut self,
        column: &SealedColumn,
        held: Vec<Held<Id>>,
    ) -> Result<Resealed, StoreError>
    where
        Id: ToString + Send + Sync,
        for<'q> &'q Id: sqlx::Encode<'q, sqlx::Postgres>
            + sqlx::Type<sqlx::Postgres>
            + sqlx::Encode<'q, sqlx::Sqlite>
            + sqlx::Type<sqlx::Sqlite>,
    {
        let mut resealed = Resealed::default();
        let mut fresh = Vec::with_capacity(held.len());
        for row in held {
            let opened = self
                .context
                .ring
                .open(&row.sealed.key_id, &row.sealed.bytes, &row.aad);
            match opened {
                Ok(plaintext) => {
                    let (ring, ambient) = (&self.context.ring, &self.context.ambient);
                    fresh.push((
                        row.id,
                        ring.seal(ambient, &row.aad, &plaintext),
                        row.sealed.key_id,
                    ));
                }
                Err(error) => resealed.failures.push(UnopenedRow {
                    table: column.table.to_owned(),
                    column: column.ciphertext.to_owned(),
                    id: row.id.to_string(),
                    key_id: row.sealed.key_id,
                    fault: match error {
                        CryptoError::UnknownKey { .. } => SealFault::UnknownKey,
                        _ => SealFault::Damaged,
                    },
                }),
            }
        }
        if fresh.is_empty() {
            return Ok(resealed);
        }
        let rows = changed!(self, |conn| async {
            let mut query = QueryBuilder::new("UPDATE ");
            query.push(column.table).push(" SET ");
            query.push(column.ciphertext).push(" = v.column2, ");
            query.push(column.key_id).push(" = v.column3 FROM (");
            // Both databases name the columns of a list of values so.
            query.push_values(&fresh, |mut values, (id, sealed, before)| {
                values
                    .push_bind(id)
                    .push_bind(&sealed.bytes)
                    .push_bind(&sealed.key_id)
                    .push_bind(before);
            });
            query.push(") AS v WHERE ").push(column.table).push(".");
            query.push(column.id).push(" = v.column1 AND ");
            query.push(column.table).push(".").push(column.key_id);
            query.push(" = v.column4");
            query.build().persistent(false).execute(conn).await
        })?;
        resealed.rows = rows as i64;
        Ok(resealed)
    }
}
