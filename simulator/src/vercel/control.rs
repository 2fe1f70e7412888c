//! The stand-in's own calls, under `/_simulator/`: not counted, for tests that run it as a process.

use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

use super::Shared;
use super::model::EnvSeed;
use crate::clock::now_ms;
use crate::fault::Fault;

type Handle = Extract<Arc<Shared>>;

pub(super) fn routes() -> axum::Router<Arc<Shared>> {
    axum::Router::new()
        .route("/_simulator/state", get(state))
        .route("/_simulator/requests", get(requests).delete(forget))
        .route("/_simulator/faults", post(fault).delete(heal))
        .route("/_simulator/projects", post(project))
        .route("/_simulator/env", post(env))
        .route("/_simulator/settings", post(settings))
        .route("/_simulator/uninstall", post(uninstall))
}

/// Every value of every project, in clear.
async fn state(shared: Handle) -> Json<Value> {
    let state = shared.state();
    let projects: Vec<Value> = state
        .projects
        .iter()
        .map(|project| {
            let values: Vec<Value> = state
                .snapshot(&project.id)
                .into_iter()
                .map(|(place, shown)| {
                    json!({ "key": place.key, "scope": place.scope, "branch": place.branch,
                        "value": shown.value, "type": shown.kind })
                })
                .collect();
            json!({ "id": project.id, "name": project.name, "values": values })
        })
        .collect();
    Json(json!({ "projects": projects }))
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
    /// Of this team instead of the user.
    team: Option<String>,
    /// Slugs of its custom environments.
    #[serde(default)]
    custom_environments: Vec<String>,
}

async fn project(shared: Handle, Json(new): Json<NewProject>) -> Json<Value> {
    let mut state = shared.state();
    let id = state.add_project(&new.name, new.team.as_deref());
    let custom: Vec<String> = new
        .custom_environments
        .iter()
        .map(|slug| state.add_custom_environment(&id, slug))
        .collect();
    Json(json!({ "id": id, "customEnvironmentIds": custom }))
}

#[derive(Deserialize)]
struct NewEnv {
    project: String,
    #[serde(flatten)]
    seed: EnvSeed,
}

async fn env(shared: Handle, Json(new): Json<NewEnv>) -> Json<Value> {
    let at = shared.clock.tick();
    let id = shared.state().add_env(&new.project, &new.seed, at);
    Json(json!({ "id": id }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    latency_ms: Option<u64>,
    page_size: Option<usize>,
    max_batch: Option<usize>,
    budgets: Option<std::collections::BTreeMap<String, u32>>,
    window_ms: Option<u64>,
    callback: Option<String>,
    hide_production: Option<bool>,
}

async fn settings(shared: Handle, Json(new): Json<Settings>) -> Json<Value> {
    let mut state = shared.state();
    if let Some(latency) = new.latency_ms {
        state.options.latency = Duration::from_millis(latency);
    }
    if let Some(size) = new.page_size {
        state.options.page_size = Some(size);
    }
    if let Some(size) = new.max_batch {
        state.options.max_batch = size;
    }
    if let Some(budgets) = new.budgets {
        state.options.budgets = budgets;
    }
    if let Some(window) = new.window_ms {
        state.options.window = Duration::from_millis(window);
    }
    if let Some(hide) = new.hide_production {
        state.options.hide_production = hide;
    }
    if let Some(callback) = new.callback {
        state.callback = Some(callback);
    }
    Json(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Uninstall {
    /// `icfg_…`
    installation: String,
    /// Id of the event that tells of it.
    event: String,
}

/// Removes an installation, and gives the call that Vercel makes then: body and `x-vercel-signature`.
async fn uninstall(shared: Handle, Json(what): Json<Uninstall>) -> Json<Value> {
    shared.state().uninstall(&what.installation);
    let at = i64::try_from(now_ms()).unwrap_or(i64::MAX);
    let event = super::hooks::removed(&what.event, &what.installation, at);
    Json(json!({ "body": event.body, "signature": event.signature }))
}
