//! The stand-in's own calls, under `/_simulator/`: not counted, for tests that run it as a process.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::model::{EnvSeed, Repository};
use super::presets::{ACCOUNT, USER};
use super::state::State;
use crate::fault::Fault;

type Handle = Extract<Arc<Shared>>;

pub(super) fn routes() -> axum::Router<Arc<Shared>> {
    axum::Router::new()
        .route("/_simulator/state", get(state))
        .route("/_simulator/requests", get(requests).delete(forget))
        .route("/_simulator/faults", post(fault).delete(heal))
        .route("/_simulator/sites", post(site))
        .route("/_simulator/env", post(env))
        .route("/_simulator/settings", get(shown).post(settings))
        .route("/_simulator/time", post(time))
}

/// Every value of every team and site, in clear.
async fn state(shared: Handle) -> Json<Value> {
    let state = shared.state();
    let values = |id: &str| -> Vec<Value> {
        state
            .snapshot(id)
            .into_iter()
            .map(|(place, shown)| {
                json!({ "key": place.key, "context": place.context, "value": shown.value,
                    "isSecret": shown.is_secret, "scopes": shown.scopes })
            })
            .collect()
    };
    let accounts: Vec<Value> = state
        .accounts
        .iter()
        .map(|account| {
            json!({ "id": account.id, "slug": account.slug, "values": values(&account.id) })
        })
        .collect();
    let sites: Vec<Value> = state
        .sites
        .iter()
        .map(|site| {
            json!({ "id": site.id, "name": site.name, "account": site.account,
                "builds": site.builds.len(), "values": values(&site.id) })
        })
        .collect();
    Json(json!({ "accounts": accounts, "sites": sites }))
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
struct NewSite {
    name: String,
    /// Id of its team, instead of the first.
    account: Option<String>,
    repository: Option<Repository>,
    framework: Option<String>,
}

async fn site(shared: Handle, Json(new): Json<NewSite>) -> Json<Value> {
    let account = new.account.as_deref().unwrap_or(ACCOUNT);
    let framework = new.framework.as_deref();
    let id = shared
        .state()
        .add_site(&new.name, account, new.repository, framework);
    Json(json!({ "id": id }))
}

#[derive(Deserialize)]
struct NewEnv {
    /// Id of a site or of a team.
    holder: String,
    #[serde(flatten)]
    seed: EnvSeed,
}

async fn env(shared: Handle, Json(new): Json<NewEnv>) -> Result<Json<Value>, StatusCode> {
    let there = shared.state().put_env(&new.holder, &new.seed, USER);
    there.then(|| Json(json!({}))).ok_or(StatusCode::NOT_FOUND)
}

/// Everything that can be set.
async fn shown(shared: Handle) -> Json<Value> {
    let state = shared.state();
    let mut shown = json!(state.options);
    shown["callback"] = json!(state.callback);
    Json(shown)
}

/// Changes what is named, and leaves the rest.
async fn settings(
    shared: Handle,
    Json(new): Json<serde_json::Map<String, Value>>,
) -> Result<Json<Value>, (StatusCode, String)> {
    change(&mut shared.state(), new)
        .map(|()| Json(json!({})))
        .map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}

fn change(state: &mut State, mut new: serde_json::Map<String, Value>) -> serde_json::Result<()> {
    let callback = new.remove("callback");
    let mut options = json!(state.options);
    for (name, value) in new {
        options[name] = value;
    }
    let options = serde_json::from_value(options)?;
    if let Some(callback) = callback {
        state.callback = serde_json::from_value(callback)?;
    }
    state.options = options;
    Ok(())
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
