//! Logs.

use clap::Args;

use super::ConfigError;
use crate::telemetry::{LogFormat, init_logs};

const DEFAULT: &str = "info";

/// Logs go to standard error.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// What is logged: error, warn, info, debug, trace, or a filter such as info,keyway_worker=debug
    #[arg(
        long = "log",
        env = "KEYWAY_LOG",
        value_name = "FILTER",
        default_value = DEFAULT
    )]
    pub log: String,

    /// How log lines look: text for people, json for machines
    #[arg(
        long,
        env = "KEYWAY_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
}

impl LogArgs {
    /// Starts logging. `quiet` is the filter of a command whose output is not its log; it applies
    /// unless the user chose another than the default.
    pub fn init(&self, quiet: Option<&str>) -> Result<(), ConfigError> {
        let filter = match quiet {
            _ if self.log != DEFAULT => &self.log,
            Some(quiet) => quiet,
            // Libraries tell at this level what only their authors want to know.
            None => "info,sqlx=warn,apalis_core=warn",
        };
        init_logs(filter, self.log_format).map_err(|error| {
            ConfigError::new("KEYWAY_LOG", format!("cannot be understood: {error}"))
        })
    }
}
