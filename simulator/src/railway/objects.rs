//! The fields of what was found.

use serde_json::{Value, json};

use super::budget::{self, date};
use super::graphql::{FieldResult, Found, Node, PROBLEM, Session, leaf, not_simulated};
use super::model::{Role, Target, Token};
use super::presets::USER;
use super::query::{View, environments};
use super::{config, paging, variables};

pub(super) fn field(
    session: &Session<'_>,
    node: &Node,
    name: &str,
    arguments: &Value,
) -> FieldResult {
    let state = session.state.borrow();
    let view = View::new(&state, session.token.as_ref())?;
    match node {
        Node::Root => not_simulated(name),
        Node::Connection(page) => paging::connection(page, name),
        Node::PageInfo(page) => paging::page_info(page, name),
        Node::Edge(cursor, node) => match name {
            "cursor" => leaf(cursor.as_str()),
            _ => Ok(Found::Node((**node).clone())),
        },
        Node::User => user(&view, name),
        Node::ApiTokenContext => {
            let workspaces = view.workspaces().map(str::to_owned);
            Ok(Found::List(
                workspaces.map(Node::ApiTokenWorkspace).collect(),
            ))
        }
        Node::ApiTokenWorkspace(id) | Node::Workspace(id) | Node::ExternalWorkspace(id) => {
            workspace(&view, node, id, name)
        }
        Node::ApiTokenRateLimit(owner) => {
            let (left, reset) = budget::left(&state, owner).unwrap_or_default();
            match name {
                "remainingPoints" => leaf(left),
                _ => leaf(date(reset)),
            }
        }
        Node::ProjectToken => project_token(&view, name),
        Node::Project(id) => project(&view, id, name, arguments),
        Node::Environment(id) => environment(&view, id, name, arguments),
        Node::Service(id) => service(&view, id, name),
        Node::ServiceInstance(environment, service) => instance(&view, environment, service, name),
        Node::ServiceSource(id) => {
            let service = state.service(id);
            let repo = service.and_then(|found| found.repo.as_ref());
            match name {
                "repo" => leaf(repo.map(|(repo, _)| repo.clone())),
                _ => leaf(service.and_then(|found| found.image.clone())),
            }
        }
        Node::DeploymentTrigger(environment, service) => trigger(&view, environment, service, name),
        Node::Deployment(id) => deployment(&view, id, name),
        Node::Variable(target, key) => variable(&view, target, key, name),
        Node::EnvironmentPatch(id) => patch(&view, id, name, arguments),
    }
}

fn or_problem<T>(found: Option<T>) -> Result<T, String> {
    found.ok_or_else(|| PROBLEM.to_owned())
}

fn at(ms: u64) -> FieldResult {
    leaf(date(ms))
}

fn rate_limit(view: &View<'_>, owner: &str) -> FieldResult {
    match view.state.options.per_hour {
        Some(_) => Ok(Found::Node(Node::ApiTokenRateLimit(owner.to_owned()))),
        None => leaf(Value::Null),
    }
}

fn user(view: &View<'_>, name: &str) -> FieldResult {
    let told = |scope: &str| match view.token {
        Token::OAuth(grant) => grant.has(scope),
        _ => true,
    };
    match name {
        "id" => leaf(USER),
        "name" | "username" => leaf("Ada"),
        "email" => leaf("ada@example.com"),
        "avatar" => leaf(Value::Null),
        "has2FA" => leaf(false),
        "isVerified" => leaf(true),
        "createdAt" => at(0),
        "apiTokenRateLimit" => rate_limit(view, USER),
        "workspaces" if told("email") && told("profile") => {
            let workspaces = view.workspaces().map(str::to_owned);
            Ok(Found::List(workspaces.map(Node::Workspace).collect()))
        }
        "workspaces" => Ok(Found::List(Vec::new())),
        other => not_simulated(other),
    }
}

fn workspace(view: &View<'_>, node: &Node, id: &str, name: &str) -> FieldResult {
    let workspace = or_problem(view.state.workspace(id))?;
    match name {
        "id" => leaf(id),
        "name" => leaf(workspace.name.as_str()),
        "avatar" => leaf(Value::Null),
        "createdAt" => at(0),
        "hasSAML" => leaf(false),
        "currentSessionHasAccess" => leaf(true),
        "plan" => leaf(match view.state.options.per_hour {
            Some(0..=100) => "FREE",
            Some(101..=1_000) => "HOBBY",
            _ => "PRO",
        }),
        "apiTokenRateLimit" => rate_limit(view, id),
        "projects" => {
            if matches!(node, Node::ExternalWorkspace(_)) {
                let projects = view.external().filter(|project| project.workspace == id);
                let nodes = projects.map(|project| Node::Project(project.id.clone()));
                return Ok(Found::List(nodes.collect()));
            }
            let projects = view.state.projects.iter();
            let projects =
                projects.filter(|found| found.workspace == id && found.deleted_at.is_none());
            let nodes = projects.map(|project| Node::Project(project.id.clone()));
            Ok(Found::Connection(nodes.collect()))
        }
        other => not_simulated(other),
    }
}

