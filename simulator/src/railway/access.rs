//! Who calls, and what they may see and change.

use std::collections::BTreeSet;

use super::model::{Environment, Grant, Project, Role, Token, Workspace};
use super::presets::USER;
use super::state::State;

/// How a call says who it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Credential {
    /// `Authorization: Bearer …`.
    pub(super) bearer: Option<String>,
    /// `Project-Access-Token: …`.
    pub(super) project: Option<String>,
}

impl Credential {
    /// The token, if it came in the header that is for its kind.
    pub(super) fn token(&self, state: &State) -> Option<Token> {
        let (given, of_project) = match (&self.bearer, &self.project) {
            (Some(bearer), None) => (bearer, false),
            (None, Some(project)) => (project, true),
            _ => return None,
        };
        let token = state.tokens.get(given)?;
        match token {
            Token::Project { .. } if of_project => Some(token.clone()),
            Token::OAuth(grant) if !of_project => {
                (grant.ends_at > state.now()).then(|| token.clone())
            }
            Token::Account | Token::Workspace(_) if !of_project => Some(token.clone()),
            _ => None,
        }
    }
}

impl Token {
    /// Whose calls are counted together.
    pub(super) fn owner(&self, state: &State) -> String {
        match self {
            Self::Account | Self::OAuth(_) => USER.to_owned(),
            Self::Workspace(workspace) => workspace.clone(),
            Self::Project { project, .. } => state
                .project(project)
                .map(|project| project.workspace.clone())
                .unwrap_or_default(),
        }
    }

    /// Whether it is for a person.
    pub(super) const fn is_of_user(&self) -> bool {
        matches!(self, Self::Account | Self::OAuth(_))
    }

    /// What it may do in a workspace.
    pub(super) fn in_workspace(&self, workspace: &Workspace) -> Option<Role> {
        match self {
            Self::Account => workspace.role,
            Self::Workspace(id) => (*id == workspace.id).then_some(Role::Admin),
            Self::Project { .. } => None,
            Self::OAuth(grant) => {
                let scope = grant.role("workspace")?;
                let picked = grant.workspaces.contains(&workspace.id);
                workspace
                    .role
                    .filter(|_| picked)
                    .map(|role| role.min(scope))
            }
        }
    }

    /// What it may do in a project.
    pub(super) fn in_project(&self, state: &State, project: &Project) -> Option<Role> {
        let workspace = state.workspace(&project.workspace)?;
        let through_workspace = self.in_workspace(workspace);
        match self {
            Self::Account => through_workspace.max(project.invited),
            Self::Workspace(_) => through_workspace,
            Self::Project { project: id, .. } => (*id == project.id).then_some(Role::Member),
            Self::OAuth(grant) => {
                let picked = grant.projects.contains(&project.id);
                let own = workspace.role.max(project.invited);
                let through_project = grant
                    .role("project")
                    .filter(|_| picked)
                    .and_then(|scope| own.map(|role| role.min(scope)));
                through_workspace.max(through_project)
            }
        }
    }

    /// What it may do in an environment.
    pub(super) fn in_environment(&self, state: &State, environment: &Environment) -> Option<Role> {
        if environment.restricted {
            return None;
        }
        if let Self::Project {
            environment: only, ..
        } = self
            && *only != environment.id
        {
            return None;
        }
        self.in_project(state, state.project(&environment.project)?)
    }
}

impl Grant {
    /// The most that its scopes allow in what was picked.
    fn role(&self, kind: &str) -> Option<Role> {
        let has = |role: &str| self.scopes.contains(&format!("{kind}:{role}"));
        [
            ("admin", Role::Admin),
            ("member", Role::Member),
            ("viewer", Role::Viewer),
        ]
        .into_iter()
        .find_map(|(name, role)| has(name).then_some(role))
    }

    pub(super) fn has(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }
}

/// What the user picks at the consent page, of what the scopes are about.
pub(super) fn picked(
    all: impl Iterator<Item = String>,
    choice: Option<&BTreeSet<String>>,
    scopes: &BTreeSet<String>,
    kind: &str,
) -> BTreeSet<String> {
    if !scopes.iter().any(|scope| scope.starts_with(kind)) {
        return BTreeSet::new();
    }
    all.filter(|id| choice.is_none_or(|choice| choice.contains(id)))
        .collect()
}
