//! What can be asked for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::graphql::{
    FieldResult, Found, NOT_AUTHORIZED, Node, PROBLEM, Session, leaf, not_simulated,
};
use super::model::{Project, Role, Target, Token};
use super::state::State;
use super::variables;

/// Who calls, and what is there for them.
pub(super) struct View<'a> {
    pub(super) state: &'a State,
    pub(super) token: &'a Token,
}

fn refused<T>() -> Result<T, String> {
    Err(NOT_AUTHORIZED.to_owned())
}

impl<'a> View<'a> {
    pub(super) fn new(state: &'a State, token: Option<&'a Token>) -> Result<Self, String> {
        match token {
            Some(token) => Ok(Self { state, token }),
            None => refused(),
        }
    }

    fn found<T>(&self, id: &str, found: Option<T>, what: &str) -> Result<T, String> {
        match found {
            Some(found) => Ok(found),
            None if !is_id(id) => Err(PROBLEM.to_owned()),
            None if self.state.options.tells_missing => Err(format!("{what} not found")),
            None => refused(),
        }
    }

    /// A project that may be seen.
    pub(super) fn project(&self, id: &str) -> Result<&'a Project, String> {
        let project = self.found(id, self.state.project(id), "Project")?;
        match self.token.in_project(self.state, project) {
            Some(_) => Ok(project),
            None => refused(),
        }
    }

    /// An environment of a project that may be seen, and of no other when it is named.
    pub(super) fn environment(&self, id: &str, project: Option<&str>) -> Result<(), String> {
        let found = self.state.environment(id);
        let found = found.filter(|found| project.is_none_or(|project| project == found.project));
        let found = self.found(id, found, "Environment")?;
        self.project(&found.project)?;
        match self.token {
            Token::Project { environment, .. } if *environment != found.id => refused(),
            _ => Ok(()),
        }
    }

    /// An environment in whose variables one may do this.
    pub(super) fn variables_of(&self, id: &str, role: Role) -> Result<(), String> {
        let environment = self.found(id, self.state.environment(id), "Environment")?;
        let may = self.token.in_environment(self.state, environment);
        if may >= Some(role) { Ok(()) } else { refused() }
    }

    /// A service of a project that may be seen.
    pub(super) fn service(&self, id: &str) -> Result<&'a str, String> {
        let service = self.found(id, self.state.service(id), "Service")?;
        self.project(&service.project)?;
        Ok(&service.project)
    }

    /// A service in an environment of its project.
    pub(super) fn instance(&self, environment: &str, service: &str) -> Result<(), String> {
        self.environment(environment, None)?;
        let project = &self
            .state
            .environment(environment)
            .map(|found| &found.project);
        let found = self.state.service(service);
        let found = found.filter(|found| Some(&found.project) == *project);
        self.found(service, found, "ServiceInstance").map(|_| ())
    }

    /// Where variables are, of which one may do this.
    pub(super) fn target(&self, arguments: &Value, role: Role) -> Result<Target, String> {
        let text = |name: &str| arguments[name].as_str();
        let project = text("projectId").unwrap_or_default();
        let environment = text("environmentId").unwrap_or_default();
        self.project(project)?;
        self.environment(environment, Some(project))?;
        self.variables_of(environment, role)?;
        let service = text("serviceId");
        if let Some(id) = service {
            let known = self.state.service(id);
            let known = known.filter(|known| known.project == project);
            self.found(id, known, "Service")?;
        }
        Ok(Target {
            environment: environment.to_owned(),
            service: service.map(str::to_owned),
        })
    }

    /// The user's workspaces, as far as the token is for them.
    pub(super) fn workspaces(&self) -> impl Iterator<Item = &'a str> {
        let may =
            |workspace: &&super::model::Workspace| self.token.in_workspace(workspace).is_some();
        let workspaces = self.state.workspaces.iter().filter(may);
        workspaces
            .map(|workspace| workspace.id.as_str())
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Projects that are seen though their workspace is not.
    pub(super) fn external(&self) -> impl Iterator<Item = &'a Project> {
        self.state
            .projects
            .iter()
            .filter(|project| {
                let workspace = self.state.workspace(&project.workspace);
                let inside = workspace.and_then(|workspace| self.token.in_workspace(workspace));
                inside.is_none() && self.token.in_project(self.state, project).is_some()
            })
            .collect::<Vec<_>>()
            .into_iter()
    }
}

