//! The providers that secrets are synced with.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::duration;
use super::{ConfigError, Lookup, Origin, secret};
use crate::secret::Secret;

/// The providers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Providers")]
pub struct ProvidersArgs {
    /// How long one call to a provider may take; at most a third of the lease
    #[arg(
        long,
        env = "KEYWAY_PROVIDER_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration
    )]
    pub provider_timeout: Duration,

    /// Origin of Vercel's API
    #[arg(
        long,
        env = "VERCEL_API_URL",
        value_name = "ORIGIN",
        default_value = "https://api.vercel.com"
    )]
    pub vercel_api_url: Origin,

    /// Origin of Vercel's pages, where a connect sends the browser
    #[arg(
        long,
        env = "VERCEL_WEB_URL",
        value_name = "ORIGIN",
        default_value = "https://vercel.com"
    )]
    pub vercel_web_url: Origin,

    /// Client id of the Vercel integration, for OAuth
    ///
    /// OAuth needs all of `VERCEL_CLIENT_ID`, `VERCEL_CLIENT_SECRET` and `VERCEL_INTEGRATION_SLUG`.
    /// Without them users connect with a pasted token.
    #[arg(long, env = "VERCEL_CLIENT_ID", value_name = "ID")]
    pub vercel_client_id: Option<String>,

    /// File that holds the secret of the Vercel integration, instead of `VERCEL_CLIENT_SECRET`
    #[arg(long, env = "VERCEL_CLIENT_SECRET_FILE", value_name = "PATH")]
    pub vercel_client_secret_file: Option<PathBuf>,

    /// Name of the Vercel integration in the address of its page
    #[arg(long, env = "VERCEL_INTEGRATION_SLUG", value_name = "SLUG")]
    pub vercel_integration_slug: Option<String>,
}

impl ProvidersArgs {
    /// The checked settings.
    pub fn resolve(&self, lookup: Lookup<'_>) -> Result<ProvidersSettings, ConfigError> {
        let client_secret = secret::read(
            "VERCEL_CLIENT_SECRET",
            self.vercel_client_secret_file.as_deref(),
            lookup,
        )?;
        let oauth = match (
            self.vercel_client_id.clone(),
            client_secret,
            self.vercel_integration_slug.clone(),
        ) {
            (None, None, None) => None,
            (Some(client_id), Some(client_secret), Some(slug)) => Some(VercelOAuth {
                client_id,
                client_secret,
                slug,
            }),
            (client_id, client_secret, slug) => {
                let missing = [
                    ("VERCEL_CLIENT_ID", client_id.is_none()),
                    ("VERCEL_CLIENT_SECRET", client_secret.is_none()),
                    ("VERCEL_INTEGRATION_SLUG", slug.is_none()),
                ];
                let missing: Vec<_> = missing.iter().filter(|(_, gone)| *gone).collect();
                let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
                return Err(ConfigError::new(
                    missing[0].0,
                    format!(
                        "OAuth with Vercel needs VERCEL_CLIENT_ID, VERCEL_CLIENT_SECRET and \
                         VERCEL_INTEGRATION_SLUG; missing: {}. Set it, or none of them to connect \
                         with tokens only",
                        names.join(", ")
                    ),
                ));
            }
        };
        Ok(ProvidersSettings {
            timeout: self.provider_timeout,
            vercel: VercelSettings {
                api_url: self.vercel_api_url.clone(),
                web_url: self.vercel_web_url.clone(),
                oauth,
            },
        })
    }
}

/// The providers, checked.
#[derive(Debug, Clone)]
pub struct ProvidersSettings {
    /// How long one call may take.
    pub timeout: Duration,
    /// Vercel.
    pub vercel: VercelSettings,
}

/// Vercel.
#[derive(Debug, Clone)]
pub struct VercelSettings {
    /// Where its API is.
    pub api_url: Origin,
    /// Where its pages are.
    pub web_url: Origin,
    /// What OAuth needs; without it users connect with tokens.
    pub oauth: Option<VercelOAuth>,
}

/// The integration at Vercel.
#[derive(Debug, Clone)]
pub struct VercelOAuth {
    /// Its public id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Its name in addresses.
    pub slug: String,
}
