//! The providers of this process, by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Provider;
use super::fly::{Fly, FlySettings};
use super::http::SetupError;
use super::netlify::{Netlify, NetlifySettings};
use super::railway::{Railway, RailwaySettings};
use super::vercel::{Vercel, VercelSettings};
use crate::ambient::Ambient;
use crate::domain::connection::ProviderName;

/// What the configuration says of the providers.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Longest time that one call may take, from connecting to the last byte.
    pub timeout: Duration,
    /// Vercel.
    pub vercel: VercelSettings,
    /// Netlify.
    pub netlify: NetlifySettings,
    /// Railway.
    pub railway: RailwaySettings,
    /// Fly.io.
    pub fly: FlySettings,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            vercel: VercelSettings::default(),
            netlify: NetlifySettings::default(),
            railway: RailwaySettings::default(),
            fly: FlySettings::default(),
        }
    }
}

/// Every provider that this program can sync with.
#[derive(Clone)]
pub struct Registry {
    providers: BTreeMap<ProviderName, Arc<dyn Provider>>,
}

impl Registry {
    /// Makes the clients. No call is made.
    pub fn new(settings: &ProviderSettings, ambient: Ambient) -> Result<Self, SetupError> {
        let timeout = settings.timeout;
        let all: [Arc<dyn Provider>; 4] = [
            Arc::new(Vercel::new(&settings.vercel, timeout, ambient.clone())?),
            Arc::new(Netlify::new(&settings.netlify, timeout, ambient.clone())?),
            Arc::new(Railway::new(&settings.railway, timeout, ambient.clone())?),
            Arc::new(Fly::new(&settings.fly, timeout, ambient)?),
        ];
        let named = all
            .into_iter()
            .map(|provider| (provider.descriptor().name, provider));
        Ok(Self {
            providers: named.collect(),
        })
    }

    /// With another provider of its name, for tests.
    #[must_use]
    pub fn with(mut self, provider: Arc<dyn Provider>) -> Self {
        self.providers.insert(provider.descriptor().name, provider);
        self
    }

    /// The provider of a name.
    pub fn get(&self, name: ProviderName) -> Option<Arc<dyn Provider>> {
        self.providers.get(&name).cloned()
    }

    /// All providers, in the order of the API reference.
    pub fn all(&self) -> impl Iterator<Item = &dyn Provider> {
        ProviderName::ALL
            .iter()
            .filter_map(|name| self.providers.get(name))
            .map(|provider| &**provider)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registry")
    }
}
