//! A stand-in of Vercel's REST API: users, teams, projects, custom environments, variables, OAuth.

mod account;
mod control;
mod env;
mod handler;
mod hooks;
mod model;
mod pages;
mod presets;
mod rules;
mod state;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use hooks::{SIGNATURE, Signed};
pub use model::{EnvSeed, Options, Place, Shown};
pub use presets::{CLIENT_ID, CLIENT_SECRET, Preset, SLUG, TEAM, TOKEN, USER};

use crate::clock::Clock;
use crate::fault::Fault;
use crate::log::RequestRecord;
use crate::server::{Bound, Server};
use state::State;

/// A running stand-in. Stops when dropped.
#[derive(Debug)]
pub struct Vercel {
    shared: Arc<Shared>,
    server: Server,
}

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    clock: Clock,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vercel {
    /// Starts on a free port of the loopback address.
    pub async fn start(preset: Preset) -> io::Result<Self> {
        Self::bind(SocketAddr::from(([127, 0, 0, 1], 0)), preset).await
    }

    /// Starts on this address.
    pub async fn bind(address: SocketAddr, preset: Preset) -> io::Result<Self> {
        let bound = Bound::to(address).await?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            clock: Clock::default(),
        });
        presets::fill(&shared, preset);
        let server = bound.serve(handler::router(Arc::clone(&shared)));
        Ok(Self { shared, server })
    }

    /// Its origin.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Its address.
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Stops answering.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.shared.state().options);
    }

    /// How long each call takes.
    pub fn set_latency(&self, latency: Duration) {
        self.set(|options| options.latency = latency);
    }

    /// Adds a team, which every token of the user works for, and gives its id.
    pub fn add_team(&self, name: &str) -> String {
        self.shared.state().add_team(name)
    }

    /// Adds a project of the user (or of the team) and gives its id.
    pub fn add_project(&self, name: &str, team: Option<&str>) -> String {
        self.shared.state().add_project(name, team)
    }

    /// Adds a custom environment and gives its id.
    pub fn add_custom_environment(&self, project: &str, slug: &str) -> String {
        self.shared.state().add_custom_environment(project, slug)
    }

    /// Adds a variable as if somebody had made it by hand, and gives its id.
    pub fn add_env(&self, project: &str, seed: &EnvSeed) -> String {
        let at = self.shared.clock.tick();
        self.shared.state().add_env(project, seed, at)
    }

    /// Changes a variable's value as if somebody had done it by hand.
    pub fn edit_env(&self, project: &str, id: &str, value: &str) {
        let at = self.shared.clock.tick();
        self.shared.state().edit_env(project, id, value, at);
    }

    /// Removes a variable as if somebody had done it by hand.
    pub fn remove_env(&self, project: &str, id: &str) {
        self.shared.state().remove_env(project, id);
    }

    /// The id of the row that gives an environment its value.
    pub fn row(&self, project: &str, key: &str, scope: &str) -> Option<String> {
        self.shared.state().row(project, key, scope)
    }

    /// The value that a deployment would get.
    pub fn value(
        &self,
        project: &str,
        key: &str,
        scope: &str,
        branch: Option<&str>,
    ) -> Option<String> {
        let place = Place {
            key: key.to_owned(),
            scope: scope.to_owned(),
            branch: branch.map(str::to_owned),
        };
        self.snapshot(project)
            .remove(&place)
            .map(|shown| shown.value)
    }

    /// Every value of a project, by key, environment and branch.
    pub fn snapshot(&self, project: &str) -> BTreeMap<Place, Shown> {
        self.shared.state().snapshot(project)
    }

    /// Where a browser is sent back to once somebody has added the integration.
    pub fn set_callback(&self, callback: &str) {
        self.shared.state().callback = Some(callback.to_owned());
    }

    /// Makes a token worthless.
    pub fn revoke(&self, token: &str) {
        self.shared.state().revoke(token);
    }

    /// Installs the integration as if its user had agreed to it. Gives its token and its id.
    pub fn install(&self) -> (String, String) {
        self.shared.state().install(None)
    }

    /// Removes an installation of the integration as if its user had done it by hand: its tokens are
    /// worthless, and what they wrote is gone.
    pub fn uninstall(&self, installation: &str) {
        self.shared.state().uninstall(installation);
    }

    /// What the integration's webhook is sent when an installation is removed, under an id and at a time
    /// in milliseconds.
    pub fn removed_event(&self, event: &str, installation: &str, at: i64) -> Signed {
        hooks::removed(event, installation, at)
    }

    /// Scripts a fault.
    pub fn fault(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// Forgets the faults that are still to come.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// How many calls of the provider's API were made.
    pub fn calls(&self) -> usize {
        self.shared.state().log.records().len()
    }

    /// Those calls.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.state().log.records().to_vec()
    }

    /// Shows each call to `observer` when it arrives, before it has an effect. Unlike the log, an
    /// observer misses none when the calls are forgotten. It must not call back.
    pub fn observe(&self, observer: impl Fn(&RequestRecord) + Send + Sync + 'static) {
        self.shared.state().log.observe(Box::new(observer));
    }

    /// Forgets the calls so far.
    pub fn reset_calls(&self) {
        self.shared.state().log.clear();
    }
}