fn project_token(view: &View<'_>, name: &str) -> FieldResult {
    let Token::Project {
        id,
        name: called,
        project,
        environment,
        created_at,
    } = view.token
    else {
        return Err(PROBLEM.to_owned());
    };
    match name {
        "id" => leaf(id.as_str()),
        "name" => leaf(called.as_str()),
        "displayToken" => leaf("****-****"),
        "projectId" => leaf(project.as_str()),
        "environmentId" => leaf(environment.as_str()),
        "createdAt" => at(*created_at),
        "project" => Ok(Found::Node(Node::Project(project.clone()))),
        "environment" => Ok(Found::Node(Node::Environment(environment.clone()))),
        other => not_simulated(other),
    }
}

fn project(view: &View<'_>, id: &str, name: &str, arguments: &Value) -> FieldResult {
    let project = or_problem(view.state.project(id))?;
    // The oldest that is not made for a pull request.
    let first = view.state.environments.iter();
    let mut first = first.filter(|found| found.project == id && !found.ephemeral);
    match name {
        "id" => leaf(id),
        "name" => leaf(project.name.as_str()),
        "description" => leaf(Value::Null),
        "createdAt" | "updatedAt" => at(project.created_at),
        "deletedAt" => leaf(project.deleted_at.map(date)),
        "isPublic" | "prDeploys" | "botPrEnvironments" => leaf(false),
        "workspaceId" => leaf(project.workspace.as_str()),
        "workspace" => Ok(Found::Node(Node::Workspace(project.workspace.clone()))),
        "primaryEnvironmentId" | "baseEnvironmentId" => leaf(first.next().map(|e| e.id.clone())),
        "environments" => Ok(environments(view, project, arguments)),
        "services" => {
            let services = view.state.services_of(id);
            let nodes = services.map(|service| Node::Service(service.id.clone()));
            Ok(Found::Connection(nodes.collect()))
        }
        other => not_simulated(&format!("Project.{other}")),
    }
}

fn environment(view: &View<'_>, id: &str, name: &str, arguments: &Value) -> FieldResult {
    let state = view.state;
    let environment = or_problem(state.environment(id))?;
    let services = || state.services_of(&environment.project);
    let may_read = || view.variables_of(id, Role::Viewer);
    match name {
        "id" => leaf(id),
        "name" => leaf(environment.name.as_str()),
        "projectId" => leaf(environment.project.as_str()),
        "isEphemeral" => leaf(environment.ephemeral),
        "canAccess" => leaf(view.token.in_environment(state, environment).is_some()),
        "createdAt" | "updatedAt" => at(environment.created_at),
        "deletedAt" | "sourceEnvironment" | "meta" | "unmergedChangesCount" => leaf(Value::Null),
        "configEtag" => may_read().and_then(|()| leaf(config::etag(state, id))),
        "config" => {
            may_read()?;
            let decrypted = arguments["decryptVariables"] == true;
            leaf(config::document(state, id, decrypted))
        }
        "variables" => {
            may_read()?;
            let here = state
                .variables
                .iter()
                .filter(|(target, _)| target.environment == id);
            let nodes = here.flat_map(|(target, variables)| {
                variables
                    .keys()
                    .map(|key| Node::Variable(target.clone(), key.clone()))
            });
            Ok(Found::Connection(nodes.collect()))
        }
        "serviceInstances" => {
            let nodes =
                services().map(|service| Node::ServiceInstance(id.to_owned(), service.id.clone()));
            Ok(Found::Connection(nodes.collect()))
        }
        "deploymentTriggers" => {
            let linked = services().filter(|service| service.repo.is_some());
            let nodes =
                linked.map(|service| Node::DeploymentTrigger(id.to_owned(), service.id.clone()));
            Ok(Found::Connection(nodes.collect()))
        }
        other => not_simulated(&format!("Environment.{other}")),
    }
}

fn service(view: &View<'_>, id: &str, name: &str) -> FieldResult {
    let service = or_problem(view.state.service(id))?;
    match name {
        "id" => leaf(id),
        "name" => leaf(service.name.as_str()),
        "projectId" => leaf(service.project.as_str()),
        "project" => Ok(Found::Node(Node::Project(service.project.clone()))),
        "icon" | "deletedAt" => leaf(Value::Null),
        "createdAt" | "updatedAt" => at(service.created_at),
        "repoTriggers" => {
            let linked = view.state.environments.iter().filter(|environment| {
                service.repo.is_some() && environment.project == service.project
            });
            let nodes =
                linked.map(|found| Node::DeploymentTrigger(found.id.clone(), id.to_owned()));
            Ok(Found::Connection(nodes.collect()))
        }
        other => not_simulated(&format!("Service.{other}")),
    }
}

