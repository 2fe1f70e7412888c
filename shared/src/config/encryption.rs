//! The keys that encrypt what is stored. Without a key nothing starts.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::{ConfigError, DataFolder, DatabaseUrl, Lookup, key_command, secret};
use crate::ambient::Ambient;
use crate::crypto::KeyRing;
use crate::secret::Secret;

const VARIABLE: &str = "KEYWAY_ENCRYPTION_KEYS";
const COMMAND: &str = "KEYWAY_ENCRYPTION_KEYS_COMMAND";

/// The encryption keys.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub struct EncryptionArgs {
    /// File that holds the encryption keys, instead of the variable `KEYWAY_ENCRYPTION_KEYS`
    ///
    /// The keys are `id:64 hex digits`, several separated by commas: the first encrypts, all
    /// decrypt. A new one: echo "k1:$(openssl rand -hex 32)"
    #[arg(long, env = "KEYWAY_ENCRYPTION_KEYS_FILE", value_name = "PATH")]
    pub encryption_keys_file: Option<PathBuf>,

    /// Command that prints the encryption keys, instead of the variable or the file
    ///
    /// For a KMS or a vault. It is run once at each start, without a shell: spaces separate its words, quotes
    /// keep them together, nothing else means anything. It has 30 s. What it prints is read as the
    /// variable is; should it fail, what it says on standard error is shown.
    #[arg(long, env = "KEYWAY_ENCRYPTION_KEYS_COMMAND", value_name = "COMMAND")]
    pub encryption_keys_command: Option<String>,
}

/// Where the keys came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// The variable, or the file it names.
    Configured,
    /// What the command printed.
    Command,
    /// The file in the data folder.
    File(PathBuf),
    /// The file in the data folder, made just now.
    Generated(PathBuf),
}

impl EncryptionArgs {
    /// The configured keys, checked, or those of the data folder; `None` when there are none yet. Changes
    /// nothing.
    pub fn find(
        &self,
        data: &DataFolder,
        database: &DatabaseUrl,
        lookup: Lookup<'_>,
    ) -> Result<Option<(Secret, KeyOrigin)>, ConfigError> {
        let file = self.encryption_keys_file.as_deref();
        if let Some(command) = &self.encryption_keys_command {
            if file.is_some() || lookup(VARIABLE).is_some() {
                return Err(ConfigError::new(
                    COMMAND,
                    format!("is set, and so is {VARIABLE} or {VARIABLE}_FILE: keep one of them"),
                ));
            }
            let keys = key_command::run(command, key_command::LIMIT)
                .map_err(|problem| ConfigError::new(COMMAND, problem))?;
            return Ok(Some((keys, KeyOrigin::Command)));
        }
        if let Some(keys) = secret::read(VARIABLE, file, lookup)? {
            KeyRing::parse(keys.expose())
                .map_err(|error| ConfigError::new(VARIABLE, error.to_string()))?;
            return Ok(Some((keys, KeyOrigin::Configured)));
        }
        if !database.is_sqlite() {
            return Err(ConfigError::new(
                VARIABLE,
                "is needed with Postgres. Make a key with: echo \"k1:$(openssl rand -hex 32)\" \
                 and give it to every process (KEYWAY_ENCRYPTION_KEYS, \
                 KEYWAY_ENCRYPTION_KEYS_FILE or KEYWAY_ENCRYPTION_KEYS_COMMAND). Without it what is stored cannot be read: keep a copy",
            ));
        }
        let file = data.key_file();
        Ok(read_key_file(&file)?.map(|keys| (keys, KeyOrigin::File(file))))
    }

    /// As [`EncryptionArgs::find`], but the embedded form gets a key file when it has none. The data
    /// folder must exist.
    pub fn find_or_generate(
        &self,
        data: &DataFolder,
        database: &DatabaseUrl,
        lookup: Lookup<'_>,
        ambient: &Ambient,
    ) -> Result<(Secret, KeyOrigin), ConfigError> {
        if let Some(found) = self.find(data, database, lookup)? {
            return Ok(found);
        }
        let file = data.key_file();
        // A new key would not open an old database, and would hide that the right one is gone.
        // (The key is made before the database, so whoever sees the database sees the key as well:
        // it is read once more for the case that another process has just made both.)
        if let Some(path) = database.file().filter(|path| path.exists()) {
            return match read_key_file(&file)? {
                Some(keys) => Ok((keys, KeyOrigin::File(file))),
                None => Err(ConfigError::new(
                    VARIABLE,
                    format!(
                        "the database {} exists, but its key file {} is missing: put the file back \
                         from a backup, or set KEYWAY_ENCRYPTION_KEYS to the keys that the database \
                         was made with",
                        path.display(),
                        file.display()
                    ),
                )),
            };
        }
        if generate(&file, ambient)
            .map_err(|error| unusable(&file, &format!("cannot be made ({error})")))?
        {
            tracing::warn!(
                path = %file.display(),
                "made a new encryption key; keep a copy of this file, nothing can be read without it"
            );
            let keys = read_key_file(&file)?.ok_or_else(|| unusable(&file, "disappeared"))?;
            return Ok((keys, KeyOrigin::Generated(file)));
        }
        let keys = read_key_file(&file)?.ok_or_else(|| unusable(&file, "disappeared"))?;
        Ok((keys, KeyOrigin::File(file)))
    }
}

/// Makes the key file, complete or not at all: it is written under another name and then linked to
/// its own, which fails when somebody else was first. `false`: somebody else was.
fn generate(path: &Path, ambient: &Ambient) -> std::io::Result<bool> {
    let draft = path.with_extension(format!("{}.tmp", ambient.new_id().simple()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let linked = file
        .write_all(KeyRing::generate(ambient).1.expose().as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    match linked {
        Ok(()) => {
            if let Some(folder) = path.parent() {
                File::open(folder)?.sync_all()?;
            }
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_key_file(path: &Path) -> Result<Option<Secret>, ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Secret::new(Zeroizing::new(text).trim()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, &format!("cannot be read ({error})"))),
    };
    if text.is_empty() {
        return Err(unusable(path, "is empty: put it back from a backup"));
    }
    let mode = std::fs::metadata(path).map(|meta| meta.permissions().mode() & 0o077);
    if mode.is_ok_and(|others| others != 0) {
        tracing::warn!(path = %path.display(), "the key file can be read by other users: chmod 600 it");
    }
    match KeyRing::parse(text.expose()) {
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(unusable(
            path,
            &format!("is damaged ({error}): put it back from a backup"),
        )),
    }
}

fn unusable(path: &Path, problem: &str) -> ConfigError {
    ConfigError::new(
        VARIABLE,
        format!("the key file {} {problem}", path.display()),
    )
}
