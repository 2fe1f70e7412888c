//! The whole state, and the changes that people make to it by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::budget::Windows;
use super::model::{
    Cause, Deployment, Environment, Options, Project, Role, Service, Shown, Target, Token,
    Variable, Variables, Workspace,
};
use super::oauth::OAuth;
use crate::clock::{Clock, now_ms};
use crate::fault::Faults;
use crate::log::Log;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) options: Options,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) projects: Vec<Project>,
    pub(super) environments: Vec<Environment>,
    pub(super) services: Vec<Service>,
    pub(super) variables: Variables,
    pub(super) deployments: Vec<Deployment>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) oauth: OAuth,
    pub(super) windows: Windows,
    pub(super) faults: Faults,
    pub(super) log: Log,
    clock: Clock,
    /// How far its time is ahead of the world's.
    ahead: Duration,
    serial: u64,
}

impl State {
    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        now_ms() + self.ahead.as_millis() as u64
    }

    /// The time of a write: later than that of any write before.
    pub(super) fn tick(&self) -> u64 {
        self.clock.tick() + self.ahead.as_millis() as u64
    }

    pub(super) fn advance(&mut self, time: Duration) {
        self.ahead += time;
    }

    /// An id as Railway's are.
    pub(super) fn id(&mut self) -> String {
        self.serial += 1;
        format!("5e1f0000-0000-4000-8000-{:012x}", self.serial)
    }

    /// What nobody has had before.
    pub(super) fn opaque(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}{:08}", self.serial)
    }

    pub(super) fn add_workspace(&mut self, name: &str, role: Option<Role>) -> String {
        let id = self.id();
        self.workspaces.push(Workspace {
            id: id.clone(),
            name: name.to_owned(),
            role,
        });
        id
    }

    pub(super) fn add_project(
        &mut self,
        workspace: &str,
        name: &str,
        invited: Option<Role>,
    ) -> String {
        let id = self.id();
        let created_at = self.tick();
        self.projects.push(Project {
            id: id.clone(),
            name: name.to_owned(),
            workspace: workspace.to_owned(),
            invited,
            created_at,
            deleted_at: None,
        });
        id
    }

    pub(super) fn add_environment(&mut self, project: &str, name: &str) -> String {
        let (id, staged_id) = (self.id(), self.id());
        let created_at = self.tick();
        self.environments.push(Environment {
            id: id.clone(),
            name: name.to_owned(),
            project: project.to_owned(),
            ephemeral: false,
            restricted: false,
            created_at,
            staged: json!({}),
            staged_id,
        });
        id
    }

    pub(super) fn add_service(&mut self, project: &str, name: &str) -> String {
        let id = self.id();
        let created_at = self.tick();
        self.services.push(Service {
            id: id.clone(),
            name: name.to_owned(),
            project: project.to_owned(),
            repo: None,
            image: None,
            created_at,
        });
        id
    }

    /// Writes a variable. What was sealed stays sealed only if `sealed` says so.
    pub(super) fn set_variable(&mut self, target: &Target, name: &str, value: &str, sealed: bool) {
        let at = self.tick();
        let known = self
            .variables
            .get(target)
            .and_then(|variables| variables.get(name));
        let (id, created_at) = match known {
            Some(variable) => (variable.id.clone(), variable.created_at),
            None => (self.id(), at),
        };
        let variable = Variable {
            id,
            value: value.to_owned(),
            sealed,
            created_at,
            updated_at: at,
        };
        self.variables
            .entry(target.clone())
            .or_default()
            .insert(name.to_owned(), variable);
    }

    /// Whether it was there.
    pub(super) fn remove_variable(&mut self, target: &Target, name: &str) -> bool {
        self.variables
            .get_mut(target)
            .is_some_and(|variables| variables.remove(name).is_some())
    }

    pub(super) fn snapshot(&self, target: &Target) -> BTreeMap<String, Shown> {
        self.of(target)
            .map(|(name, variable)| {
                let shown = Shown {
                    value: variable.value.clone(),
                    sealed: variable.sealed,
                };
                (name.clone(), shown)
            })
            .collect()
    }

    pub(super) fn of(&self, target: &Target) -> impl Iterator<Item = (&String, &Variable)> {
        self.variables.get(target).into_iter().flatten()
    }

    pub(super) fn variable(&self, target: &Target, name: &str) -> Option<&Variable> {
        self.variables.get(target)?.get(name)
    }

    pub(super) fn deploy(&mut self, environment: &str, service: &str, cause: Cause) -> String {
        let id = self.id();
        let created_at = self.tick();
        self.deployments.push(Deployment {
            id: id.clone(),
            environment: environment.to_owned(),
            service: service.to_owned(),
            cause,
            created_at,
        });
        id
    }

    /// The newest deployment of a service in an environment.
    pub(super) fn deployed(&self, environment: &str, service: &str) -> Option<&Deployment> {
        self.deployments.iter().rev().find(|deployment| {
            deployment.environment == environment && deployment.service == service
        })
    }

    pub(super) fn workspace(&self, id: &str) -> Option<&Workspace> {
        self.workspaces.iter().find(|found| found.id == id)
    }

    pub(super) fn project(&self, id: &str) -> Option<&Project> {
        self.projects.iter().find(|found| found.id == id)
    }

    pub(super) fn environment(&self, id: &str) -> Option<&Environment> {
        self.environments.iter().find(|found| found.id == id)
    }

    pub(super) fn environment_mut(&mut self, id: &str) -> Option<&mut Environment> {
        self.environments.iter_mut().find(|found| found.id == id)
    }

    pub(super) fn service(&self, id: &str) -> Option<&Service> {
        self.services.iter().find(|found| found.id == id)
    }

    pub(super) fn services_of(&self, project: &str) -> impl Iterator<Item = &Service> {
        self.services
            .iter()
            .filter(move |service| service.project == project)
    }
}
