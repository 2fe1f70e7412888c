//! Projects with their environments and services.

use std::collections::{BTreeSet, HashSet};

use super::client::Client;
use super::errors::invalid;
use super::pages::Pages;
use super::tokens::is_of_project;
use super::wire::{
    Connection, Edge, Environment, PageInfo, Project as WireProject, Service as WireService,
    WorkspaceProjects,
};
use crate::domain::names::{is_provider_ref, shown_name};
use crate::providers::{Project, ProviderError, Service, Session};

/// The form of Railway's ids. Lower case only: written in another way, the same id would be another project.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

/// A project with all of its parts.
#[derive(Debug)]
pub(super) struct Whole {
    pub id: String,
    name: String,
    pub environments: Vec<Environment>,
    pub services: Vec<WireService>,
}

/// Every project: those of a workspace when the credential is for one, the only one of a project token,
/// and else all that the user sees, in their workspaces and in those of others.
pub(super) async fn all(client: &Client, session: &Session) -> Result<Vec<Project>, ProviderError> {
    let mut ids = HashSet::new();
    let mut projects = Vec::new();
    for wire in found(client, session).await? {
        if wire.deleted_at.is_none() && ids.insert(wire.id.clone()) {
            projects.push(whole(client, session, wire).await?.shown());
        }
    }
    Ok(projects)
}

async fn found(client: &Client, session: &Session) -> Result<Vec<WireProject>, ProviderError> {
    let mut projects = Vec::new();
    if is_of_project(&session.credential) {
        projects.push(of_token(client, session).await?);
    } else if let Some(id) = &session.credential.team_id {
        let first = client.workspace_projects(session, id, None).await?;
        of_workspace(client, session, first, &mut projects).await?;
    } else {
        let all = client.all_projects(session).await?;
        for workspace in all.me.workspaces {
            of_workspace(client, session, workspace, &mut projects).await?;
        }
        let external = all.external_workspaces.into_iter();
        projects.extend(external.flat_map(|workspace| workspace.projects));
    }
    Ok(projects)
}

/// The pages of a workspace, of which the first has come.
async fn of_workspace(
    client: &Client,
    session: &Session,
    mut page: WorkspaceProjects,
    into: &mut Vec<WireProject>,
) -> Result<(), ProviderError> {
    let mut pages = Pages::default();
    loop {
        let after = pages.after(&page.projects.page_info)?;
        into.extend(page.projects.into_nodes());
        let Some(after) = after else { return Ok(()) };
        page = client
            .workspace_projects(session, &page.id, Some(&after))
            .await?;
    }
}

/// The project of a project token, with the only environment that the token is for.
async fn of_token(client: &Client, session: &Session) -> Result<WireProject, ProviderError> {
    let token = client.project_of_token(session).await?;
    let mut project = token.project;
    if project.id != token.project_id {
        return Err(ProviderError::Protocol);
    }
    let only = Environment {
        id: token.environment_id,
        name: token.environment.name,
        can_access: true,
        deleted_at: None,
    };
    project.environments = Connection {
        edges: vec![Edge { node: only }],
        page_info: PageInfo::default(),
    };
    Ok(project)
}

/// One project, by id or name.
pub(super) async fn one(
    client: &Client,
    session: &Session,
    project: &str,
) -> Result<Project, ProviderError> {
    let id = project.to_ascii_lowercase();
    if is_id(&id) {
        return Ok(by_id(client, session, &id).await?.shown());
    }
    let all = all(client, session).await?;
    let mut named = all.into_iter().filter(|found| found.name == project);
    match (named.next(), named.next()) {
        (None, _) => Err(ProviderError::NotFound),
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(invalid(
            "ambiguous_project",
            "Several projects at Railway have this name; give the project's id.",
        )),
    }
}

