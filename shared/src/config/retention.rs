//! How long what has ended is kept.

use std::time::Duration;

use clap::Args;

use super::ConfigError;
use super::values::duration;

/// Shortest time: whoever waits for a job's end must still find it.
const SHORTEST: Duration = Duration::from_hours(1);

/// Retention.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Retention")]
pub struct RetentionArgs {
    /// How long a job is kept after its end, with its runs and its report
    #[arg(
        long,
        env = "KEYWAY_RETENTION_JOBS",
        value_name = "DURATION",
        default_value = "30d",
        value_parser = duration
    )]
    pub retention_jobs: Duration,

    /// How long an entry of the activity log is kept
    #[arg(
        long,
        env = "KEYWAY_RETENTION_ACTIVITY",
        value_name = "DURATION",
        default_value = "365d",
        value_parser = duration
    )]
    pub retention_activity: Duration,

    /// How long the plan of a preview is kept after it has expired
    #[arg(
        long,
        env = "KEYWAY_RETENTION_PLANS",
        value_name = "DURATION",
        default_value = "1d",
        value_parser = duration
    )]
    pub retention_plans: Duration,
}

impl RetentionArgs {
    /// The checked settings.
    pub fn resolve(&self) -> Result<Retention, ConfigError> {
        for (variable, kept) in [
            ("KEYWAY_RETENTION_JOBS", self.retention_jobs),
            ("KEYWAY_RETENTION_ACTIVITY", self.retention_activity),
            ("KEYWAY_RETENTION_PLANS", self.retention_plans),
        ] {
            if kept < SHORTEST {
                return Err(ConfigError::new(variable, "must be at least 1h"));
            }
        }
        Ok(Retention {
            jobs: self.retention_jobs,
            activity: self.retention_activity,
            plans: self.retention_plans,
        })
    }
}

/// How long what has ended is kept, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Jobs after their end.
    pub jobs: Duration,
    /// Entries of the activity log.
    pub activity: Duration,
    /// Plans after they have expired.
    pub plans: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            jobs: DAY * 30,
            activity: DAY * 365,
            plans: DAY,
        }
    }
}
