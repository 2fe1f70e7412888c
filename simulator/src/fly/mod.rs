//! A stand-in of Fly.io's Machines API: tokens, apps, secrets, and machines as far as a rollout of
//! secrets goes. The API is under `/v1`, as at `api.machines.dev`.
//!
//! A write of secrets stages them: a machine runs with what there was when it was last started or
//! updated, and [`Fly::running`] tells what that is. Tokens are compared as texts; what is written in
//! a macaroon, and how it may be narrowed, is not simulated.

mod access;
mod apps;
mod call;
mod control;
mod handler;
mod leases;
mod limits;
mod machines;
mod model;
mod options;
mod presets;
mod reply;
mod rules;
mod secrets;
mod state;
mod vault;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use model::{Grant, MachineSeed, Running, Shown};
pub use options::{
    AppTokenList, ErrorForm, LeaseForm, Options, VersionField, VersionParameter, Written,
};
pub use presets::{
    APP, BARE_APP, DEPLOY_TOKEN, ORGANIZATION, OTHER_APP, OTHER_ORGANIZATION,
    PERSONAL_ORGANIZATION, Preset, READ_ONLY_TOKEN, STAGING_APP, TOKEN, USER, USER_TOKEN,
};

use crate::fault::Fault;
use crate::log::RequestRecord;
use crate::server::{Bound, Server};
use state::State;

/// A running stand-in. Stops when dropped.
#[derive(Debug)]
pub struct Fly {
    shared: Arc<Shared>,
    server: Server,
}

#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<State>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fly {
    /// Starts on a free port of the loopback address.
    pub async fn start(preset: Preset) -> io::Result<Self> {
        Self::bind(SocketAddr::from(([127, 0, 0, 1], 0)), preset).await
    }

    /// Starts on this address.
    pub async fn bind(address: SocketAddr, preset: Preset) -> io::Result<Self> {
        let bound = Bound::to(address).await?;
        let shared = Arc::new(Shared::default());
        presets::fill(&mut shared.state(), preset);
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
        self.set(|options| options.latency_ms = latency.as_millis() as u64);
    }

    /// Lets time pass here and nowhere else.
    pub fn advance(&self, time: Duration) {
        self.shared.state().ahead_ms += time.as_millis() as u64;
    }

    /// Adds an organization.
    pub fn add_organization(&self, name: &str, slug: &str) {
        self.shared.state().add_organization(name, slug, false);
    }

    /// Adds an app to an organization, by its slug, and gives its id.
    pub fn add_app(&self, name: &str, organization: &str) -> String {
        self.shared.state().add_app(name, organization)
    }

    /// Adds a machine to an app, by its name, and gives its id. It starts with the newest secrets.
    pub fn add_machine(&self, app: &str, seed: &MachineSeed) -> Option<String> {
        self.shared.state().add_machine(app, seed)
    }

    /// Adds a token that ends after `lifetime`, and gives it as people get it: with the scheme, and in
    /// parts.
    pub fn add_token(&self, grant: Grant, lifetime: Option<Duration>) -> String {
        let seconds = lifetime.map(|lifetime| lifetime.as_secs());
        self.shared.state().add_token(grant, seconds)
    }

    /// Makes a token worthless.
    pub fn revoke(&self, token: &str) {
        self.shared.state().revoke(token);
    }

    /// Sets a secret as if somebody had staged it by hand, whatever the rules say.
    pub fn put_secret(&self, app: &str, name: &str, value: &str) {
        self.shared.state().put_secret(app, name, Some(value));
    }

    /// Unsets a secret as if somebody had done it by hand.
    pub fn remove_secret(&self, app: &str, name: &str) {
        self.shared.state().put_secret(app, name, None);
    }

    /// Gives each machine of an app the newest secrets, as somebody does who deploys by hand.
    pub fn roll_out(&self, app: &str) {
        self.shared.state().roll_out(app);
    }

    /// The value that is staged, which need not run anywhere.
    pub fn value(&self, app: &str, name: &str) -> Option<String> {
        let mut snapshot = self.snapshot(app);
        snapshot.remove(name).map(|shown| shown.value)
    }

    /// Every secret that is staged.
    pub fn snapshot(&self, app: &str) -> BTreeMap<String, Shown> {
        self.shared.state().snapshot(app)
    }

    /// The version of an app's secrets.
    pub fn secrets_version(&self, app: &str) -> Option<u64> {
        let state = self.shared.state();
        let app = &state.apps[state.app(app)?];
        Some(app.vault.newest().version)
    }

    /// Ids of an app's machines, without those that are destroyed.
    pub fn machines(&self, app: &str) -> Vec<String> {
        let state = self.shared.state();
        let machines = state.app(app).map(|index| &state.apps[index].machines);
        let machines = machines.into_iter().flatten();
        machines
            .filter(|machine| machine.state != "destroyed")
            .map(|machine| machine.id.clone())
            .collect()
    }

    /// What a machine runs with, by its id.
    pub fn running(&self, machine: &str) -> Option<Running> {
        let state = self.shared.state();
        let machine = state.machine(machine)?;
        Some(machine.running(state.now()))
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
