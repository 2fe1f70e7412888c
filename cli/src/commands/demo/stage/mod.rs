//! The simulated providers, as those see them who look after them there: what they hold, what was called, what
//! somebody changes by hand. None of it goes through our own code. The story knows a provider by this and
//! by what our API tells of it, and never by its name.

mod calls;
mod fly;
mod netlify;
mod railway;
mod snapshot;
mod vercel;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use clap::ValueEnum;
use keyway_simulator::RequestRecord;
use serde_json::Value;

pub(super) use calls::kinds;
pub(super) use snapshot::{Held, Place, Snapshot};

/// The project that each simulated provider has.
pub(super) const PROJECT: &str = "my-app";

/// Whose simulated service the demo syncs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProviderChoice {
    /// Vercel
    Vercel,
    /// Netlify
    Netlify,
    /// Railway
    Railway,
    /// Fly.io
    Fly,
}

impl ProviderChoice {
    /// Secrets that fit what the provider holds.
    pub(super) const fn sample(self) -> &'static str {
        match self {
            Self::Vercel => include_str!("../samples/vercel.env"),
            Self::Netlify => include_str!("../samples/netlify.env"),
            Self::Railway => include_str!("../samples/railway.env"),
            Self::Fly => include_str!("../samples/fly.env"),
        }
    }
}

/// What the simulated provider holds at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Preset {
    /// A project in which there is little yet
    Starter,
    /// The same project, edited by hand for years
    LivedIn,
}

/// A running simulated provider. Stops when dropped.
pub(super) trait Stage: Send + Sync {
    /// The provider's name in the paths of our API.
    fn provider(&self) -> &'static str;

    /// Its origin.
    fn url(&self) -> String;

    /// A token of a user there.
    fn token(&self) -> &'static str;

    /// The words of those who know this provider.
    fn words(&self) -> &'static Words;

    /// Everything that there is.
    fn snapshot(&self) -> Snapshot;

    /// The destination's variables whose one value is that of other environments too.
    fn shared(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// How many deployments were asked for since the start, where that is simulated.
    fn deployments(&self) -> Option<usize> {
        None
    }

    /// The machines of the destination, where there are some.
    fn machines(&self) -> Option<Vec<Machine>> {
        None
    }

    /// Gives a variable of the destination, which has a value of its own there, another value by hand.
    fn edit(&self, key: &str, value: &str);

    /// The calls of the provider's API.
    fn requests(&self) -> Vec<RequestRecord>;

    /// Forgets the calls so far: a step of the story begins, some seconds after the one before.
    fn begin_step(&self);
}

/// A machine, and what it runs with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Machine {
    pub(super) id: String,
    /// Its group of processes.
    pub(super) group: String,
    pub(super) state: String,
    /// What each update changes.
    pub(super) version: String,
    /// In clear.
    pub(super) secrets: BTreeMap<String, String>,
    /// Everything that it was told to be.
    pub(super) config: Value,
}

/// How those who know a provider speak of it.
#[derive(Debug)]
pub(super) struct Words {
    /// What it calls projects.
    pub(super) projects: &'static str,
    /// The service that the demo writes to.
    pub(super) service: Option<&'static str>,
    /// Where the demo writes, in full.
    pub(super) destination: &'static str,
    /// The same, shortly, and as a snapshot names it.
    pub(super) here: &'static str,
    /// What it calls variables.
    pub(super) variables: &'static str,
    /// What it calls environments.
    pub(super) environments: &'static str,
    /// What a snapshot shows.
    pub(super) shown: &'static str,
    /// What it calls a deployment.
    pub(super) deployment: &'static str,
    /// What brings new values to what runs.
    pub(super) next: &'static str,
    /// How somebody changes a value by hand.
    pub(super) by_hand: &'static str,
}

/// Starts a provider on a free port of the loopback address.
pub(super) async fn start(
    choice: ProviderChoice,
    preset: Preset,
    latency: Duration,
) -> io::Result<Box<dyn Stage>> {
    Ok(match choice {
        ProviderChoice::Vercel => Box::new(vercel::OnVercel::start(preset, latency).await?),
        ProviderChoice::Netlify => Box::new(netlify::OnNetlify::start(preset, latency).await?),
        ProviderChoice::Railway => Box::new(railway::OnRailway::start(preset, latency).await?),
        ProviderChoice::Fly => Box::new(fly::OnFly::start(preset, latency).await?),
    })
}
