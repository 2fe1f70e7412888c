//! Why a command ended without success, in words for the person who typed it.

use std::fmt;
use std::process::ExitCode;

use keyway_shared::config::ConfigError;
use keyway_shared::store::StoreError;

/// What a command gives back.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// One clear sentence, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    usage: bool,
}

impl Failure {
    /// Something did not work.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            usage: false,
        }
    }

    /// The command was asked for something it cannot take.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            usage: true,
            ..Self::new(message)
        }
    }

    /// What to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The sentence.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do, when there is something.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// 2 for what was typed or configured, 1 for everything else.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(if self.usage { 2 } else { 1 })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let failure = Self::new(error.to_string());
        match error {
            StoreError::WrongKey { key_id } | StoreError::UnknownKey { key_id } => {
                Self::new(format!(
                    "the encryption key is wrong: this database was made with the key '{key_id}', \
                     and none of the configured keys opens it"
                ))
                .hint(
                    "set KEYWAY_ENCRYPTION_KEYS to the keys this database was made with (embedded: \
                     put its encryption.key back into the data folder)",
                )
            }
            StoreError::Unavailable(_) => {
                failure.hint("is the database up? `keyway doctor` tells more")
            }
            StoreError::Migrate(_) => failure.hint(
                "a newer version of keyway may have migrated this database: run that version, or \
                 restore the backup that belongs to this one",
            ),
            _ => failure,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}
