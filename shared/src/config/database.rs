//! Which database, and how to reach it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::values::{duration, redact_url};
use super::{ConfigError, DataFolder, Lookup, secret};
use crate::secret::Secret;

const VARIABLE: &str = "DATABASE_URL";

/// What would end a path in a `sqlite:` address.
const NOT_IN_PATH: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

/// The database.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub struct DatabaseArgs {
    /// File that holds the database's address, instead of the variable `DATABASE_URL`
    ///
    /// The address may bear a password, so it has no flag of its own: set `DATABASE_URL`, or name a
    /// file. Without either the embedded database of the data folder is used.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "PATH")]
    pub database_url_file: Option<PathBuf>,

    /// Most connections to Postgres from this process
    ///
    /// Twice as many as the server has processors serve all that these can do. More make it slower: each
    /// plans its own statements first.
    #[arg(
        long,
        env = "KEYWAY_DATABASE_CONNECTIONS",
        value_name = "N",
        default_value = "8",
        value_parser = RangedU64ValueParser::<u32>::new().range(2..=1000)
    )]
    pub database_connections: u32,

    /// How long to wait for the database and Redis at the start before giving up
    #[arg(
        long,
        env = "KEYWAY_STARTUP_TIMEOUT",
        value_name = "DURATION",
        default_value = "60s",
        value_parser = duration
    )]
    pub startup_timeout: Duration,
}

impl DatabaseArgs {
    /// The database to use.
    pub fn resolve(&self, data: &DataFolder, lookup: Lookup<'_>) -> Result<Database, ConfigError> {
        let url = match secret::read(VARIABLE, self.database_url_file.as_deref(), lookup)? {
            Some(url) => DatabaseUrl::parse(url)?,
            None => DatabaseUrl::embedded(data),
        };
        Ok(Database {
            url,
            connections: self.database_connections,
            startup_timeout: self.startup_timeout,
        })
    }
}

/// The database, checked.
#[derive(Debug, Clone)]
pub struct Database {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Most connections.
    pub connections: u32,
    /// How long to wait for it at the start.
    pub startup_timeout: Duration,
}

/// The address of a database of one of the two kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite {
        /// The address.
        url: Secret,
        /// The file it names.
        path: PathBuf,
    },
    /// A server.
    Postgres {
        /// The address; bears a password.
        url: Secret,
    },
}

impl DatabaseUrl {
    /// The database in the data folder.
    pub fn embedded(data: &DataFolder) -> Self {
        let path = data.database();
        let text = path.to_string_lossy();
        let url = format!("sqlite://{}", utf8_percent_encode(&text, NOT_IN_PATH));
        Self::Sqlite {
            url: Secret::new(url),
            path,
        }
    }

    fn parse(url: Secret) -> Result<Self, ConfigError> {
        let text = url.expose();
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
            if path.is_empty() || path == ":memory:" || parameters.contains("mode=memory") {
                return Err(ConfigError::new(
                    VARIABLE,
                    "SQLite needs a file, such as sqlite:///var/lib/keyway/keyway.db: what is \
                     accepted must survive a restart",
                ));
            }
            let path = percent_decode_str(path)
                .decode_utf8()
                .map_err(|_| ConfigError::new(VARIABLE, "the path is not UTF-8 text"))?;
            let path = PathBuf::from(path.as_ref());
            return Ok(Self::Sqlite { url, path });
        }
        if ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            if url::Url::parse(text).is_err() {
                return Err(ConfigError::new(
                    VARIABLE,
                    "is not a valid postgres:// address (it is not shown here because it may bear \
                     a password); special characters in the password must be percent-encoded",
                ));
            }
            return Ok(Self::Postgres { url });
        }
        Err(ConfigError::new(
            VARIABLE,
            "must begin with postgres:// or sqlite: (for example \
             postgres://keyway:password@localhost/keyway)",
        ))
    }

    /// The address as the store takes it.
    pub const fn secret(&self) -> &Secret {
        match self {
            Self::Sqlite { url, .. } | Self::Postgres { url } => url,
        }
    }

    /// The file of SQLite.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite { path, .. } => Some(path),
            Self::Postgres { .. } => None,
        }
    }

    /// Whether it is SQLite: one process only.
    pub const fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }

    /// The address without user and password.
    pub fn redacted(&self) -> String {
        redact_url(self.secret())
    }

    /// That several processes can share it: what `keyway api` and `keyway worker` need.
    pub fn require_postgres(&self, command: &str) -> Result<(), ConfigError> {
        if self.is_sqlite() {
            return Err(ConfigError::new(
                VARIABLE,
                format!(
                    "`keyway {command}` shares its database with other processes, which SQLite \
                     does not allow: set DATABASE_URL to a postgres:// address and REDIS_URL to a \
                     redis:// address, or run everything in one process with `keyway serve`"
                ),
            ));
        }
        Ok(())
    }
}
