//! Machines: list, read, update, start, stop, restart, wait. An update gives a machine the newest
//! secrets that have reached it, and its whole config anew.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::leases;
use super::model::{App, Lease, Machine, Token};
use super::reply::{Outcome, Refusal, Reply, not_found, refusal};
use super::rules::read;
use super::secrets::ahead;
use super::state::State;

pub(super) fn index(app: &App, id: &str) -> Result<usize, Refusal> {
    let found = app.machines.iter().position(|machine| machine.id == id);
    found.ok_or_else(|| not_found("machine"))
}

pub(super) fn list(state: &State, app: usize, call: &Call) -> Reply {
    let now = state.now();
    let is_on = |name: &str| call.query.get(name).is_some_and(|value| value == "true");
    let (deleted, summary) = (is_on("include_deleted"), is_on("summary"));
    let region = call.query.get("region");
    let states = call.query.get("state");
    let machines = state.apps[app].machines.iter().filter(|machine| {
        let shown = machine.state_at(now);
        let wanted = states.map_or(deleted || shown != "destroyed", |states| {
            states.split(',').any(|state| state.trim() == shown)
        });
        wanted && region.is_none_or(|region| machine.region == *region)
    });
    let shown = machines.map(|machine| machine.document(now, !summary));
    Reply::json(200, shown.collect())
}

pub(super) fn one(state: &State, app: usize, id: &str) -> Outcome {
    let app = &state.apps[app];
    let machine = &app.machines[index(app, id)?];
    Ok(Reply::json(200, machine.document(state.now(), true)))
}

/// The body of an update.
#[derive(Debug, Deserialize)]
struct Update {
    config: Option<Value>,
    current_version: Option<String>,
    lease_ttl: Option<u64>,
    min_secrets_version: Option<u64>,
    name: Option<String>,
    region: Option<String>,
    skip_launch: Option<bool>,
    skip_secrets: Option<bool>,
}

pub(super) fn update(
    state: &mut State,
    app: usize,
    id: &str,
    call: &Call,
    tokens: &[Token],
) -> Outcome {
    let now = state.now();
    let position = index(&state.apps[app], id)?;
    leases::check(state, &state.apps[app].machines[position], call, now)?;
    let sent: Update = read(call)?;
    let config = sent.config.filter(|config| config["image"].is_string());
    let config = config.ok_or_else(|| refusal(400, "a config with an image is needed"))?;
    let (instance_id, serial, at) = (state.instance_id(), state.serial(), state.tick());
    let options = &state.options;
    let App {
        vault, machines, ..
    } = &mut state.apps[app];
    let machine = &mut machines[position];
    // UNCERTAIN: the status.
    let expected = sent.current_version.as_ref();
    if expected.is_some_and(|version| *version != machine.instance_id) {
        return Err(refusal(412, "the machine has another version"));
    }
    if sent.region.is_some_and(|region| region != machine.region) {
        return Err(refusal(400, "a machine stays in its region"));
    }
    let arrived = vault.arrived(now, options.lag_ms);
    if sent.min_secrets_version > Some(arrived.version) {
        return Err(ahead(options));
    }
    // UNCERTAIN: that `skip_secrets` leaves a machine with those that it has.
    if !sent.skip_secrets.unwrap_or_default() {
        machine.secrets_version = arrived.version;
        machine.secrets = arrived.values();
    }
    machine.config = config;
    machine.instance_id = instance_id;
    machine.updated_at = at;
    machine.name = sent.name.unwrap_or_else(|| machine.name.clone());
    // An update starts what was stopped, unless it is told not to.
    if sent.skip_launch.unwrap_or_default() {
        "stopped".clone_into(&mut machine.state);
    } else {
        launch(machine, now + options.start_ms);
    }
    let mut shown = machine.document(now, true);
    if let Some(ttl) = sent.lease_ttl {
        let nonce = format!("simulatednonce{serial:04}");
        shown["nonce"] = json!(nonce);
        machine.lease = Some(Lease {
            nonce,
            owner: leases::owner(tokens),
            description: None,
            expires_at: now + ttl * 1_000,
        });
    }
    Ok(Reply::json(200, shown))
}

fn launch(machine: &mut Machine, started_at: u64) {
    "started".clone_into(&mut machine.state);
    machine.started_at = started_at;
}

/// Start, stop or restart. UNCERTAIN: none of them is in the part of the description that we have.
pub(super) fn act(state: &mut State, app: usize, id: &str, call: &Call, action: &str) -> Outcome {
    let now = state.now();
    let position = index(&state.apps[app], id)?;
    leases::check(state, &state.apps[app].machines[position], call, now)?;
    let options = &state.options;
    let App {
        vault, machines, ..
    } = &mut state.apps[app];
    let machine = &mut machines[position];
    let takes_secrets = match action {
        "start" => true,
        "restart" => options.restart_takes_secrets,
        _ => false,
    };
    if action == "stop" {
        "stopped".clone_into(&mut machine.state);
    } else if action == "restart" || machine.state != "started" {
        launch(machine, now + options.start_ms);
        if takes_secrets {
            let arrived = vault.arrived(now, options.lag_ms);
            machine.secrets_version = arrived.version;
            machine.secrets = arrived.values();
        }
    }
    Ok(Reply::json(200, json!({ "ok": true })))
}

/// Whether a machine is in a state by now: who gets 408 asks again. UNCERTAIN: it is not in the part
/// of the description that we have, and the service takes its time to say so.
pub(super) fn wait(state: &State, app: usize, id: &str, call: &Call) -> Outcome {
    let app = &state.apps[app];
    let machine = &app.machines[index(app, id)?];
    let wanted = call.query.get("state").map_or("started", String::as_str);
    let version = call.query.get("instance_id");
    let reached = machine.state_at(state.now()) == wanted
        && version.is_none_or(|version| *version == machine.instance_id);
    if reached {
        Ok(Reply::json(200, json!({ "ok": true })))
    } else {
        Err(refusal(408, "the machine has not reached this state"))
    }
}
