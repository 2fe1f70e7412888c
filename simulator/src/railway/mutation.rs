//! What can be changed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::config;
use super::graphql::{FieldResult, Found, NOT_VARIABLES, Node, Session, leaf, not_simulated};
use super::model::{Cause, Role, Target};
use super::query::View;
use super::state::State;
use super::variables::{self, Changes, Written};

pub(super) fn field(session: &Session<'_>, name: &str, arguments: &Value) -> FieldResult {
    let mut state = session.state.borrow_mut();
    let state: &mut State = &mut state;
    let token = session.token.as_ref();
    let input = &arguments["input"];
    let text = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
    match name {
        "variableCollectionUpsert" => {
            let target = View::new(state, token)?.target(input, Role::Member)?;
            let mut changes = collection(&input["variables"])?;
            if input["replace"] == true {
                for (name, _) in state.of(&target) {
                    changes.entry(name.clone()).or_insert(None);
                }
            }
            write(state, &target, &changes, input["skipDeploys"] == true)
        }
        "variableUpsert" => {
            let target = View::new(state, token)?.target(input, Role::Member)?;
            let changes = [(named(input), written(&input["value"]))].into();
            write(state, &target, &changes, input["skipDeploys"] == true)
        }
        "variableDelete" => {
            let target = View::new(state, token)?.target(input, Role::Member)?;
            delete(state, &target, &named(input))
        }
        "sharedVariableConfigure" => {
            let target = View::new(state, token)?.target(input, Role::Member)?;
            configure_shared(state, &target, input)
        }
        "environmentStageChanges" => {
            let environment = text("environmentId");
            may_change(&View::new(state, token)?, &environment)?;
            config::parse(state, &environment, input)?;
            config::stage(
                state,
                &environment,
                input.clone(),
                arguments["merge"] == true,
            );
            Ok(Found::Node(Node::EnvironmentPatch(environment)))
        }
        "environmentPatchCommitStaged" => {
            let environment = text("environmentId");
            may_change(&View::new(state, token)?, &environment)?;
            let staged = state
                .environment(&environment)
                .map(|found| found.staged.clone());
            let skip = arguments["skipDeploys"] == true;
            config::commit(state, &environment, &staged.unwrap_or_default(), skip)?;
            config::stage(state, &environment, serde_json::json!({}), false);
            leaf(state.id())
        }
        "environmentPatchCommit" => {
            let environment = text("environmentId");
            may_change(&View::new(state, token)?, &environment)?;
            let skip = arguments["skipDeploys"] == true;
            config::commit(state, &environment, &arguments["patch"], skip)?;
            leaf(state.id())
        }
        "serviceInstanceRedeploy" | "serviceInstanceDeploy" | "serviceInstanceDeployV2" => {
            let (environment, service) = (text("environmentId"), text("serviceId"));
            let view = View::new(state, token)?;
            may_change(&view, &environment)?;
            view.instance(&environment, &service)?;
            let again = name == "serviceInstanceRedeploy";
            let never = state.deployed(&environment, &service).is_none();
            if again && never && state.options.redeploy_needs_deployment {
                return Err("ServiceInstance not found".to_owned());
            }
            let id = state.deploy(&environment, &service, Cause::Redeploy);
            if name == "serviceInstanceDeployV2" {
                leaf(id)
            } else {
                leaf(true)
            }
        }
        "deploymentRedeploy" => {
            let known = state
                .deployments
                .iter()
                .find(|found| found.id == text("id"));
            let known = known.map(|found| (found.environment.clone(), found.service.clone()));
            let view = View::new(state, token)?;
            let Some((environment, service)) = known else {
                return Err("Deployment not found".to_owned());
            };
            may_change(&view, &environment)?;
            let id = state.deploy(&environment, &service, Cause::Redeploy);
            Ok(Found::Node(Node::Deployment(id)))
        }
        other => not_simulated(other),
    }
}

fn may_change(view: &View<'_>, environment: &str) -> Result<(), String> {
    view.environment(environment, None)?;
    view.variables_of(environment, Role::Member)
}

fn named(input: &Value) -> String {
    input["name"].as_str().unwrap_or_default().to_owned()
}

fn written(value: &Value) -> Option<Written> {
    value.as_str().map(|value| Written {
        value: value.to_owned(),
        seal: false,
    })
}

/// Texts by name: a null is not a deletion.
fn collection(variables: &Value) -> Result<Changes, String> {
    let invalid = || NOT_VARIABLES.to_owned();
    let variables = variables.as_object().ok_or_else(invalid)?;
    let written = variables.iter().map(|(name, value)| match written(value) {
        Some(written) => Ok((name.clone(), Some(written))),
        None => Err(invalid()),
    });
    written.collect()
}

fn write(state: &mut State, target: &Target, changes: &Changes, skip_deploys: bool) -> FieldResult {
    variables::check(state, target, changes)?;
    if state.options.stages_upserts {
        let patch = config::patch_of(target, changes);
        config::stage(state, &target.environment, patch, true);
        return leaf(true);
    }
    let affected = variables::apply(state, target, changes);
    if !skip_deploys {
        variables::redeploy(state, &target.environment, &affected, Cause::Upsert);
    }
    leaf(true)
}

fn delete(state: &mut State, target: &Target, name: &str) -> FieldResult {
    let absent = state.variable(target, name).is_none();
    if absent && state.options.delete_absent_fails {
        return Err("Variable not found".to_owned());
    }
    let changes: Changes = [(name.to_owned(), None)].into();
    if state.options.stages_upserts {
        let patch = config::patch_of(target, &changes);
        config::stage(state, &target.environment, patch, true);
        return leaf(true);
    }
    let affected = variables::apply(state, target, &changes);
    if !absent && state.options.delete_deploys {
        variables::redeploy(state, &target.environment, &affected, Cause::Delete);
    }
    leaf(true)
}

/// Gives a shared variable to services, as a reference of the same name, or takes it from them.
fn configure_shared(state: &mut State, target: &Target, input: &Value) -> FieldResult {
    let name = named(input);
    let shared = Target::shared(&target.environment);
    if state.variable(&shared, &name).is_none() {
        return Err("Variable not found".to_owned());
    }
    let listed = |field: &str| -> Vec<String> {
        let ids = input[field].as_array().into_iter().flatten();
        ids.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (enabled, disabled) = (listed("enabledServiceIds"), listed("disabledServiceIds"));
    let project = state
        .environment(&target.environment)
        .map(|found| found.project.clone());
    for id in enabled.iter().chain(&disabled) {
        if state.service(id).map(|service| &service.project) != project.as_ref() {
            return Err("Service not found".to_owned());
        }
    }
    let reference = format!("${{{{shared.{name}}}}}");
    let mut affected = BTreeSet::new();
    for service in enabled {
        let own = Target::service(&target.environment, &service);
        state.set_variable(&own, &name, &reference, false);
        affected.insert(service);
    }
    for service in disabled {
        let own = Target::service(&target.environment, &service);
        let given = state
            .variable(&own, &name)
            .is_some_and(|found| found.value == reference);
        if given {
            state.remove_variable(&own, &name);
            affected.insert(service);
        }
    }
    variables::redeploy(state, &target.environment, &affected, Cause::Upsert);
    Ok(Found::Node(Node::Variable(shared, name)))
}
