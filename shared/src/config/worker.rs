//! The worker.

use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::values::duration;
use super::{ConfigError, Retention, RetentionArgs};

/// The worker.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Worker")]
pub struct WorkerArgs {
    /// Jobs at once in this process
    #[arg(
        long = "concurrency",
        env = "KEYWAY_WORKER_CONCURRENCY",
        value_name = "N",
        default_value = "64",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024)
    )]
    pub worker_concurrency: usize,

    /// How long a job belongs to a worker that gives no sign of life
    ///
    /// At least three times the provider timeout. Use the same value in every process.
    #[arg(
        long,
        env = "KEYWAY_LEASE",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = duration
    )]
    pub lease: Duration,

    /// How long what has ended is kept.
    #[command(flatten)]
    pub retention: RetentionArgs,
}

impl WorkerArgs {
    /// The checked settings.
    pub fn resolve(&self) -> Result<WorkerSettings, ConfigError> {
        if self.lease < Duration::from_secs(1) || self.lease > Duration::from_hours(1) {
            return Err(ConfigError::new(
                "KEYWAY_LEASE",
                "must be between 1s and 1h",
            ));
        }
        Ok(WorkerSettings {
            concurrency: self.worker_concurrency,
            lease: self.lease,
            retention: self.retention.resolve()?,
        })
    }
}

/// The worker, checked.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// Jobs at once.
    pub concurrency: usize,
    /// How long a job belongs to a silent worker.
    pub lease: Duration,
    /// How long what has ended is kept.
    pub retention: Retention,
}
