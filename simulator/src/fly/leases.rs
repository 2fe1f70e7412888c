//! Leases of machines: who holds one is the only one to change the machine until it ends.
//!
//! UNCERTAIN: they are not in the part of the description that we have, but for the header; what they
//! look like is an option.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::machines::index;
use super::model::{Lease, Machine, Token};
use super::options::LeaseForm;
use super::reply::{Outcome, Refusal, Reply, not_found, refusal};
use super::rules::read;
use super::state::State;

/// How long a lease lasts when it is not said.
const TTL_SECS: u64 = 30;

/// The body of a new lease.
#[derive(Debug, Default, Deserialize)]
struct New {
    ttl: Option<u64>,
    description: Option<String>,
}

/// Whether a call may change a machine.
pub(super) fn check(
    state: &State,
    machine: &Machine,
    call: &Call,
    now: u64,
) -> Result<(), Refusal> {
    let nonce = call.nonce.as_deref();
    match machine.lease_at(now) {
        Some(lease) if nonce == Some(&lease.nonce) => Ok(()),
        Some(lease) => Err(held(lease)),
        None if nonce.is_some() && state.options.refuse_stale_nonce => {
            Err(refusal(409, "the lease is over"))
        }
        None => Ok(()),
    }
}

fn held(lease: &Lease) -> Refusal {
    refusal(409, format!("lease currently held by {}", lease.owner))
}

/// Whom a lease names as its holder.
pub(super) fn owner(tokens: &[Token]) -> String {
    let user = tokens.iter().find_map(|token| token.grant.user.clone());
    let id = || tokens.first().map(|token| token.id.clone());
    user.or_else(id).unwrap_or_default()
}

pub(super) fn one(state: &State, app: usize, id: &str) -> Outcome {
    let app = &state.apps[app];
    let machine = &app.machines[index(app, id)?];
    let lease = machine.lease_at(state.now());
    let lease = lease.ok_or_else(|| not_found("lease"))?;
    let form = state.options.lease_form;
    Ok(Reply::json(200, document(lease, machine, form)))
}

/// Takes a lease, or makes the one that the caller holds last longer.
pub(super) fn take(
    state: &mut State,
    app: usize,
    id: &str,
    call: &Call,
    tokens: &[Token],
) -> Outcome {
    let now = state.now();
    let position = index(&state.apps[app], id)?;
    check(state, &state.apps[app].machines[position], call, now)?;
    let sent: New = if call.body.is_empty() {
        New::default()
    } else {
        read(call)?
    };
    let serial = state.serial();
    let form = state.options.lease_form;
    let machine = &mut state.apps[app].machines[position];
    let nonce = machine.lease_at(now).map(|lease| lease.nonce.clone());
    let lease = Lease {
        nonce: nonce.unwrap_or_else(|| format!("simulatednonce{serial:04}")),
        owner: owner(tokens),
        description: sent.description,
        expires_at: now + sent.ttl.unwrap_or(TTL_SECS) * 1_000,
    };
    let shown = document(&lease, machine, form);
    machine.lease = Some(lease);
    Ok(Reply::json(200, shown))
}

pub(super) fn release(state: &mut State, app: usize, id: &str, call: &Call) -> Outcome {
    let now = state.now();
    let position = index(&state.apps[app], id)?;
    let machine = &mut state.apps[app].machines[position];
    let lease = machine.lease_at(now).ok_or_else(|| not_found("lease"))?;
    if call.nonce.as_ref() != Some(&lease.nonce) {
        return Err(held(lease));
    }
    machine.lease = None;
    Ok(Reply::json(200, json!({ "ok": true })))
}

fn document(lease: &Lease, machine: &Machine, form: LeaseForm) -> Value {
    let data = json!({
        "nonce": lease.nonce, "expires_at": lease.expires_at / 1_000, "owner": lease.owner,
        "description": lease.description, "version": machine.instance_id,
    });
    match form {
        LeaseForm::Wrapped => json!({ "status": "success", "data": data }),
        LeaseForm::Bare => data,
    }
}
