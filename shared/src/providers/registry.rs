//! The providers of this process, by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::http::SetupError;
use super::vercel::{Vercel, VercelSettings};
use super::{Descriptor, Provider};
use crate::ambient::Ambient;
use crate::domain::connection::ProviderName;
use crate::sync::limits::Limits;

/// What the configuration says of the providers.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Longest time that one call may take, from connecting to the last byte.
    pub timeout: Duration,
    /// Vercel.
    pub vercel: VercelSettings,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            vercel: VercelSettings::default(),
        }
    }
}

/// Every provider that this program can sync with, and the descriptions of all.
#[derive(Clone)]
pub struct Registry {
    vercel: Arc<Vercel>,
    others: BTreeMap<ProviderName, Arc<dyn Provider>>,
}

impl Registry {
    /// Makes the clients. No call is made.
    pub fn new(settings: &ProviderSettings, ambient: Ambient) -> Result<Self, SetupError> {
        Ok(Self {
            vercel: Arc::new(Vercel::new(&settings.vercel, settings.timeout, ambient)?),
            others: BTreeMap::new(),
        })
    }

    /// With one more provider, for tests of what no provider here does yet.
    #[must_use]
    pub fn with(mut self, provider: Arc<dyn Provider>) -> Self {
        self.others.insert(provider.descriptor().name, provider);
        self
    }

    /// The provider, when this program can sync with it.
    pub fn get(&self, name: ProviderName) -> Option<Arc<dyn Provider>> {
        match name {
            ProviderName::Vercel => Some(self.vercel.clone()),
            ProviderName::Netlify | ProviderName::Railway | ProviderName::Fly => {
                self.others.get(&name).cloned()
            }
        }
    }

    /// All providers of the API reference, in its order.
    pub fn descriptors(&self) -> Vec<Descriptor> {
        vec![
            self.vercel.descriptor().clone(),
            planned(ProviderName::Netlify, "Netlify"),
            planned(ProviderName::Railway, "Railway"),
            planned(ProviderName::Fly, "Fly.io"),
        ]
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registry")
    }
}

/// A provider that is named and cannot be used yet.
fn planned(name: ProviderName, display_name: &'static str) -> Descriptor {
    Descriptor {
        name,
        display_name,
        auth_methods: Vec::new(),
        available: false,
        environments: &[],
        custom_environments: false,
        branch_environment: None,
        services: false,
        needs_redeploy: false,
        limits: Limits::default(),
        budgets: &[],
        oauth_settings: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_described_and_only_what_works_is_given() {
        let registry = Registry::new(&ProviderSettings::default(), Ambient::system()).unwrap();
        let names: Vec<_> = registry
            .descriptors()
            .iter()
            .map(|provider| (provider.name.as_str(), provider.available))
            .collect();
        assert_eq!(
            names,
            [
                ("vercel", true),
                ("netlify", false),
                ("railway", false),
                ("fly", false)
            ]
        );
        for provider in registry.descriptors() {
            assert_eq!(registry.get(provider.name).is_some(), provider.available);
        }
    }
}