/// One project that is not deleted.
pub(super) async fn by_id(
    client: &Client,
    session: &Session,
    id: &str,
) -> Result<Whole, ProviderError> {
    let wire = if is_of_project(&session.credential) {
        of_token(client, session).await?
    } else {
        client.project(session, id).await?
    };
    if wire.id != id || wire.deleted_at.is_some() {
        return Err(ProviderError::NotFound);
    }
    whole(client, session, wire).await
}

/// Asks for what is not on the first page of a project's parts, as a rule nothing.
async fn whole(
    client: &Client,
    session: &Session,
    wire: WireProject,
) -> Result<Whole, ProviderError> {
    let (mut environments_so_far, mut services_so_far) = (Pages::default(), Pages::default());
    let mut ends = (
        wire.environments.page_info.clone(),
        wire.services.page_info.clone(),
    );
    let mut environments = wire.environments.into_nodes().collect::<Vec<_>>();
    let mut services = wire.services.into_nodes().collect::<Vec<_>>();
    loop {
        let more_environments = environments_so_far.after(&ends.0)?;
        let more_services = services_so_far.after(&ends.1)?;
        if more_environments.is_none() && more_services.is_none() {
            break;
        }
        let (after, behind) = (more_environments.as_deref(), more_services.as_deref());
        let more = client.more_parts(session, &wire.id, after, behind).await?;
        let parts = more.project;
        // A list that had ended is given from its beginning.
        if after.is_some() {
            ends.0 = parts.environments.page_info.clone();
            environments.extend(parts.environments.into_nodes());
        }
        if behind.is_some() {
            ends.1 = parts.services.page_info.clone();
            services.extend(parts.services.into_nodes());
        }
    }
    environments.retain(|environment| environment.deleted_at.is_none());
    services.retain(|service| service.deleted_at.is_none());
    Ok(Whole {
        id: wire.id,
        name: wire.name,
        environments,
        services,
    })
}

impl Whole {
    /// As it is shown to people.
    fn shown(self) -> Project {
        Project {
            name: shown_name(&self.name).unwrap_or_else(|| self.id.clone()),
            linked_repo: self.linked_repo(),
            framework: None,
            environments: self.environment_names(),
            services: self
                .services
                .into_iter()
                .map(|service| Service {
                    name: shown_name(&service.name).unwrap_or_else(|| service.id.clone()),
                    id: service.id,
                })
                .collect(),
            id: self.id,
        }
    }

    /// By what the environments are asked for that the credential may open: by name, where the name can be
    /// asked for and is the only one.
    pub(super) fn environment_names(&self) -> Vec<String> {
        let named = |name: &str| {
            let mut all = self.environments.iter();
            all.by_ref().find(|found| found.name == name);
            let is_only = !all.any(|found| found.name == name);
            is_only && is_provider_ref(name) && shown_name(name).as_deref() == Some(name)
        };
        let open = self.environments.iter().filter(|found| found.can_access);
        open.map(|found| {
            if named(&found.name) {
                found.name.clone()
            } else {
                found.id.clone()
            }
        })
        .collect()
    }

    /// The repository that deploys its services, where that is one.
    fn linked_repo(&self) -> Option<String> {
        let triggers = self.services.iter().flat_map(|it| &it.repo_triggers.edges);
        let repositories: BTreeSet<&str> = triggers
            .map(|edge| edge.node.repository.as_str())
            .filter(|name| !name.is_empty())
            .collect();
        match Vec::from_iter(repositories).as_slice() {
            [one] => shown_name(one),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_form() {
        assert!(is_id("5e1f0000-0000-4000-8000-00000000ada0"));
        for other in [
            "",
            "my-app",
            "5E1F0000-0000-4000-8000-00000000ADA0",
            "5e1f0000-0000-4000-8000-00000000ada",
            "5e1f00000000-4000-8000-0000-00000000ada",
            "5e1f0000-0000-4000-8000-00000000adag",
        ] {
            assert!(!is_id(other), "{other}");
        }
    }
}
