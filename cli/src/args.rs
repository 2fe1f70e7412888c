//! What several commands take.

use clap::Args;
use keyway_shared::ambient::Ambient;
use keyway_shared::config::{
    self, ConfigError, DataArgs, DataFolder, Database, DatabaseArgs, EncryptionArgs, LogArgs,
};
use keyway_shared::secret::Secret;

/// Whatever opens the database.
#[derive(Debug, Clone, Args)]
pub(crate) struct StorageArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) encryption: EncryptionArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// The database to open, and its keys.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) data: DataFolder,
    pub(crate) database: Database,
    /// Checked; read anew for each attempt to connect, because a ring is never copied.
    pub(crate) keys: Secret,
}

impl StorageArgs {
    /// Checks the settings without touching anything.
    pub(crate) fn check(&self) -> Result<(DataFolder, Database), ConfigError> {
        let data = self.data.resolve()?;
        let database = self.database.resolve(&data, &config::environment)?;
        Ok((data, database))
    }

    /// Checks the settings. In the embedded form the data folder and its key are made when missing.
    pub(crate) fn prepare(&self, ambient: &Ambient) -> Result<Storage, ConfigError> {
        let (data, database) = self.check()?;
        if database.url.is_sqlite() {
            data.create()?;
        }
        let (keys, _) = self.encryption.find_or_generate(
            &data,
            &database.url,
            &config::environment,
            ambient,
        )?;
        Ok(Storage {
            data,
            database,
            keys,
        })
    }
}
