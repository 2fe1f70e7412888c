//! Variables that hold a secret: each is read from itself or from a file, and has no flag.

use std::path::Path;

use zeroize::Zeroizing;

use super::{ConfigError, Lookup};
use crate::secret::Secret;

/// A file that is named for a secret may be this large; a larger one is the wrong file.
const MAX_FILE: u64 = 64 * 1024;

/// A variable that holds a secret, for the reference and for `keyway doctor`.
#[derive(Debug, Clone, Copy)]
pub struct SecretVariable {
    /// The variable. `<name>_FILE` names a file that holds it instead.
    pub name: &'static str,
    /// What applies when neither is set.
    pub default: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Whether the value is an address, which is shown without user and password.
    pub address: bool,
}

/// All of them.
pub const SECRETS: &[SecretVariable] = &[
    SecretVariable {
        name: "DATABASE_URL",
        default: "`sqlite://<data dir>/keyway.db`",
        help: "The database: `postgres://user:password@host/name`, or `sqlite:///path/to/file.db`",
        address: true,
    },
    SecretVariable {
        name: "REDIS_URL",
        default: "none: the bell works within one process",
        help: "The bell between processes: `redis://:password@host:6379/0`",
        address: true,
    },
    SecretVariable {
        name: "KEYWAY_ENCRYPTION_KEYS",
        default: "on SQLite a key is made in `<data dir>/encryption.key`; on Postgres none",
        help: "The keys that encrypt everything stored: `id:64 hex digits`, several separated by \
               commas. The first encrypts, all decrypt",
        address: false,
    },
    SecretVariable {
        name: "VERCEL_CLIENT_SECRET",
        default: "none",
        help: "The secret of the Vercel integration, for OAuth; see also `VERCEL_CLIENT_ID`",
        address: false,
    },
    SecretVariable {
        name: "NETLIFY_CLIENT_SECRET",
        default: "none",
        help: "The secret of the application at Netlify, for OAuth; see also `NETLIFY_CLIENT_ID`",
        address: false,
    },
    SecretVariable {
        name: "RAILWAY_CLIENT_SECRET",
        default: "none",
        help: "The secret of the app at Railway, for OAuth; see also `RAILWAY_CLIENT_ID`",
        address: false,
    },
    SecretVariable {
        name: "GITHUB_CLIENT_SECRET",
        default: "none",
        help: "The secret of the app at GitHub, for sign-in; see also `GITHUB_CLIENT_ID`",
        address: false,
    },
];

/// The secret that `name` or `<name>_FILE` gives. `file` is the value of the latter, which is also a
/// flag.
pub(super) fn read(
    name: &'static str,
    file: Option<&Path>,
    lookup: Lookup<'_>,
) -> Result<Option<Secret>, ConfigError> {
    match (lookup(name), file) {
        (Some(_), Some(_)) => Err(ConfigError::new(
            name,
            format!("is set, and so is {name}_FILE: keep one of the two"),
        )),
        (None, None) => Ok(None),
        (Some(value), None) => match value.into_string() {
            Ok(text) => Ok(Some(Secret::new(Zeroizing::new(text).trim()))),
            Err(_) => Err(ConfigError::new(name, "is not UTF-8 text")),
        },
        (None, Some(path)) => from_file(name, path).map(Some),
    }
}

fn from_file(name: &'static str, path: &Path) -> Result<Secret, ConfigError> {
    let unusable = |problem: String| {
        ConfigError::new(
            name,
            format!("{name}_FILE names {}, which {problem}", path.display()),
        )
    };
    let size = std::fs::metadata(path)
        .map_err(|error| unusable(format!("cannot be read ({})", error.kind())))?
        .len();
    if size > MAX_FILE {
        return Err(unusable(format!("is larger than {MAX_FILE} bytes")));
    }
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| unusable(format!("cannot be read ({})", error.kind())))?;
    if text.trim().is_empty() {
        return Err(unusable("is empty".to_owned()));
    }
    Ok(Secret::new(text.trim()))
}
