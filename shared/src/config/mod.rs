//! Configuration: flags and environment variables, one struct for each section, checked as a whole.
//!
//! A section's `…Args` is what a command flattens into its own flags; its `resolve` gives the checked
//! settings. What is secret has no flag, because flags show in the process list: it is read from the
//! variable itself or from the file that `<VARIABLE>_FILE` names. The environment is read here and
//! nowhere else, and always through a [`Lookup`], so that tests bring their own.

mod api;
mod auth;
mod data;
mod database;
mod dump;
mod encryption;
mod key_command;
mod limits;
mod log;
mod metrics;
mod process;
mod providers;
mod redis;
mod reference;
mod retention;
mod secret;
mod values;
mod webhooks;
mod worker;

use std::ffi::OsString;

pub use api::{ApiArgs, ApiSettings};
pub use auth::{AuthArgs, AuthMode};
pub use data::{DataArgs, DataFolder, FolderLock};
pub use database::{Database, DatabaseArgs, DatabaseUrl};
pub use dump::{Entry, Source, dump};
pub use encryption::{EncryptionArgs, KeyOrigin};
pub use limits::{ConnectionLimits, LimitsArgs, LimitsSettings};
pub use log::LogArgs;
pub use metrics::MetricsArgs;
pub use process::{allow_many_files, forbid_core_dumps, process_name};
pub use providers::{
    FlySettings, OAuthClient, ProviderSettings, ProvidersArgs, ProvidersSettings, VercelOAuth,
    VercelSettings,
};
pub use redis::{RedisArgs, RedisSettings};
pub use reference::reference;
pub use retention::{Retention, RetentionArgs};
pub use secret::{SECRETS, SecretVariable};
pub use values::{Origin, redact_url};
pub use webhooks::WebhooksArgs;
pub use worker::{WorkerArgs, WorkerSettings};

/// Where variables are looked up: the process's environment, or a test's map.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process. A variable that is set to nothing counts as not set, which is
/// what `VARIABLE: ${VARIABLE:-}` in a compose file means.
pub fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Makes clap, too, take a variable that is set to nothing as not set.
pub fn ignore_empty_variables(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if std::env::var_os(name).is_some_and(|value| value.is_empty()) => {
                arg.env(None::<&str>)
            }
            _ => arg,
        })
        .mut_subcommands(ignore_empty_variables)
}

/// A setting that cannot be used, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigError {
    /// The variable to look at.
    pub variable: &'static str,
    /// What is wrong, and what to set. Never the value of a secret.
    pub problem: String,
}

impl ConfigError {
    /// The problem with a variable.
    pub fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self {
            variable,
            problem: problem.into(),
        }
    }
}

/// That every provider call of a job ends well within its lease: the worker starts a write only
/// while the rest of the lease is longer than the call may take, and must have time to renew.
pub fn check_lease(
    worker: &WorkerSettings,
    providers: &ProvidersSettings,
) -> Result<(), ConfigError> {
    if providers.timeout * 3 > worker.lease {
        return Err(ConfigError::new(
            "KEYWAY_PROVIDER_TIMEOUT",
            format!(
                "{} is more than a third of KEYWAY_LEASE ({}): shorten it, or set KEYWAY_LEASE to at least {}",
                humantime::format_duration(providers.timeout),
                humantime::format_duration(worker.lease),
                humantime::format_duration(providers.timeout * 3),
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
