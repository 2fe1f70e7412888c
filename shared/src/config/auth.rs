//! Who may come in.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{ConfigError, Lookup, Origin, secret};
use crate::github::{GitHubSettings, SignInSettings};

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

    /// Origin of GitHub's pages, where a sign-in sends the browser
    #[arg(
        long,
        env = "GITHUB_WEB_URL",
        value_name = "ORIGIN",
        default_value = "https://github.com"
    )]
    pub github_web_url: Origin,

    /// Client id of the app at GitHub that people sign in through
    ///
    /// Sign-in needs `GITHUB_CLIENT_ID` and `GITHUB_CLIENT_SECRET`. Without them people send tokens of
    /// GitHub's of their own.
    #[arg(long, env = "GITHUB_CLIENT_ID", value_name = "ID")]
    pub github_client_id: Option<String>,

    /// File that holds the secret of the app at GitHub, instead of `GITHUB_CLIENT_SECRET`
    #[arg(long, env = "GITHUB_CLIENT_SECRET_FILE", value_name = "PATH")]
    pub github_client_secret_file: Option<PathBuf>,

    /// Scopes that a sign-in asks GitHub for: none for a GitHub App, `repo` for an OAuth app
    #[arg(long, env = "GITHUB_SCOPE", value_name = "SCOPES")]
    pub github_scope: Option<String>,
}

impl AuthArgs {
    /// GitHub, in GitHub mode. A call may take as long as one to a provider.
    pub fn resolve(
        &self,
        timeout: Duration,
        lookup: Lookup<'_>,
    ) -> Result<Option<GitHubSettings>, ConfigError> {
        if self.auth_mode != AuthMode::GitHub {
            return Ok(None);
        }
        let file = self.github_client_secret_file.as_deref();
        let client_secret = secret::read("GITHUB_CLIENT_SECRET", file, lookup)?;
        let sign_in = match (self.github_client_id.clone(), client_secret) {
            (None, None) => None,
            (Some(client_id), Some(client_secret)) => Some(SignInSettings {
                web_url: self.github_web_url.to_string(),
                client_id,
                client_secret,
                scope: self.github_scope.clone(),
            }),
            (id, _) => {
                let missing = if id.is_none() {
                    "GITHUB_CLIENT_ID"
                } else {
                    "GITHUB_CLIENT_SECRET"
                };
                return Err(ConfigError::new(
                    missing,
                    "is missing: sign-in through GitHub needs GITHUB_CLIENT_ID and \
                     GITHUB_CLIENT_SECRET. Set both, or none of them"
                        .to_owned(),
                ));
            }
        };
        Ok(Some(GitHubSettings {
            api_url: self.github_api_url.to_string(),
            timeout,
            sign_in,
        }))
    }
}
