//! A stand-in of Railway's GraphQL API and of "Login with Railway": workspaces, projects, environments,
//! services, variables and the deployments that writes of them cause.
//!
//! `schema.graphql` is the vendor's schema as far as a client that syncs variables needs it. What of
//! it is not simulated answers an error that says so, with the code `NOT_SIMULATED`.

mod access;
mod budget;
mod config;
mod control;
mod graphql;
mod handler;
mod model;
mod mutation;
mod oauth;
mod objects;
mod paging;
mod presets;
mod query;
mod state;
mod variables;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

pub use model::{
    Cause, Deployment, Options, Plan, RateLimitReset, RetryAfter, Role, Shown, Target,
};
pub use presets::{
    CLIENT_ID, CLIENT_SECRET, NATIVE_CLIENT_ID, PROJECT_TOKEN, Preset, REDIRECT_URI, TOKEN, USER,
    WORKSPACE_TOKEN,
};

use crate::fault::{Action, Fault};
use crate::log::RequestRecord;
use crate::server::{Bound, Server};
use state::State;

/// A running stand-in. Stops when dropped.
#[derive(Debug)]
pub struct Railway {
    shared: Arc<Shared>,
    server: Server,
}

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Who its sign-in says it is.
    issuer: String,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Railway {
    /// Starts on a free port of the loopback address.
    pub async fn start(preset: Preset) -> io::Result<Self> {
        Self::bind(SocketAddr::from(([127, 0, 0, 1], 0)), preset).await
    }

    /// Starts on this address.
    pub async fn bind(address: SocketAddr, preset: Preset) -> io::Result<Self> {
        let bound = Bound::to(address).await?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            issuer: format!("{}/oauth", bound.url()),
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

    /// Lets time pass for tokens and budgets.
    pub fn advance(&self, time: Duration) {
        self.shared.state().advance(time);
    }

    /// Adds a workspace in which the user has this role (or none), and gives its id.
    pub fn add_workspace(&self, name: &str, role: Option<Role>) -> String {
        self.shared.state().add_workspace(name, role)
    }

    /// Changes the user's role in a workspace.
    pub fn set_role(&self, workspace: &str, role: Option<Role>) {
        let mut state = self.shared.state();
        if let Some(found) = state
            .workspaces
            .iter_mut()
            .find(|found| found.id == workspace)
        {
            found.role = role;
        }
    }

    /// Adds a project and gives its id; `invited` is what the user may do in it beside what their role
    /// in the workspace allows.
    pub fn add_project(&self, workspace: &str, name: &str, invited: Option<Role>) -> String {
        self.shared.state().add_project(workspace, name, invited)
    }

    /// Adds an environment and gives its id.
    pub fn add_environment(&self, project: &str, name: &str) -> String {
        self.shared.state().add_environment(project, name)
    }

    /// Adds a service, which has not been deployed, and gives its id.
    pub fn add_service(&self, project: &str, name: &str) -> String {
        self.shared.state().add_service(project, name)
    }

    /// The id of a workspace.
    pub fn workspace(&self, name: &str) -> Option<String> {
        let state = self.shared.state();
        let found = state.workspaces.iter().find(|found| found.name == name);
        found.map(|found| found.id.clone())
    }

    /// The id of a project.
    pub fn project(&self, name: &str) -> Option<String> {
        let state = self.shared.state();
        let found = state.projects.iter().find(|found| found.name == name);
        found.map(|found| found.id.clone())
    }

    /// The id of an environment of a project.
    pub fn environment(&self, project: &str, name: &str) -> Option<String> {
        let state = self.shared.state();
        let mut environments = state.environments.iter();
        let found = environments.find(|found| found.project == project && found.name == name);
        found.map(|found| found.id.clone())
    }

    /// The id of a service of a project.
    pub fn service(&self, project: &str, name: &str) -> Option<String> {
        let state = self.shared.state();
        let found = state.services_of(project).find(|found| found.name == name);
        found.map(|found| found.id.clone())
    }

    /// Writes a variable as if somebody had done it in the dashboard.
    pub fn set_variable(&self, target: &Target, name: &str, value: &str) {
        let mut state = self.shared.state();
        let sealed = state
            .variable(target, name)
            .is_some_and(|found| found.sealed);
        state.set_variable(target, name, value, sealed);
    }

    /// Writes a sealed variable as if somebody had done it in the dashboard.
    pub fn seal_variable(&self, target: &Target, name: &str, value: &str) {
        self.shared.state().set_variable(target, name, value, true);
    }

    /// Removes a variable as if somebody had done it in the dashboard.
    pub fn remove_variable(&self, target: &Target, name: &str) {
        self.shared.state().remove_variable(target, name);
    }

    /// Every variable of a place, also those that nobody reads back.
    pub fn snapshot(&self, target: &Target) -> BTreeMap<String, Shown> {
        self.shared.state().snapshot(target)
    }

    /// Stages changes as if somebody had done it in the dashboard.
    pub fn stage(&self, environment: &str, patch: Value) {
        config::stage(&mut self.shared.state(), environment, patch, true);
    }

    /// What an environment has staged.
    pub fn staged(&self, environment: &str) -> Value {
        let state = self.shared.state();
        let found = state.environment(environment);
        found.map(|found| found.staged.clone()).unwrap_or_default()
    }

    /// The deployments that something caused after the start, in order.
    pub fn deployments(&self) -> Vec<Deployment> {
        let state = self.shared.state();
        let caused = state.deployments.iter();
        caused
            .filter(|found| found.cause != Cause::Start)
            .cloned()
            .collect()
    }

    /// Lets browsers be sent back to this address.
    pub fn add_redirect_uri(&self, uri: &str) {
        self.shared
            .state()
            .oauth
            .redirect_uris
            .insert(uri.to_owned());
    }

    /// Makes a token worthless.
    pub fn revoke(&self, token: &str) {
        self.shared.state().tokens.remove(token);
    }

    /// Ends what the user allowed an app, with all of its tokens.
    pub fn revoke_authorization(&self, client: &str) {
        oauth::revoke(&mut self.shared.state(), client);
    }

    /// Scripts a fault. Its path also finds a call by the fields that it asks for: `variableDelete`.
    pub fn fault(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// Forgets the faults that are still to come.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// How many calls were made.
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

/// The body of an answer that tells an error as Railway does: with status 200.
pub fn error_body(message: &str, code: Option<&str>) -> Value {
    let mut error = json!({ "message": message, "traceId": "simulated-trace-of-a-fault" });
    if let Some(code) = code {
        error["extensions"] = json!({ "code": code });
    }
    json!({ "errors": [error], "data": Value::Null })
}

/// This error instead of the effect.
pub fn error(message: &str, code: Option<&str>) -> Action {
    Action::json(200, &error_body(message, code))
}

/// This error after the effect.
pub fn error_after(message: &str, code: Option<&str>) -> Action {
    Action::RespondAfter {
        status: 200,
        body: error_body(message, code).to_string(),
    }
}
