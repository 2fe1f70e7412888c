//! The stand-in's own calls, under `/_simulator/`: not counted, for tests that run it as a process.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::model::Target;
use crate::fault::Fault;

type Handle = Extract<Arc<Shared>>;

pub(super) fn routes() -> axum::Router<Arc<Shared>> {
    axum::Router::new()
        .route("/_simulator/state", get(state))
        .route("/_simulator/requests", get(requests).delete(forget))
        .route("/_simulator/faults", post(fault).delete(heal))
        .route("/_simulator/projects", post(project))
        .route("/_simulator/variables", post(variable))
        .route("/_simulator/callbacks", post(callback))
        .route("/_simulator/clock", post(clock))
        .route("/_simulator/settings", get(settings).post(set))
}

/// Every value of every place, in clear, and every deployment.
async fn state(shared: Handle) -> Json<Value> {
    let state = shared.state();
    let projects: Vec<Value> = state
        .projects
        .iter()
        .map(|project| {
            let services: Map<String, Value> = state
                .services_of(&project.id)
                .map(|service| (service.id.clone(), json!(service.name)))
                .collect();
            let environments = state.environments.iter();
            let environments: Map<String, Value> = environments
                .filter(|environment| environment.project == project.id)
                .map(|environment| (environment.id.clone(), json!(environment.name)))
                .collect();
            json!({ "id": project.id, "name": project.name, "services": services,
                "environments": environments })
        })
        .collect();
    let variables: Vec<Value> = state
        .variables
        .keys()
        .map(|target| {
            json!({ "environment": target.environment, "service": target.service,
                "variables": state.snapshot(target) })
        })
        .collect();
    Json(json!({ "projects": projects, "variables": variables,
        "deployments": state.deployments }))
}

async fn requests(shared: Handle) -> Json<Value> {
    Json(json!({ "requests": shared.state().log.records() }))
}

async fn forget(shared: Handle) -> Json<Value> {
    shared.state().log.clear();
    Json(json!({}))
}

async fn fault(shared: Handle, Json(fault): Json<Fault>) -> Json<Value> {
    shared.state().faults.push(fault);
    Json(json!({}))
}

async fn heal(shared: Handle) -> Json<Value> {
    shared.state().faults.clear();
    Json(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewProject {
    name: String,
    /// The workspace's id; the first without.
    workspace: Option<String>,
    /// Names of its environments.
    #[serde(default)]
    environments: Vec<String>,
    /// Names of its services.
    #[serde(default)]
    services: Vec<String>,
}

async fn project(shared: Handle, Json(new): Json<NewProject>) -> Json<Value> {
    let mut state = shared.state();
    let first = state.workspaces.first().map(|found| found.id.clone());
    let workspace = new.workspace.or(first).unwrap_or_default();
    let id = state.add_project(&workspace, &new.name, None);
    let mut ids = Vec::new();
    for name in &new.environments {
        ids.push(state.add_environment(&id, name));
    }
    let mut services = Vec::new();
    for name in &new.services {
        services.push(state.add_service(&id, name));
    }
    Json(json!({ "id": id, "environmentIds": ids, "serviceIds": services }))
}

#[derive(Deserialize)]
struct NewVariable {
    #[serde(flatten)]
    target: Target,
    name: String,
    /// Without one, the variable is removed.
    value: Option<String>,
    #[serde(default)]
    sealed: bool,
}

async fn variable(shared: Handle, Json(new): Json<NewVariable>) -> Json<Value> {
    let mut state = shared.state();
    match new.value {
        Some(value) => state.set_variable(&new.target, &new.name, &value, new.sealed),
        None => {
            state.remove_variable(&new.target, &new.name);
        }
    }
    Json(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Callback {
    redirect_uri: String,
}

async fn callback(shared: Handle, Json(new): Json<Callback>) -> Json<Value> {
    shared.state().oauth.redirect_uris.insert(new.redirect_uri);
    Json(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Clock {
    advance_ms: u64,
}

async fn clock(shared: Handle, Json(clock): Json<Clock>) -> Json<Value> {
    shared
        .state()
        .advance(Duration::from_millis(clock.advance_ms));
    Json(json!({}))
}

async fn settings(shared: Handle) -> Json<Value> {
    Json(json!(shared.state().options))
}

/// Changes the options that are named, and leaves the others.
async fn set(shared: Handle, Json(new): Json<Map<String, Value>>) -> (StatusCode, Json<Value>) {
    let mut state = shared.state();
    let mut options = json!(state.options);
    for (name, value) in new {
        options[name] = value;
    }
    match serde_json::from_value(options) {
        Ok(options) => {
            state.options = options;
            (StatusCode::OK, Json(json!({})))
        }
        Err(error) => {
            let body = json!({ "error": error.to_string() });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body))
        }
    }
}
