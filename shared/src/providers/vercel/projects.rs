//! Projects, their environments, and whose account it is.

use std::collections::HashSet;

use super::client::Client;
use super::errors::Failure;
use super::rows::BUILT_IN;
use super::wire::{CustomEnvironment, Link, Project as WireProject};
use crate::domain::connection::ProviderAccount;
use crate::domain::names::is_provider_ref;
use crate::domain::names::shown_name;
use crate::providers::{Project, ProviderError, Session, Target};
use crate::sync::remote::Destination;

/// More pages than the largest account can fill.
const MAX_PAGES: usize = 200;

/// Every project: follows the pages. A cursor that does not advance is an error, since a list that
/// is silently short hides projects.
pub(super) async fn all(client: &Client, session: &Session) -> Result<Vec<Project>, ProviderError> {
    let mut projects = Vec::new();
    let mut ids = HashSet::new();
    let mut cursors: HashSet<String> = HashSet::new();
    let mut from: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = client.projects(session, from.as_deref(), None).await?;
        for project in page.projects.into_iter().flatten().filter_map(project) {
            if ids.insert(project.id.clone()) {
                projects.push(project);
            }
        }
        match page.pagination.and_then(|page| page.next) {
            None => return Ok(projects),
            Some(next) if cursors.insert(next.clone()) => from = Some(next),
            Some(_) => break,
        }
    }
    Err(ProviderError::Protocol)
}

/// One project.
pub(super) async fn one(
    client: &Client,
    session: &Session,
    id_or_name: &str,
) -> Result<Project, ProviderError> {
    project(client.project(session, id_or_name).await?).ok_or(ProviderError::Protocol)
}

pub(super) fn project(wire: WireProject) -> Option<Project> {
    let id = wire.id.filter(|id| !id.is_empty())?;
    let custom = wire
        .custom_environments
        .into_iter()
        .filter_map(environment_name);
    Some(Project {
        name: shown(wire.name.as_deref()).or_else(|| shown(Some(&id)))?,
        linked_repo: shown(wire.link.first().and_then(linked_repo).as_deref()),
        framework: shown(wire.framework.as_deref()),
        environments: BUILT_IN
            .iter()
            .map(|&name| name.to_owned())
            .chain(custom)
            .collect(),
        services: Vec::new(),
        id,
    })
}

/// What people at the provider have chosen, for people here.
/// By what a custom environment is asked for. One that cannot be asked for, or would change how the text
/// around it is shown, is none.
fn environment_name(environment: CustomEnvironment) -> Option<String> {
    environment
        .slug
        .or(environment.id)
        .filter(|name| is_provider_ref(name) && shown_name(name).as_ref() == Some(name))
}

fn shown(name: Option<&str>) -> Option<String> {
    name.and_then(shown_name)
}

/// `owner/repo` of every kind of link. Of one that is not known yet, whatever fields have the names
/// that the known ones use.
fn linked_repo(link: &Link) -> Option<String> {
    let (owner, repo) = match link.kind.as_deref() {
        Some("gitlab") => (
            link.project_namespace.as_deref(),
            // The name may be written differently from the path; the address has the path.
            link.project_url
                .as_deref()
                .and_then(|url| url.trim_end_matches('/').rsplit('/').next())
                .map(|path| path.trim_end_matches(".git"))
                .or(link.project_name.as_deref()),
        ),
        Some("bitbucket") => (link.owner.as_deref(), link.slug.as_deref()),
        _ => (
            link.org.as_deref().or(link.owner.as_deref()),
            link.repo.as_deref().or(link.slug.as_deref()),
        ),
    };
    let (owner, repo) = (owner?, repo?);
    (!owner.is_empty() && !repo.is_empty()).then(|| format!("{owner}/{repo}"))
}

/// One of the environments that every project has. Only preview can be narrowed to a branch.
pub(super) fn built_in(
    project_id: &str,
    environment: &str,
    branch: Option<&str>,
) -> Option<Destination> {
    let narrows = branch.is_none() || environment == "preview";
    (BUILT_IN.contains(&environment) && narrows).then(|| Destination {
        project_id: project_id.to_owned(),
        owner_id: None,
        service_id: None,
        scope: environment.to_owned(),
        custom: false,
        branch: branch.map(ToOwned::to_owned),
    })
}

/// Resolves an environment. Built-in names cost no call.
pub(super) async fn destination(
    client: &Client,
    session: &Session,
    target: &Target<'_>,
) -> Result<Destination, ProviderError> {
    let &Target {
        project_id,
        environment,
        branch,
        ..
    } = target;
    if branch.is_some() && environment != "preview" {
        return Err(ProviderError::Invalid {
            code: "branch".to_owned(),
            message: "At Vercel only preview can be narrowed to a branch.".to_owned(),
            key: None,
        });
    }
    if let Some(built_in) = built_in(project_id, environment, branch) {
        return Ok(built_in);
    }
    let custom = client
        .custom_environments(session, project_id)
        .await?
        .environments;
    let found = custom.iter().find(|known| {
        known.id.as_deref() == Some(environment) || known.slug.as_deref() == Some(environment)
    });
    if let Some(id) = found
        .and_then(|known| known.id.as_deref())
        .filter(|id| is_provider_ref(id))
    {
        return Ok(Destination {
            project_id: project_id.to_owned(),
            owner_id: None,
            service_id: None,
            scope: id.to_owned(),
            custom: true,
            branch: None,
        });
    }
    let slugs = custom.into_iter().filter_map(environment_name);
    Err(ProviderError::UnknownEnvironment {
        known: BUILT_IN
            .iter()
            .map(|&name| name.to_owned())
            .chain(slugs)
            .collect(),
    })
}

