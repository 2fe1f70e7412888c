//! The providers that secrets are synced with.

use std::path::{Path, PathBuf};
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

    /// Origin of Netlify's API
    #[arg(
        long,
        env = "NETLIFY_API_URL",
        value_name = "ORIGIN",
        default_value = "https://api.netlify.com"
    )]
    pub netlify_api_url: Origin,

    /// Origin of Netlify's pages, where a connect sends the browser
    #[arg(
        long,
        env = "NETLIFY_WEB_URL",
        value_name = "ORIGIN",
        default_value = "https://app.netlify.com"
    )]
    pub netlify_web_url: Origin,

    /// Client id of the application at Netlify, for OAuth
    ///
    /// OAuth needs both `NETLIFY_CLIENT_ID` and `NETLIFY_CLIENT_SECRET`. Without them users connect with a
    /// pasted token.
    #[arg(long, env = "NETLIFY_CLIENT_ID", value_name = "ID")]
    pub netlify_client_id: Option<String>,

    /// File that holds the secret of the application at Netlify, instead of `NETLIFY_CLIENT_SECRET`
    #[arg(long, env = "NETLIFY_CLIENT_SECRET_FILE", value_name = "PATH")]
    pub netlify_client_secret_file: Option<PathBuf>,

    /// Origin of Railway's API
    #[arg(
        long,
        env = "RAILWAY_API_URL",
        value_name = "ORIGIN",
        default_value = "https://backboard.railway.com"
    )]
    pub railway_api_url: Origin,

    /// Origin of Railway's pages, where a connect sends the browser
    #[arg(
        long,
        env = "RAILWAY_WEB_URL",
        value_name = "ORIGIN",
        default_value = "https://backboard.railway.com"
    )]
    pub railway_web_url: Origin,

    /// Client id of the app at Railway, for OAuth
    ///
    /// OAuth needs both `RAILWAY_CLIENT_ID` and `RAILWAY_CLIENT_SECRET`. Without them users connect with a
    /// pasted token.
    #[arg(long, env = "RAILWAY_CLIENT_ID", value_name = "ID")]
    pub railway_client_id: Option<String>,

    /// File that holds the secret of the app at Railway, instead of `RAILWAY_CLIENT_SECRET`
    #[arg(long, env = "RAILWAY_CLIENT_SECRET_FILE", value_name = "PATH")]
    pub railway_client_secret_file: Option<PathBuf>,

    /// Origin of Fly.io's Machines API
    #[arg(
        long,
        env = "FLY_API_URL",
        value_name = "ORIGIN",
        default_value = "https://api.machines.dev"
    )]
    pub fly_api_url: Origin,
}

impl ProvidersArgs {
    /// The checked settings.
    pub fn resolve(&self, lookup: Lookup<'_>) -> Result<ProvidersSettings, ConfigError> {
        let client_secret = secret::read(
            "VERCEL_CLIENT_SECRET",
            self.vercel_client_secret_file.as_deref(),
            lookup,
        )?;
        let slug = self.vercel_integration_slug.clone();
        let oauth = complete(
            "Vercel",
            [
                ("VERCEL_CLIENT_ID", self.vercel_client_id.is_some()),
                ("VERCEL_CLIENT_SECRET", client_secret.is_some()),
                ("VERCEL_INTEGRATION_SLUG", slug.is_some()),
            ],
        )?;
        let vercel = oauth.then(|| {
            Some(VercelOAuth {
                client_id: self.vercel_client_id.clone()?,
                client_secret: client_secret?,
                slug: slug?,
            })
        });
        let netlify = OAuthClient::read(
            "Netlify",
            ("NETLIFY_CLIENT_ID", self.netlify_client_id.as_ref()),
            (
                "NETLIFY_CLIENT_SECRET",
                self.netlify_client_secret_file.as_deref(),
            ),
            lookup,
        )?;
        let railway = OAuthClient::read(
            "Railway",
            ("RAILWAY_CLIENT_ID", self.railway_client_id.as_ref()),
            (
                "RAILWAY_CLIENT_SECRET",
                self.railway_client_secret_file.as_deref(),
            ),
            lookup,
        )?;
        Ok(ProvidersSettings {
            timeout: self.provider_timeout,
            vercel: VercelSettings {
                api_url: self.vercel_api_url.clone(),
                web_url: self.vercel_web_url.clone(),
                oauth: vercel.flatten(),
            },
            netlify: ProviderSettings {
                api_url: self.netlify_api_url.clone(),
                web_url: self.netlify_web_url.clone(),
                oauth: netlify,
            },
            railway: ProviderSettings {
                api_url: self.railway_api_url.clone(),
                web_url: self.railway_web_url.clone(),
                oauth: railway,
            },
            fly: FlySettings {
                api_url: self.fly_api_url.clone(),
            },
        })
    }
}

/// Whether OAuth with a provider is set up: all of its settings, or none of them.
fn complete<const N: usize>(
    provider: &str,
    settings: [(&'static str, bool); N],
) -> Result<bool, ConfigError> {
    let missing: Vec<_> = settings
        .iter()
        .filter(|(_, is_set)| !is_set)
        .map(|(name, _)| *name)
        .collect();
    match missing.first() {
        None => Ok(true),
        Some(_) if missing.len() == N => Ok(false),
        Some(first) => {
            let names: Vec<_> = settings.iter().map(|(name, _)| *name).collect();
            let names = match names.split_last() {
                Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
                None => String::new(),
            };
            Err(ConfigError::new(
                first,
                format!(
                    "OAuth with {provider} needs {names}; missing: {}. Set it, or none of them to \
                     connect with tokens only",
                    missing.join(", ")
                ),
            ))
        }
    }
}

/// What a program needs to be known at a provider.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// Its public id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

impl OAuthClient {
    fn read(
        provider: &str,
        (id_name, id): (&'static str, Option<&String>),
        (secret_name, secret_file): (&'static str, Option<&Path>),
        lookup: Lookup<'_>,
    ) -> Result<Option<Self>, ConfigError> {
        let secret = secret::read(secret_name, secret_file, lookup)?;
        complete(
            provider,
            [(id_name, id.is_some()), (secret_name, secret.is_some())],
        )?;
        let id = id.cloned();
        Ok(id.zip(secret).map(|(id, secret)| Self { id, secret }))
    }
}

/// The providers, checked.
#[derive(Debug, Clone)]
pub struct ProvidersSettings {
    /// How long one call may take.
    pub timeout: Duration,
    /// Vercel.
    pub vercel: VercelSettings,
    /// Netlify.
    pub netlify: ProviderSettings,
    /// Railway.
    pub railway: ProviderSettings,
    /// Fly.io.
    pub fly: FlySettings,
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

/// A provider that OAuth needs nothing special for.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Where its API is.
    pub api_url: Origin,
    /// Where its pages are.
    pub web_url: Origin,
    /// What OAuth needs; without it users connect with tokens.
    pub oauth: Option<OAuthClient>,
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

/// Fly.io.
#[derive(Debug, Clone)]
pub struct FlySettings {
    /// Where its Machines API is.
    pub api_url: Origin,
}
