//! What storage can answer instead of a result.

use crate::crypto::CryptoError;

/// The unique constraints that callers tell apart. Equal in both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// Another user has the name.
    UsersUsername,
    /// Another API key has the hash.
    ApiKeysToken,
    /// The repository has a vault already.
    VaultsRepo,
    /// The vault has an environment of that name.
    EnvironmentsName,
    /// The environment has a living secret of that name.
    SecretsKey,
    /// The user has connected that account.
    ConnectionsAccount,
    /// The environment is linked with that destination.
    LinksDestination,
    /// Another vault is linked with that destination, and does not share it.
    LinksHolder,
    /// Another user has the account at GitHub.
    GitHubAccount,
    /// A job of that project is running.
    JobsProjectRunning,
    /// Any other, primary keys among them.
    Other,
}

impl Constraint {
    /// By the name (Postgres).
    fn from_name(name: &str) -> Self {
        match name {
            "users_username_unique" => Self::UsersUsername,
            "api_keys_token_unique" => Self::ApiKeysToken,
            "vaults_repo_unique" | "vaults_github_repo" => Self::VaultsRepo,
            "environments_name_unique" => Self::EnvironmentsName,
            "secrets_key_unique" => Self::SecretsKey,
            "connections_account_unique" => Self::ConnectionsAccount,
            "links_destination_unique" => Self::LinksDestination,
            "github_accounts_id_unique" => Self::GitHubAccount,
            "jobs_project_running" => Self::JobsProjectRunning,
            _ => Self::Other,
        }
    }

    /// By the columns, which are all that SQLite tells:
    /// `UNIQUE constraint failed: secrets.environment_id, secrets.key`.
    fn from_columns(message: &str) -> Self {
        let columns = message
            .rsplit_once("UNIQUE constraint failed: ")
            .map_or("", |(_, columns)| columns);
        match columns {
            "users.username_key" => Self::UsersUsername,
            "api_keys.token_hash" => Self::ApiKeysToken,
            "vaults.repo_key" | "vaults.github_repo_id" => Self::VaultsRepo,
            "environments.vault_id, environments.name" => Self::EnvironmentsName,
            "secrets.environment_id, secrets.key" => Self::SecretsKey,
            "connections.user_id, connections.provider, connections.provider_account_id" => {
                Self::ConnectionsAccount
            }
            "links.environment_id, links.connection_id, links.project_id, links.service_id, \
             links.provider_environment, links.git_branch" => Self::LinksDestination,
            "github_accounts.github_id" => Self::GitHubAccount,
            "jobs.project_key" => Self::JobsProjectRunning,
            _ => Self::Other,
        }
    }
}

/// An error of storage. Holds no values and no tokens.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or misunderstood something: a fault of ours, or of the schema.
    #[error("the database failed ({})", what(.0))]
    Database(#[source] sqlx::Error),
    /// The database cannot be reached, or gave no connection in time.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// A unique constraint stands against it.
    #[error("a unique constraint was violated: {0:?}")]
    Conflict(Constraint),
    /// A row holds what the program does not understand.
    #[error("{table}.{column} of {id} does not decode")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
    },
    /// A change that must meet exactly one row met another number.
    #[error("{rows} rows of {table} instead of one were changed for {id}")]
    RowsAffected {
        /// The table.
        table: &'static str,
        /// What was looked for.
        id: String,
        /// How many were met.
        rows: u64,
    },
    /// A sealed value does not open: damaged, or moved from another row.
    #[error("{table} {id} ({key}) cannot be decrypted")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row.
        id: String,
        /// The name of the secret, or of the column.
        key: String,
    },
    /// A row was sealed by a key that the ring does not hold: a matter of configuration, not of the
    /// row.
    #[error("the key ring does not hold the key '{key_id}'")]
    UnknownKey {
        /// Its id.
        key_id: String,
    },
    /// The ring has a key of that id, but it is not the one that sealed this installation.
    #[error("the key '{key_id}' of the key ring is not the key of this installation")]
    WrongKey {
        /// Its id.
        key_id: String,
    },
    /// The schema could not be brought up to date.
    #[error("the migrations failed")]
    Migrate(#[source] Box<sqlx::migrate::MigrateError>),
    /// The place of the database cannot be used.
    #[error("the database URL cannot be used: {reason}")]
    Url {
        /// Why; without the URL, which may hold a password.
        reason: String,
    },
    /// It would be more than there may be.
    #[error("there may be at most {limit}")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
}

impl StoreError {
    /// Whether the same unit of work may do better when it is run again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| is_passing(&code))
            }
            _ => false,
        }
    }

    /// A sealed value that did not open.
    pub(super) fn from_crypto(
        error: CryptoError,
        table: &'static str,
        id: impl ToString + Copy,
        key: &str,
    ) -> Self {
        match error {
            CryptoError::UnknownKey { id } => Self::UnknownKey { key_id: id },
            _ => Self::Corrupt {
                table,
                id: id.to_string(),
                key: key.to_owned(),
            },
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            // What a server that is killed between question and answer leaves: a word cut in the
            // middle, a `BEGIN` after which there is no transaction.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed => Self::Unavailable(error),
            sqlx::Error::Database(database) => {
                if database.is_unique_violation() {
                    return Self::Conflict(database.constraint().map_or_else(
                        || Constraint::from_columns(database.message()),
                        Constraint::from_name,
                    ));
                }
                let away = database.code().is_some_and(|code| is_away(&code));
                let error = sqlx::Error::Database(database);
                if away {
                    Self::Unavailable(error)
                } else {
                    Self::Database(error)
                }
            }
            error => Self::Database(error),
        }
    }
}

/// What failed, without the message, which may repeat values.
fn what(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .map_or_else(|| "no code".to_owned(), |code| format!("code {code}")),
        sqlx::Error::RowNotFound => "no row".to_owned(),
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} does not decode"),
        sqlx::Error::ColumnNotFound(name) => format!("no column {name}"),
        sqlx::Error::TypeNotFound { type_name } => format!("no type {type_name}"),
        sqlx::Error::Encode(_) => "a parameter does not encode".to_owned(),
        sqlx::Error::Decode(_) => "a value does not decode".to_owned(),
        _ => "the client".to_owned(),
    }
}

/// SQLSTATEs of a server that goes, comes or is full.
fn is_away(code: &str) -> bool {
    code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "53300")
}

/// Serialization failure, deadlock, lock timeout; SQLite's BUSY and LOCKED with their extensions.
fn is_passing(code: &str) -> bool {
    matches!(code, "40001" | "40P01" | "55P03")
        || code
            .parse::<u32>()
            .is_ok_and(|code| matches!(code & 0xff, 5 | 6) && code < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_server_leaves_is_tried_again() {
        for left in [
            sqlx::Error::Protocol("unexpected message".to_owned()),
            sqlx::Error::BeginFailed,
            sqlx::Error::Io(std::io::ErrorKind::UnexpectedEof.into()),
        ] {
            assert!(StoreError::from(left).is_transient());
        }
        let ours = StoreError::from(sqlx::Error::ColumnNotFound("key".to_owned()));
        assert!(!ours.is_transient());
        assert_eq!(ours.to_string(), "the database failed (no column key)");
    }
}
