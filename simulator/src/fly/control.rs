//! The stand-in's own calls, under `/_simulator/`: not counted, for tests that run it as a process.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::model::MachineSeed;
use super::presets::ORGANIZATION;
use super::state::State;
use crate::fault::Fault;

type Handle = Extract<Arc<Shared>>;

pub(super) fn routes() -> axum::Router<Arc<Shared>> {
    axum::Router::new()
        .route("/_simulator/state", get(state))
        .route("/_simulator/requests", get(requests).delete(forget))
        .route("/_simulator/faults", post(fault).delete(heal))
        .route("/_simulator/apps", post(app))
        .route("/_simulator/machines", post(machine))
        .route("/_simulator/secrets", post(secret))
        .route("/_simulator/rollouts", post(rollout))
        .route("/_simulator/settings", get(shown).post(settings))
        .route("/_simulator/time", post(time))
}

/// Every secret, staged and running, in clear.
async fn state(shared: Handle) -> Json<Value> {
    let state = shared.state();
    let apps: Vec<Value> = state.apps.iter().map(|app| of_app(&state, app)).collect();
    Json(json!({ "apps": apps }))
}

fn of_app(state: &State, app: &super::model::App) -> Value {
    let now = state.now();
    let machines = app.machines.iter().map(|machine| {
        let running = machine.running(now);
        json!({ "id": machine.id, "name": machine.name, "region": machine.region,
            "running": running })
    });
    json!({
        "id": app.id, "name": app.name, "organization": app.organization,
        "secretsVersion": app.vault.newest().version, "secrets": state.snapshot(&app.name),
        "machines": machines.collect::<Vec<_>>(),
    })
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
struct NewApp {
    name: String,
    /// Slug of its organization, instead of the first.
    organization: Option<String>,
}

async fn app(shared: Handle, Json(new): Json<NewApp>) -> Json<Value> {
    let organization = new.organization.as_deref().unwrap_or(ORGANIZATION);
    let id = shared.state().add_app(&new.name, organization);
    Json(json!({ "id": id }))
}

fn done(there: bool) -> Result<Json<Value>, StatusCode> {
    there.then(|| Json(json!({}))).ok_or(StatusCode::NOT_FOUND)
}

#[derive(Deserialize)]
struct NewMachine {
    /// Name of its app.
    app: String,
    #[serde(flatten)]
    seed: MachineSeed,
}

async fn machine(shared: Handle, Json(new): Json<NewMachine>) -> Result<Json<Value>, StatusCode> {
    let id = shared.state().add_machine(&new.app, &new.seed);
    id.map(|id| Json(json!({ "id": id })))
        .ok_or(StatusCode::NOT_FOUND)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSecret {
    /// Name of its app.
    app: String,
    name: String,
    /// None: it goes.
    value: Option<String>,
}

async fn secret(shared: Handle, Json(new): Json<NewSecret>) -> Result<Json<Value>, StatusCode> {
    let value = new.value.as_deref();
    done(shared.state().put_secret(&new.app, &new.name, value))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rollout {
    /// Name of the app.
    app: String,
}

async fn rollout(shared: Handle, Json(new): Json<Rollout>) -> Result<Json<Value>, StatusCode> {
    done(shared.state().roll_out(&new.app))
}

/// Everything that can be set.
async fn shown(shared: Handle) -> Json<Value> {
    Json(json!(shared.state().options))
}

/// Changes what is named, and leaves the rest.
async fn settings(
    shared: Handle,
    Json(new): Json<Map<String, Value>>,
) -> Result<Json<Value>, (StatusCode, String)> {
    let mut state = shared.state();
    let mut options = json!(state.options);
    for (name, value) in new {
        options[name] = value;
    }
    state.options = serde_json::from_value(options)
        .map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ahead {
    advance_ms: u64,
}

async fn time(shared: Handle, Json(ahead): Json<Ahead>) -> Json<Value> {
    shared.state().ahead_ms += ahead.advance_ms;
    Json(json!({}))
}
