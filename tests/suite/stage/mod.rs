//! A provider's stand-in, in words that fit each of them: a destination to sync with, and everything
//! around it that a sync must leave alone.

mod fly;
mod netlify;
mod railway;
mod vercel;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::providers::registry::ProviderSettings;
use keyway_simulator::{Action, Fault};
use serde_json::Value;

/// Values by what is said to be their place; of our destination, by key.
pub(crate) type Values = BTreeMap<String, String>;

/// A provider that runs.
pub(crate) trait Stage: Send + Sync {
    /// Points our clients at it.
    fn configure(&self, providers: &mut ProviderSettings);

    /// A token that may do everything here.
    fn token(&self) -> &str;

    /// The team that it is used for, where one has to be chosen.
    fn team(&self) -> Option<&str> {
        None
    }

    /// How many projects that token sees.
    fn projects(&self) -> usize;

    /// Project, environment and service of the destination, by ids: nothing has to be asked for.
    fn target(&self) -> Value;

    /// Sets a value of the destination alone, as if somebody had done it by hand.
    fn set(&self, key: &str, value: &str);

    /// The same, for a value that nobody can read again.
    fn set_unreadable(&self, key: &str, value: &str);

    /// The same, for a value that the destination has together with others. False where there is no such
    /// thing.
    fn set_shared(&self, key: &str, value: &str) -> bool;

    /// Sets a value next door: in another environment of the project, or as near as the provider has it.
    fn set_next_door(&self, key: &str, value: &str);

    /// Removes a key of the destination, as if somebody had done it by hand.
    fn remove(&self, key: &str);

    /// What a deployment of the destination would get.
    fn here(&self) -> Values;

    /// Everything else that the provider holds, by place.
    fn elsewhere(&self) -> Values;

    /// The token is worth nothing from here on.
    fn revoke(&self);

    /// What the provider answers to whoever may not do something.
    fn forbidden(&self) -> Action;

    /// What it answers to whoever called too often, until then.
    fn limited(&self, until: DateTime<Utc>) -> Action;

    /// What it answers when it does not work.
    fn broken(&self) -> Action;

    /// From here on it refuses this key, whose value is longer than those of others, and takes others.
    fn refuse(&self, key: &str);

    /// Scripts a fault.
    fn fault(&self, fault: Fault);

    /// Forgets the faults that are still to come.
    fn clear_faults(&self);

    /// How many calls were made.
    fn calls(&self) -> usize;

    /// Forgets them.
    fn reset_calls(&self);
}

/// Starts the stand-in of a provider.
pub(crate) async fn start(provider: ProviderName) -> Box<dyn Stage> {
    match provider {
        ProviderName::Vercel => Box::new(vercel::VercelStage::start().await),
        ProviderName::Netlify => Box::new(netlify::NetlifyStage::start().await),
        ProviderName::Railway => Box::new(railway::RailwayStage::start().await),
        ProviderName::Fly => Box::new(fly::FlyStage::start().await),
    }
}