/// Whose credential it is. Tokens that may not ask for their user exist (narrow scopes, tokens of a
/// team or of an installation), and dead ones are refused in the same way; the projects tell them
/// apart.
pub(super) async fn account(
    client: &Client,
    session: &Session,
) -> Result<ProviderAccount, ProviderError> {
    let team_id = session.credential.team_id.clone();
    let user = match client.user(session).await {
        Ok(answer) => answer.user.into_iter().next().unwrap_or_default(),
        Err(failure) if failure.error == ProviderError::Forbidden => {
            return nameless_account(client, session).await;
        }
        Err(failure) => return Err(failure.error),
    };
    let user_id = user.id.ok_or(ProviderError::Protocol)?;
    let team_name = match &team_id {
        Some(id) => match client.team(session, id).await {
            Ok(team) => shown(team.name.or(team.slug).as_deref()).or_else(|| Some(id.clone())),
            // An installation may lack the right to show its team; a user may not be in it. Only the
            // former sees the team's projects.
            Err(failure) if failure.error == ProviderError::Forbidden => {
                client.projects(session, None, Some("1")).await?;
                Some(id.clone())
            }
            Err(failure) => return Err(failure.error),
        },
        None => None,
    };
    Ok(ProviderAccount {
        username: shown(user.username.or(user.name).as_deref()).unwrap_or_else(|| user_id.clone()),
        user_id,
        email: shown(user.email.as_deref()),
        team_id,
        team_name,
        token_kind: None,
    })
}

/// The account of a token that may not ask for its user: the one that owns the projects it sees.
async fn nameless_account(
    client: &Client,
    session: &Session,
) -> Result<ProviderAccount, ProviderError> {
    let dead = |failure: Failure| match failure.error {
        ProviderError::Forbidden => ProviderError::Unauthorized,
        error => error,
    };
    let page = client
        .projects(session, None, Some("1"))
        .await
        .map_err(dead)?;
    let owner = page
        .projects
        .into_iter()
        .flatten()
        .find_map(|project| project.account_id);
    let team_id = session.credential.team_id.clone();
    // A token that works and has nothing to name it by: a right is missing, not the token.
    let id = owner
        .or_else(|| team_id.clone())
        .ok_or(ProviderError::Forbidden)?;
    let team_name = match &team_id {
        Some(team) => client
            .team(session, team)
            .await
            .ok()
            .and_then(|team| shown(team.name.or(team.slug).as_deref())),
        None => None,
    };
    Ok(ProviderAccount {
        user_id: id.clone(),
        username: id,
        email: None,
        team_name: team_name.or_else(|| team_id.clone()),
        team_id,
        token_kind: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(link: &str) -> Option<String> {
        let json = format!(r#"{{"id":"prj_1","name":"n","env":[{{"value":"x"}}],"link":{link}}}"#);
        project(serde_json::from_str(&json).unwrap())
            .unwrap()
            .linked_repo
    }

    #[test]
    fn environments_that_nobody_can_ask_for_are_none() {
        let json = r#"{"id":"prj_1","name":"n","customEnvironments":[{"slug":"qa"},{"id":"env_1"},
            {"slug":"ev\u001b[2J\nERROR il"},{"slug":"il\u202e"},{"slug":""}]}"#;
        let project = project(serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(project.environments[BUILT_IN.len()..], ["qa", "env_1"]);
    }

    #[test]
    fn every_kind_of_link_has_its_repository() {
        for (link, expected) in [
            (
                r#"{"type":"github","org":"acme","repo":"app","repoId":1}"#,
                Some("acme/app"),
            ),
            (
                r#"{"type":"github-limited","org":"acme","repo":"app"}"#,
                Some("acme/app"),
            ),
            (
                r#"{"type":"github-custom-host","host":"h","org":"acme","repo":"app"}"#,
                Some("acme/app"),
            ),
            (
                r#"{"type":"gitlab","projectName":"My App","projectNamespace":"grp/sub","projectUrl":"https://gitlab.com/grp/sub/my-app"}"#,
                Some("grp/sub/my-app"),
            ),
            (
                r#"{"type":"bitbucket","owner":"acme","slug":"app","name":"App"}"#,
                Some("acme/app"),
            ),
            (
                r#"{"type":"vercel","org":"acme","repo":"app","repoId":"x"}"#,
                Some("acme/app"),
            ),
            (
                r#"{"type":"v0","org":"acme","repo":"app"}"#,
                Some("acme/app"),
            ),
            (
                r#"{"type":"cursor-origin","owner":"acme","ownerId":"1","repo":"app"}"#,
                Some("acme/app"),
            ),
            (
                r#"{"type":"of-tomorrow","owner":"acme","repo":"app","deployHooks":[{"url":"u"}]}"#,
                Some("acme/app"),
            ),
            (r#"{"type":"of-tomorrow","where":{}}"#, None),
            (r#"{"type":"github","org":"acme","repo":null}"#, None),
            ("null", None),
            ("false", None),
        ] {
            assert_eq!(repo(link).as_deref(), expected, "{link}");
        }
    }
}
