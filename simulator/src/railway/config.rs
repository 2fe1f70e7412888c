//! An environment's configuration as far as it is about variables, and patches of it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::model::{Cause, Target, Variable};
use super::state::State;
use super::variables::{self, Changes, Written};

/// `environment.config`. What is sealed has no value, and nothing has one unless asked for.
pub(super) fn document(state: &State, environment: &str, decrypted: bool) -> Value {
    let entry = |variable: &Variable| {
        let mut entry = Map::new();
        if variable.sealed {
            entry.insert("isSealed".to_owned(), json!(true));
        } else if decrypted {
            entry.insert("value".to_owned(), json!(variable.value));
        }
        Value::Object(entry)
    };
    let all = |target: &Target| -> Map<String, Value> {
        state
            .of(target)
            .map(|(name, variable)| (name.clone(), entry(variable)))
            .collect()
    };
    let project = state.environment(environment).map(|found| &*found.project);
    let services: Map<String, Value> = state
        .services_of(project.unwrap_or_default())
        .map(|service| {
            let variables = all(&Target::service(environment, &service.id));
            (service.id.clone(), json!({ "variables": variables }))
        })
        .collect();
    json!({ "services": services, "sharedVariables": all(&Target::shared(environment)) })
}

/// Changes with each change of the configuration.
pub(super) fn etag(state: &State, environment: &str) -> String {
    let text = document(state, environment, true).to_string();
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// What a patch does, by place.
pub(super) type Patch = BTreeMap<Target, Changes>;

/// Takes a patch apart. Of a configuration only variables are simulated.
pub(super) fn parse(state: &State, environment: &str, patch: &Value) -> Result<Patch, String> {
    let not_simulated = |what: &str| format!("The simulator does not simulate {what} of a patch");
    let Some(patch) = patch.as_object() else {
        return Err("Invalid environment config".to_owned());
    };
    let project = state.environment(environment).map(|found| &*found.project);
    let mut parsed = Patch::new();
    for (part, value) in patch {
        match part.as_str() {
            "sharedVariables" => {
                parsed.insert(Target::shared(environment), changes(value)?);
            }
            "services" => {
                for (service, config) in value.as_object().into_iter().flatten() {
                    let known = state.service(service);
                    if known.map(|found| &*found.project) != project {
                        return Err("Service not found".to_owned());
                    }
                    for (part, value) in config.as_object().into_iter().flatten() {
                        if part != "variables" {
                            return Err(not_simulated(part));
                        }
                        parsed.insert(Target::service(environment, service), changes(value)?);
                    }
                }
            }
            other => return Err(not_simulated(other)),
        }
    }
    Ok(parsed)
}

fn changes(variables: &Value) -> Result<Changes, String> {
    let invalid = || "Invalid environment config".to_owned();
    let mut changes = Changes::new();
    for (name, entry) in variables.as_object().ok_or_else(invalid)? {
        let change = match entry {
            Value::Null => None,
            entry => {
                let value = entry.get("value").and_then(Value::as_str);
                Some(Written {
                    value: value.ok_or_else(invalid)?.to_owned(),
                    seal: entry.get("isSealed") == Some(&Value::Bool(true)),
                })
            }
        };
        changes.insert(name.clone(), change);
    }
    Ok(changes)
}

/// Writes a patch, and deploys what it is about.
pub(super) fn commit(
    state: &mut State,
    environment: &str,
    patch: &Value,
    skip_deploys: bool,
) -> Result<(), String> {
    let patch = parse(state, environment, patch)?;
    for (target, changes) in &patch {
        variables::check(state, target, changes)?;
    }
    let mut affected = BTreeSet::new();
    for (target, changes) in &patch {
        affected.extend(variables::apply(state, target, changes));
    }
    if !skip_deploys {
        variables::redeploy(state, environment, &affected, Cause::Commit);
    }
    Ok(())
}

/// Adds to the environment's staged changes, or replaces them.
pub(super) fn stage(state: &mut State, environment: &str, patch: Value, merged: bool) {
    if let Some(found) = state.environment_mut(environment) {
        if merged {
            merge(&mut found.staged, patch);
        } else {
            found.staged = patch;
        }
    }
}

/// Null stays, as it is what deletes.
fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

/// Changes of one place, as a patch.
pub(super) fn patch_of(target: &Target, changes: &Changes) -> Value {
    let variables: Map<String, Value> = changes
        .iter()
        .map(|(name, change)| {
            let entry = change.as_ref().map_or(Value::Null, |written| {
                let mut entry = json!({ "value": written.value });
                if written.seal {
                    entry["isSealed"] = json!(true);
                }
                entry
            });
            (name.clone(), entry)
        })
        .collect();
    match &target.service {
        None => json!({ "sharedVariables": variables }),
        Some(service) => {
            let mut services = Map::new();
            services.insert(service.clone(), json!({ "variables": variables }));
            json!({ "services": services })
        }
    }
}

/// A patch without its values.
pub(super) fn masked(patch: &Value) -> Value {
    match patch {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, value)| !(name.as_str() == "value" && value.is_string()))
            .map(|(name, value)| (name.clone(), masked(value)))
            .collect(),
        other => other.clone(),
    }
}
