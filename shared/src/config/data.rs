//! The folder that holds the embedded database, the key it is encrypted with, and a lock.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{ConfigError, DatabaseUrl};

const VARIABLE: &str = "KEYWAY_DATA_DIR";

/// Where the embedded form keeps its files.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub struct DataArgs {
    /// Folder of the embedded database and of generated keys; made when missing
    #[arg(
        long,
        env = "KEYWAY_DATA_DIR",
        value_name = "PATH",
        default_value = "./keyway-data"
    )]
    pub data_dir: PathBuf,
}

impl DataArgs {
    /// The folder, which need not exist yet.
    pub fn resolve(&self) -> Result<DataFolder, ConfigError> {
        if self.data_dir.to_str().is_none() {
            return Err(ConfigError::new(VARIABLE, "is not UTF-8 text"));
        }
        Ok(DataFolder(self.data_dir.clone()))
    }
}

/// The data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// A folder of one's own choice: the demo and tests.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The embedded database.
    pub fn database(&self) -> PathBuf {
        self.0.join("keyway.db")
    }

    /// The generated key.
    pub fn key_file(&self) -> PathBuf {
        self.0.join("encryption.key")
    }

    /// Makes the folder, readable by its owner only. One that is there is left as it is.
    pub fn create(&self) -> Result<(), ConfigError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(|error| self.unusable("made", &error))
    }

    /// Keeps every other long-running process of ours out until the locks are dropped. SQLite has one
    /// writer, and leases are released at the start on the ground that nobody else runs. A database
    /// outside the folder is locked as well: another process may use it with another folder.
    pub fn lock(&self, database: &DatabaseUrl) -> Result<FolderLock, ConfigError> {
        let mut files = vec![take(&self.0.join("lock"), VARIABLE, &self.0)?];
        if let Some(file) = database.file().filter(|file| **file != self.database()) {
            let beside = file.with_added_extension("lock");
            files.push(take(&beside, "DATABASE_URL", file)?);
        }
        Ok(FolderLock(files))
    }

    fn unusable(&self, verb: &str, error: &std::io::Error) -> ConfigError {
        ConfigError::new(
            VARIABLE,
            format!(
                "the folder {} cannot be {verb} ({error}): choose one that this user may write to",
                self.0.display()
            ),
        )
    }
}

/// Locks one file. `what` is what it stands for.
fn take(path: &Path, variable: &'static str, what: &Path) -> Result<File, ConfigError> {
    let unusable = |error: std::io::Error| {
        ConfigError::new(
            variable,
            format!("{} cannot be locked ({error})", what.display()),
        )
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).unwrap_or_default();
            let holder = holder.trim().parse::<u32>();
            let holder = holder.map_or(String::new(), |pid| format!(" (process {pid})"));
            return Err(ConfigError::new(
                variable,
                format!(
                    "another keyway{holder} is running on {}: stop it, or choose another",
                    what.display()
                ),
            ));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
    }
    // Only for the message above; a failure to write it does not matter.
    let told = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = told {
        tracing::debug!(%error, "the lock file does not name this process");
    }
    Ok(file)
}

/// The locks of a data folder; dropping them (or ending the process in any way) gives them back.
#[derive(Debug)]
#[must_use = "the folder is locked for as long as this lives"]
pub struct FolderLock(#[expect(dead_code, reason = "the descriptors bear the locks")] Vec<File>);
