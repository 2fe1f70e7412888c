//! Reads, references and writes of variables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::model::{Cause, Target, Variable};
use super::state::State;

/// How deep references may lead.
const DEPTH: usize = 16;

/// What Railway gives to each service, in an environment.
fn provided(state: &State, target: &Target) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let Some(environment) = state.environment(&target.environment) else {
        return values;
    };
    let mut add = |name: &str, value: &str| values.insert(name.to_owned(), value.to_owned());
    let project = state.project(&environment.project);
    add("RAILWAY_PROJECT_ID", &environment.project);
    add(
        "RAILWAY_PROJECT_NAME",
        project.map_or("", |found| &found.name),
    );
    add("RAILWAY_ENVIRONMENT_ID", &environment.id);
    add("RAILWAY_ENVIRONMENT_NAME", &environment.name);
    if let Some(service) = target.service.as_deref().and_then(|id| state.service(id)) {
        let host = service.name.to_lowercase();
        add("RAILWAY_SERVICE_ID", &service.id);
        add("RAILWAY_SERVICE_NAME", &service.name);
        add(
            "RAILWAY_PRIVATE_DOMAIN",
            &format!("{host}.railway.internal"),
        );
    }
    values
}

/// What stands between `${{` and `}}`, in a value.
pub(super) fn references(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once("${{") {
        let Some((inside, after)) = after.split_once("}}") else {
            break;
        };
        found.push(inside.trim().to_owned());
        rest = after;
    }
    found
}

/// A value with its references followed.
fn render(state: &State, target: &Target, value: &str, depth: usize) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${{") {
        let Some((inside, after)) = after.split_once("}}") else {
            break;
        };
        text.push_str(before);
        match resolve(state, target, inside.trim(), depth) {
            Some(value) => text.push_str(&value),
            None if state.options.keeps_unresolved => {
                text.push_str("${{");
                text.push_str(inside);
                text.push_str("}}");
            }
            None => {}
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// `KEY` of the same place, `shared.KEY`, or `Service.KEY`.
fn resolve(state: &State, target: &Target, reference: &str, depth: usize) -> Option<String> {
    if depth == DEPTH {
        return None;
    }
    let (place, name) = match reference.split_once('.') {
        None => (target.clone(), reference),
        Some(("shared", name)) => (Target::shared(&target.environment), name),
        Some((service, name)) => {
            let project = &state.environment(&target.environment)?.project;
            let service = state
                .services_of(project)
                .find(|found| found.name == service)?;
            (Target::service(&target.environment, &service.id), name)
        }
    };
    match state.variable(&place, name) {
        // It reaches builds and deployments, and no answer.
        Some(variable) if variable.sealed => None,
        Some(variable) => Some(render(state, &place, &variable.value, depth + 1)),
        None => provided(state, &place).remove(name),
    }
}

/// What `variables` answers.
pub(super) fn read(state: &State, target: &Target, rendered: bool) -> Value {
    let mut values = Map::new();
    if rendered && state.options.provided && target.service.is_some() {
        for (name, value) in provided(state, target) {
            values.insert(name, json!(value));
        }
    }
    for (name, variable) in state.of(target) {
        let value = if variable.sealed {
            if !state.options.sealed_as_null {
                continue;
            }
            Value::Null
        } else if rendered {
            json!(render(state, target, &variable.value, 0))
        } else {
            json!(variable.value)
        };
        values.insert(name.clone(), value);
    }
    Value::Object(values)
}

/// What `variablesForServiceDeployment` answers.
pub(super) fn for_deployment(state: &State, target: &Target) -> Value {
    let mut values = Map::new();
    if state.options.deployment_has_shared {
        let shared = read(state, &Target::shared(&target.environment), true);
        values.extend(shared.as_object().cloned().unwrap_or_default());
    }
    let own = read(state, target, true);
    values.extend(own.as_object().cloned().unwrap_or_default());
    Value::Object(values)
}

/// A write of some variables of a place: a value, or none to delete.
pub(super) type Changes = BTreeMap<String, Option<Written>>;

/// A value that is written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) value: String,
    /// Sealed by this write; else what was sealed is as the options have it.
    pub(super) seal: bool,
}

/// Whether the limits allow a write.
pub(super) fn check(state: &State, target: &Target, changes: &Changes) -> Result<(), String> {
    let written = changes.values().flatten();
    for Written { value, .. } in written {
        if state
            .options
            .max_value_bytes
            .is_some_and(|max| value.len() > max)
        {
            return Err("Variable value is too long".to_owned());
        }
    }
    let mut names: BTreeSet<&String> = state.of(target).map(|(name, _)| name).collect();
    for (name, change) in changes {
        match change {
            Some(_) => names.insert(name),
            None => names.remove(name),
        };
    }
    if state
        .options
        .max_variables
        .is_some_and(|max| names.len() > max)
    {
        return Err("Too many variables".to_owned());
    }
    if names.iter().any(|name| name.is_empty()) {
        return Err("Variable name is required".to_owned());
    }
    Ok(())
}

/// Writes, and gives the services that what was written is for.
pub(super) fn apply(state: &mut State, target: &Target, changes: &Changes) -> BTreeSet<String> {
    let affected = match &target.service {
        Some(service) => [service.clone()].into(),
        None => users_of_shared(state, &target.environment, changes),
    };
    for (name, change) in changes {
        match change {
            None => {
                state.remove_variable(target, name);
            }
            Some(written) => {
                let was = state
                    .variable(target, name)
                    .is_some_and(|found| found.sealed);
                let sealed = written.seal || (was && state.options.upsert_keeps_seal);
                state.set_variable(target, name, &written.value, sealed);
            }
        }
    }
    affected
}

/// A shared variable is for the services that refer to it.
fn users_of_shared(state: &State, environment: &str, changes: &Changes) -> BTreeSet<String> {
    let refers = |variable: &Variable| {
        references(&variable.value).iter().any(|reference| {
            reference
                .strip_prefix("shared.")
                .is_some_and(|name| changes.contains_key(name))
        })
    };
    state
        .variables
        .iter()
        .filter(|(target, _)| target.environment == environment)
        .filter(|(_, variables)| variables.values().any(refers))
        .filter_map(|(target, _)| target.service.clone())
        .collect()
}

/// Deploys services again. One that was never deployed has nothing to deploy.
pub(super) fn redeploy(
    state: &mut State,
    environment: &str,
    services: &BTreeSet<String>,
    cause: Cause,
) {
    for service in services {
        if state.deployed(environment, service).is_some() {
            state.deploy(environment, service, cause);
        }
    }
}
