//! Secrets: names and digests to read, values only to write. No write changes what runs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::Call;
use super::model::{App, time};
use super::options::{Options, VersionField, VersionParameter, Written};
use super::reply::{Outcome, Refusal, Reply, not_found, refusal};
use super::rules::{SetOne, Update, check_count, check_name, check_value, read};
use super::state::State;
use super::vault::{Secret, Seen};

/// Keys that a fault makes fail, and with what text.
pub(super) type Failing = Option<(Vec<String>, String)>;

/// `show_secrets` changes nothing: what the API is on can encrypt and not decrypt.
pub(super) fn list(state: &State, app: usize, call: &Call) -> Outcome {
    let app = &state.apps[app];
    let seen = seen(state, app, call)?;
    let secrets = seen.secrets.iter();
    let shown = secrets.map(|(name, secret)| document(app, name, secret, &state.options));
    Ok(Reply::json(
        200,
        json!({ "secrets": shown.collect::<Vec<_>>() }),
    ))
}

pub(super) fn one(state: &State, app: usize, name: &str, call: &Call) -> Outcome {
    let app = &state.apps[app];
    let seen = seen(state, app, call)?;
    let secret = seen.secrets.get(name).ok_or_else(|| not_found("secret"))?;
    Ok(Reply::json(
        200,
        document(app, name, secret, &state.options),
    ))
}

/// Sets and unsets at one moment, or refuses all of it.
pub(super) fn update(state: &mut State, app: usize, call: &Call, failing: Failing) -> Outcome {
    let Update { values } = read(call)?;
    let changes = values.ok_or_else(|| refusal(400, "values are needed"))?;
    if changes.is_empty() && state.options.refuse_no_values {
        return Err(refusal(400, "values are needed"));
    }
    let set: Vec<String> = changes
        .iter()
        .filter(|(_, value)| value.is_some())
        .map(|(name, _)| name.clone())
        .collect();
    write(state, app, changes, failing)?;
    let options = &state.options;
    let app = &state.apps[app];
    let newest = app.vault.newest();
    let secrets = newest
        .secrets
        .iter()
        .filter(|(name, _)| match options.written {
            Written::Set => set.contains(name),
            Written::All => true,
            Written::Nothing => false,
        });
    let secrets: Vec<Value> = secrets
        .map(|(name, secret)| document(app, name, secret, options))
        .collect();
    let body = json!({ "secrets": secrets });
    Ok(Reply::json(200, versioned(body, app, options)))
}

pub(super) fn set_one(
    state: &mut State,
    app: usize,
    name: &str,
    call: &Call,
    failing: Failing,
) -> Outcome {
    let SetOne { value } = read(call)?;
    let value = value.ok_or_else(|| refusal(400, "a value is needed"))?;
    let changes = BTreeMap::from([(name.to_owned(), Some(value))]);
    write(state, app, changes, failing)?;
    let app = &state.apps[app];
    let secret = app.vault.newest().secrets.get(name);
    let body = secret.map(|secret| document(app, name, secret, &state.options));
    let body = body.unwrap_or_default();
    Ok(Reply::json(201, versioned(body, app, &state.options)))
}

pub(super) fn delete(state: &mut State, app: usize, name: &str, failing: Failing) -> Outcome {
    let there = state.apps[app].vault.newest().secrets.contains_key(name);
    // UNCERTAIN: only of the write of several it is known that an unknown name is no error.
    if !there && state.options.refuse_unknown_delete {
        return Err(not_found("secret"));
    }
    let changes = BTreeMap::from([(name.to_owned(), None)]);
    write(state, app, changes, failing)?;
    let body = versioned(json!({}), &state.apps[app], &state.options);
    Ok(Reply::json(200, body))
}

fn write(
    state: &mut State,
    app: usize,
    changes: BTreeMap<String, Option<String>>,
    failing: Failing,
) -> Result<(), Refusal> {
    let options = &state.options;
    if let Some((keys, text)) = failing
        && changes.keys().any(|name| keys.contains(name))
    {
        return Err(refusal(400, text));
    }
    for (name, value) in &changes {
        let Some(value) = value else {
            continue;
        };
        check_name(name, options)?;
        check_value(name, value, options)?;
    }
    let there = state.apps[app].vault.newest().secrets.keys().cloned();
    check_count(there, &changes, options)?;
    let (lag_ms, same_value_is_new) = (options.lag_ms, options.same_value_is_new);
    let at = state.tick();
    let vault = &mut state.apps[app].vault;
    vault.write(changes, at, lag_ms, same_value_is_new);
    Ok(())
}

/// The secrets that a read sees: the newest for those who name a version, or else what has come to
/// where they read.
fn seen<'a>(state: &State, app: &'a App, call: &Call) -> Result<Seen<'a>, Refusal> {
    let options = &state.options;
    let query = |name: &str| call.query.get(name);
    let least = match options.version_parameter {
        VersionParameter::MinVersion => query("min_version"),
        VersionParameter::Version => query("version"),
        VersionParameter::Both => query("min_version").or_else(|| query("version")),
    };
    let Some(least) = least else {
        return Ok(app.vault.arrived(state.now(), options.lag_ms));
    };
    let least: u64 = least
        .parse()
        .map_err(|_| refusal(400, "the version is not a number"))?;
    let newest = app.vault.newest();
    if newest.version < least {
        return Err(ahead(options));
    }
    Ok(newest)
}

/// UNCERTAIN: the status was reported by users, for machines.
pub(super) fn ahead(options: &Options) -> Refusal {
    refusal(
        options.version_ahead_status,
        "the secrets have not reached this version",
    )
}

/// No value, whatever is asked for.
fn document(app: &App, name: &str, secret: &Secret, options: &Options) -> Value {
    json!({
        "name": name, "digest": app.vault.digest(name, &secret.value, options.digest_length),
        "created_at": time(secret.created_at), "updated_at": time(secret.updated_at),
    })
}

fn versioned(mut body: Value, app: &App, options: &Options) -> Value {
    let version = app.vault.newest().version;
    if options.version_field != VersionField::Deprecated {
        body["version"] = json!(version);
    }
    if options.version_field != VersionField::New {
        body["Version"] = json!(version);
    }
    body
}