fn instance(view: &View<'_>, environment: &str, service: &str, name: &str) -> FieldResult {
    let found = or_problem(view.state.service(service))?;
    match name {
        "id" => leaf(format!("{}{}", &environment[..24], &service[24..])),
        "environmentId" => leaf(environment),
        "serviceId" => leaf(service),
        "serviceName" => leaf(found.name.as_str()),
        "builder" => leaf("RAILPACK"),
        "isUpdatable" => leaf(true),
        "createdAt" | "updatedAt" => at(found.created_at),
        "source" if found.repo.is_some() || found.image.is_some() => {
            Ok(Found::Node(Node::ServiceSource(service.to_owned())))
        }
        "latestDeployment" => match view.state.deployed(environment, service) {
            Some(deployment) => Ok(Found::Node(Node::Deployment(deployment.id.clone()))),
            None => leaf(Value::Null),
        },
        "source" | "deletedAt" | "buildCommand" | "startCommand" | "rootDirectory"
        | "railwayConfigFile" | "nixpacksPlan" | "railpackInfo" => leaf(Value::Null),
        other => not_simulated(&format!("ServiceInstance.{other}")),
    }
}

fn trigger(view: &View<'_>, environment: &str, service: &str, name: &str) -> FieldResult {
    let found = or_problem(view.state.service(service))?;
    let (repo, branch) = or_problem(found.repo.as_ref())?;
    match name {
        "id" | "serviceId" => leaf(service),
        "branch" => leaf(branch.as_str()),
        "repository" => leaf(repo.as_str()),
        "provider" => leaf("github"),
        "environmentId" => leaf(environment),
        "projectId" => leaf(found.project.as_str()),
        "checkSuites" => leaf(false),
        "validCheckSuites" => leaf(0),
        "baseEnvironmentOverrideId" => leaf(Value::Null),
        other => not_simulated(&format!("DeploymentTrigger.{other}")),
    }
}

fn deployment(view: &View<'_>, id: &str, name: &str) -> FieldResult {
    let state = view.state;
    let found = or_problem(state.deployments.iter().find(|found| found.id == id))?;
    let newest = state.deployed(&found.environment, &found.service) == Some(found);
    let environment = state.environment(&found.environment);
    match name {
        "id" => leaf(id),
        "environmentId" => leaf(found.environment.as_str()),
        "serviceId" => leaf(found.service.as_str()),
        "projectId" => leaf(environment.map(|environment| environment.project.clone())),
        "status" => leaf(if newest { "SUCCESS" } else { "REMOVED" }),
        "createdAt" | "updatedAt" => at(found.created_at),
        "canRedeploy" => leaf(true),
        "canRollback" | "deploymentStopped" => leaf(!newest),
        "meta" | "staticUrl" | "url" => leaf(Value::Null),
        other => not_simulated(&format!("Deployment.{other}")),
    }
}

fn variable(view: &View<'_>, target: &Target, key: &str, name: &str) -> FieldResult {
    let found = or_problem(view.state.variable(target, key))?;
    match name {
        "id" => leaf(found.id.as_str()),
        "name" => leaf(key),
        "isSealed" => leaf(found.sealed),
        "environmentId" => leaf(target.environment.as_str()),
        "environment" => Ok(Found::Node(Node::Environment(target.environment.clone()))),
        "serviceId" => leaf(target.service.clone()),
        // Declared to be there always, which it is not for what is shared.
        "service" => match &target.service {
            Some(service) => Ok(Found::Node(Node::Service(service.clone()))),
            None => leaf(Value::Null),
        },
        "references" => leaf(json!(variables::references(&found.value))),
        "createdAt" => at(found.created_at),
        "updatedAt" => at(found.updated_at),
        other => not_simulated(&format!("Variable.{other}")),
    }
}

fn patch(view: &View<'_>, id: &str, name: &str, arguments: &Value) -> FieldResult {
    let environment = or_problem(view.state.environment(id))?;
    match name {
        "id" => leaf(environment.staged_id.as_str()),
        "environmentId" => leaf(id),
        "environment" => Ok(Found::Node(Node::Environment(id.to_owned()))),
        "status" => leaf("STAGED"),
        "patch" if arguments["decryptVariables"] == true => leaf(environment.staged.clone()),
        "patch" => leaf(config::masked(&environment.staged)),
        "createdAt" | "updatedAt" => at(environment.created_at),
        "appliedAt" | "lastAppliedError" | "message" => leaf(Value::Null),
        other => not_simulated(&format!("EnvironmentPatch.{other}")),
    }
}
