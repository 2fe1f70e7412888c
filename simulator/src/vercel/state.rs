//! The whole state, and the changes that people make to it by hand.

use std::collections::BTreeMap;

use super::model::{Env, EnvSeed, Options, Place, Project, Shown, Token};
use crate::fault::Faults;
use crate::log::Log;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) options: Options,
    pub(super) tokens: BTreeMap<String, Token>,
    /// Id and username.
    pub(super) users: BTreeMap<String, String>,
    /// Id and name.
    pub(super) teams: BTreeMap<String, String>,
    /// In the order in which lists show them.
    pub(super) projects: Vec<Project>,
    /// Installations of the integration, by the account that it was added to.
    pub(super) installations: BTreeMap<String, String>,
    /// OAuth codes that were not exchanged yet, with the token that they stand for.
    pub(super) codes: BTreeMap<String, (String, Option<String>)>,
    /// Where the authorization page sends the browser back to: set in the vendor's console, not in the link.
    pub(super) callback: Option<String>,
    pub(super) faults: Faults,
    pub(super) log: Log,
    /// Calls of an owner and a family since the start of the window.
    pub(super) windows: BTreeMap<(String, &'static str), (u64, u32)>,
    serial: u64,
}

impl State {
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}{:08}", self.serial)
    }

    pub(super) fn add_team(&mut self, name: &str) -> String {
        let id = self.id("team_");
        self.teams.insert(id.clone(), name.to_owned());
        id
    }

    pub(super) fn add_project(&mut self, name: &str, team: Option<&str>) -> String {
        let id = format!(
            "prj_{}",
            name.replace(|c: char| !c.is_ascii_alphanumeric(), "")
        );
        self.serial += 1;
        self.projects.push(Project {
            id: id.clone(),
            name: name.to_owned(),
            owner: team.unwrap_or(super::presets::USER).to_owned(),
            framework: Some("nextjs".to_owned()),
            link: None,
            custom: Vec::new(),
            envs: Vec::new(),
            writing: false,
            updated_at: super::presets::BEGINNING + self.serial,
        });
        id
    }

    pub(super) fn add_custom_environment(&mut self, project: &str, slug: &str) -> String {
        let id = self.id("env_custom");
        if let Some(project) = self.project_mut(project) {
            project.custom.push((id.clone(), slug.to_owned()));
        }
        id
    }

    pub(super) fn add_env(&mut self, project: &str, seed: &EnvSeed, at: u64) -> String {
        let id = self.id("var");
        let mut seed = seed.clone();
        if seed.kind.is_empty() {
            "encrypted".clone_into(&mut seed.kind);
        }
        if let Some(project) = self.project_mut(project) {
            project.envs.push(Env {
                id: id.clone(),
                seed,
                created_at: at,
                updated_at: at,
                created_by: super::presets::USER.to_owned(),
            });
        }
        id
    }

    pub(super) fn edit_env(&mut self, project: &str, id: &str, value: &str, at: u64) {
        let env = self
            .project_mut(project)
            .and_then(|project| project.envs.iter_mut().find(|env| env.id == id));
        if let Some(env) = env {
            value.clone_into(&mut env.seed.value);
            env.updated_at = at;
        }
    }

    pub(super) fn remove_env(&mut self, project: &str, id: &str) {
        if let Some(project) = self.project_mut(project) {
            project.envs.retain(|env| env.id != id);
        }
    }

    pub(super) fn row(&self, project: &str, key: &str, scope: &str) -> Option<String> {
        let mut rows = self.project(project)?.envs.iter();
        let row = rows.find(|env| {
            let here = env.scopes().any(|one| one == scope);
            here && env.seed.key == key && env.seed.git_branch.is_none()
        });
        row.map(|env| env.id.clone())
    }

    pub(super) fn snapshot(&self, project: &str) -> BTreeMap<Place, Shown> {
        let mut places = BTreeMap::new();
        for env in self.project(project).into_iter().flat_map(|p| &p.envs) {
            for scope in env.scopes() {
                let place = Place {
                    key: env.seed.key.clone(),
                    scope: scope.clone(),
                    branch: env.seed.git_branch.clone(),
                };
                let shown = Shown {
                    value: env.seed.value.clone(),
                    kind: env.seed.kind.clone(),
                };
                places.insert(place, shown);
            }
        }
        places
    }

    pub(super) fn revoke(&mut self, token: &str) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.revoked = true;
        }
    }

    /// A new installation, for a team or for the user. Gives its token and its id.
    pub(super) fn install(&mut self, team: Option<String>) -> (String, String) {
        let installation = self.id("icfg_");
        (self.issue(&installation, team), installation)
    }

    /// A token of an installation.
    pub(super) fn issue(&mut self, installation: &str, team: Option<String>) -> String {
        let text = self.id("vci_simulated");
        let token = Token {
            user: super::presets::USER.to_owned(),
            team,
            installation: Some(installation.to_owned()),
            revoked: false,
        };
        self.tokens.insert(text.clone(), token);
        text
    }

    pub(super) fn uninstall(&mut self, installation: &str) {
        for token in self.tokens.values_mut() {
            token.revoked |= token.installation.as_deref() == Some(installation);
        }
        for project in &mut self.projects {
            project
                .envs
                .retain(|env| env.seed.configuration_id.as_deref() != Some(installation));
        }
    }

    /// By id or name.
    pub(super) fn project(&self, project: &str) -> Option<&Project> {
        self.projects
            .iter()
            .find(|found| found.id == project || found.name == project)
    }

    pub(super) fn project_mut(&mut self, project: &str) -> Option<&mut Project> {
        self.projects
            .iter_mut()
            .find(|found| found.id == project || found.name == project)
    }
}
