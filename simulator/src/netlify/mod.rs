//! A stand-in of Netlify's REST API: user, teams, sites, variables, builds, OAuth.
//!
//! The API is under `/api/v1`, as at `api.netlify.com`; `/oauth/token`, and `/authorize`, which the
//! real one has at `app.netlify.com`, are beside it.

mod account;
mod call;
mod control;
mod env;
mod handler;
mod limits;
mod model;
mod oauth;
mod options;
mod presets;
mod reply;
mod rules;
mod sites;
mod state;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use model::{EnvSeed, Place, Plan, Repository, Role, Shown};
pub use options::{
    AllWithOthers, ErrorForm, LastValue, OnConflict, Options, Pkce, SecretValues, SiteVariables,
    TokenEncoding,
};
pub use presets::{
    ACCOUNT, ACCOUNT_SLUG, CLIENT_ID, CLIENT_SECRET, COLLABORATOR, COLLABORATOR_TOKEN,
    FREE_ACCOUNT, GUEST_ACCOUNT, Preset, SITE, TOKEN, USER,
};

use crate::fault::Fault;
use crate::log::RequestRecord;
use crate::server::{Bound, Server};
use state::State;

/// A running stand-in. Stops when dropped.
#[derive(Debug)]
pub struct Netlify {
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

impl Netlify {
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

    /// The one address that authorizations may send the browser back to. Before, any will do.
    pub fn set_callback(&self, callback: &str) {
        self.shared.state().callback = Some(callback.to_owned());
    }

    /// Lets time pass here and nowhere else.
    pub fn advance(&self, time: Duration) {
        self.shared.state().ahead_ms += time.as_millis() as u64;
    }

    /// Adds a user, who is in no team, and gives their id.
    pub fn add_user(&self, full_name: &str) -> String {
        let mut state = self.shared.state();
        let id = format!("5a{:022x}", 0x1000 + state.serial());
        state.add_user(&id, full_name);
        id
    }

    /// Adds a team with these members, by user id, and gives its id.
    pub fn add_account(&self, name: &str, plan: Plan, members: &[(&str, Role)]) -> String {
        let mut state = self.shared.state();
        let id = format!("5b{:022x}", 0x1000 + state.serial());
        state.add_account(&id, name, plan, members);
        id
    }

    /// Makes a team take only tokens that were given access to it.
    pub fn enforce_saml(&self, account: &str) {
        let mut state = self.shared.state();
        let accounts = state.accounts.iter_mut();
        for found in accounts.filter(|found| found.id == account) {
            found.saml = true;
        }
    }

    /// Adds a site to a team and gives its id.
    pub fn add_site(
        &self,
        name: &str,
        account: &str,
        repository: Option<Repository>,
        framework: Option<&str>,
    ) -> String {
        let mut state = self.shared.state();
        state.add_site(name, account, repository, framework)
    }

    /// Adds a personal access token of a user, which ends after `lifetime`.
    pub fn add_token(&self, user: &str, lifetime: Option<Duration>) -> String {
        let seconds = lifetime.map(|lifetime| lifetime.as_secs());
        self.shared.state().add_token(user, seconds)
    }

    /// Gives a token access to the teams that enforce SAML.
    pub fn grant_saml(&self, token: &str) {
        if let Some(token) = self.shared.state().tokens.get_mut(token) {
            token.saml = true;
        }
    }

    /// Makes a token worthless.
    pub fn revoke(&self, token: &str) {
        self.shared.state().tokens.remove(token);
    }

    /// Gives a user a new password, which ends all their tokens for good.
    pub fn reset_password(&self, user: &str) {
        self.shared.state().reset_password(user);
    }

    /// Adds a variable to a site or a team as if somebody had made it by hand, whatever the rules
    /// say, or replaces it.
    pub fn put_env(&self, holder: &str, seed: &EnvSeed) {
        self.shared.state().put_env(holder, seed, USER);
    }

    /// Removes a variable of a site or a team as if somebody had done it by hand.
    pub fn remove_env(&self, holder: &str, key: &str) {
        self.shared.state().remove_env(holder, key);
    }

    /// The value that a deployment would get.
    pub fn value(
        &self,
        site: &str,
        key: &str,
        context: &str,
        branch: Option<&str>,
    ) -> Option<String> {
        self.shared.state().value(site, key, context, branch)
    }

    /// Every value of a site or of a team, by key and context.
    pub fn snapshot(&self, holder: &str) -> BTreeMap<Place, Shown> {
        self.shared.state().snapshot(holder)
    }

    /// How many builds of a site were asked for.
    pub fn builds(&self, site: &str) -> usize {
        let state = self.shared.state();
        let site = state.site(site).map(|index| &state.sites[index]);
        site.map_or(0, |site| site.builds.len())
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
