//! The bell between processes.

use std::path::PathBuf;

use clap::Args;

use super::{ConfigError, Lookup, secret};
use crate::secret::Secret;

const VARIABLE: &str = "REDIS_URL";

/// Redis.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisArgs {
    /// File that holds the address of Redis, instead of the variable `REDIS_URL`
    ///
    /// The address may bear a password, so it has no flag of its own: set `REDIS_URL`, or name a
    /// file. Without either the API and its worker must share one process (`keyway serve`).
    #[arg(long, env = "REDIS_URL_FILE", value_name = "PATH")]
    pub redis_url_file: Option<PathBuf>,

    /// Comes before every name used in Redis, so that installations can share one
    #[arg(
        long,
        env = "KEYWAY_REDIS_PREFIX",
        value_name = "TEXT",
        default_value = "keyway:"
    )]
    pub redis_prefix: String,
}

impl RedisArgs {
    /// Where Redis is; `None` without one.
    pub fn resolve(&self, lookup: Lookup<'_>) -> Result<Option<RedisSettings>, ConfigError> {
        let Some(url) = secret::read(VARIABLE, self.redis_url_file.as_deref(), lookup)? else {
            return Ok(None);
        };
        if !["redis://", "redis+unix://", "unix://"]
            .iter()
            .any(|scheme| url.expose().starts_with(scheme))
        {
            return Err(ConfigError::new(
                VARIABLE,
                "must begin with redis:// (for example redis://localhost:6379/0)",
            ));
        }
        if self.redis_prefix.is_empty() || self.redis_prefix.chars().any(|c| !c.is_ascii_graphic())
        {
            return Err(ConfigError::new(
                "KEYWAY_REDIS_PREFIX",
                "must be printable ASCII without spaces, such as keyway:",
            ));
        }
        Ok(Some(RedisSettings {
            url,
            prefix: self.redis_prefix.clone(),
        }))
    }

    /// Where Redis is, for a command that cannot do without.
    pub fn require(&self, command: &str, lookup: Lookup<'_>) -> Result<RedisSettings, ConfigError> {
        self.resolve(lookup)?.ok_or_else(|| {
            ConfigError::new(
                VARIABLE,
                format!(
                    "`keyway {command}` works together with other processes, which wake each other \
                     over Redis: set REDIS_URL (for example redis://localhost:6379/0), or run \
                     everything in one process with `keyway serve`"
                ),
            )
        })
    }
}

/// Where Redis is and how its names begin.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// The address; may bear a password.
    pub url: Secret,
    /// Comes before every name.
    pub prefix: String,
}