fn is_id(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| {
            if dashes.contains(&index) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

pub(super) fn field(session: &Session<'_>, name: &str, arguments: &Value) -> FieldResult {
    let state = session.state.borrow();
    let view = View::new(&state, session.token.as_ref())?;
    let text = |name: &str| arguments[name].as_str();
    let id = |name: &str| text(name).unwrap_or_default().to_owned();
    match name {
        "me" if view.token.is_of_user() => Ok(Found::Node(Node::User)),
        "me" => refused(),
        "apiToken" => match view.token {
            Token::Project { .. } => refused(),
            _ => Ok(Found::Node(Node::ApiTokenContext)),
        },
        "projectToken" => match view.token {
            Token::Project { .. } => Ok(Found::Node(Node::ProjectToken)),
            _ => Err("Project Token not found".to_owned()),
        },
        "workspace" => {
            let id = id("workspaceId");
            let workspace = view.found(&id, state.workspace(&id), "Workspace")?;
            match view.token.in_workspace(workspace) {
                Some(_) => Ok(Found::Node(Node::Workspace(id))),
                None => refused(),
            }
        }
        "externalWorkspaces" => external_workspaces(&view, text("projectId")),
        "projects" => projects(&view, arguments),
        "project" => {
            view.project(&id("id"))?;
            Ok(Found::Node(Node::Project(id("id"))))
        }
        "environment" => {
            view.environment(&id("id"), text("projectId"))?;
            Ok(Found::Node(Node::Environment(id("id"))))
        }
        "environments" => {
            let project = view.project(&id("projectId"))?;
            Ok(environments(&view, project, arguments))
        }
        "service" => {
            view.service(&id("id"))?;
            Ok(Found::Node(Node::Service(id("id"))))
        }
        "serviceInstance" => {
            let (environment, service) = (id("environmentId"), id("serviceId"));
            view.instance(&environment, &service)?;
            Ok(Found::Node(Node::ServiceInstance(environment, service)))
        }
        "variables" => {
            let target = view.target(arguments, Role::Viewer)?;
            let rendered = arguments["unrendered"] != true;
            leaf(variables::read(&state, &target, rendered))
        }
        "variablesForServiceDeployment" => {
            let target = view.target(arguments, Role::Viewer)?;
            leaf(variables::for_deployment(&state, &target))
        }
        "environmentStagedChanges" => {
            let environment = id("environmentId");
            view.environment(&environment, None)?;
            view.variables_of(&environment, Role::Viewer)?;
            Ok(Found::Node(Node::EnvironmentPatch(environment)))
        }
        "deployment" => {
            let deployment = state.deployments.iter().find(|found| found.id == id("id"));
            let deployment = view.found(&id("id"), deployment, "Deployment")?;
            view.environment(&deployment.environment, None)?;
            Ok(Found::Node(Node::Deployment(id("id"))))
        }
        "deployments" => deployments(&view, &arguments["input"]),
        other => not_simulated(other),
    }
}

fn projects(view: &View<'_>, arguments: &Value) -> FieldResult {
    let state = view.state;
    let workspaces: Vec<&str> = match arguments["workspaceId"].as_str() {
        Some(id) => {
            let workspace = view.found(id, state.workspace(id), "Workspace")?;
            if view.token.in_workspace(workspace).is_none() {
                return refused();
            }
            vec![&workspace.id]
        }
        None => view.workspaces().collect(),
    };
    let deleted = arguments["includeDeleted"] == true;
    let mut found: Vec<&Project> = state
        .projects
        .iter()
        .filter(|project| workspaces.contains(&project.workspace.as_str()))
        .filter(|project| deleted || project.deleted_at.is_none())
        .collect();
    match arguments["orderBy"].as_str() {
        Some("NAME_ASC") => found.sort_by_key(|project| &project.name),
        Some(_) => found.sort_by_key(|project| std::cmp::Reverse(project.created_at)),
        None => {}
    }
    let nodes = found
        .into_iter()
        .map(|project| Node::Project(project.id.clone()));
    Ok(Found::Connection(nodes.collect()))
}

fn external_workspaces(view: &View<'_>, project: Option<&str>) -> FieldResult {
    if !view.token.is_of_user() {
        return refused();
    }
    let projects = view
        .external()
        .filter(|found| project.is_none_or(|id| id == found.id));
    let ids: BTreeSet<&String> = projects.map(|project| &project.workspace).collect();
    let nodes = ids
        .into_iter()
        .map(|id| Node::ExternalWorkspace(id.clone()));
    Ok(Found::List(nodes.collect()))
}

pub(super) fn environments(view: &View<'_>, project: &Project, arguments: &Value) -> Found {
    let ephemeral = arguments["isEphemeral"].as_bool();
    let found = view.state.environments.iter().filter(|environment| {
        environment.project == project.id
            && ephemeral.is_none_or(|wanted| wanted == environment.ephemeral)
    });
    let nodes = found.map(|environment| Node::Environment(environment.id.clone()));
    Found::Connection(nodes.collect())
}

/// The newest first.
fn deployments(view: &View<'_>, input: &Value) -> FieldResult {
    let only = |name: &str, id: &str| input[name].as_str().is_none_or(|wanted| wanted == id);
    if !input["status"].is_null() {
        return not_simulated("deployments by status");
    }
    let found = view.state.deployments.iter().rev().filter(|deployment| {
        let environment = view.state.environment(&deployment.environment);
        only("environmentId", &deployment.environment)
            && only("serviceId", &deployment.service)
            && environment.is_some_and(|environment| {
                only("projectId", &environment.project)
                    && view.environment(&environment.id, None).is_ok()
            })
    });
    let nodes = found.map(|deployment| Node::Deployment(deployment.id.clone()));
    Ok(Found::Connection(nodes.collect()))
}
