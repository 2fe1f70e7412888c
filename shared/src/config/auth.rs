//! Who may come in.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Origin;
use crate::github::GitHubSettings;

/// Where users and roles come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AuthMode {
    /// Users and members of vaults are kept here.
    #[default]
    Local,
    /// Users are GitHub's, and a role in a vault is that in its repository.
    #[value(name = "github")]
    GitHub,
}

/// Users and roles.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Users and roles")]
pub struct AuthArgs {
    /// Where users and roles come from: kept here, or GitHub's
    #[arg(
        long,
        env = "KEYWAY_AUTH_MODE",
        value_name = "MODE",
        value_enum,
        default_value_t = AuthMode::Local
    )]
    pub auth_mode: AuthMode,

    /// Origin of GitHub's API
    #[arg(
        long,
        env = "GITHUB_API_URL",
        value_name = "ORIGIN",
        default_value = "https://api.github.com"
    )]
    pub github_api_url: Origin,
}

impl AuthArgs {
    /// GitHub, in GitHub mode. A call may take as long as one to a provider.
    pub fn resolve(&self, timeout: Duration) -> Option<GitHubSettings> {
        (self.auth_mode == AuthMode::GitHub).then(|| GitHubSettings {
            api_url: self.github_api_url.to_string(),
            timeout,
        })
    }
}
