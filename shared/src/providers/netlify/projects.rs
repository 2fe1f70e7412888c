//! Sites, their contexts, and whose account it is.

use std::collections::HashSet;

use super::client::{Client, SITES_PER_PAGE};
use super::errors::invalid;
use super::rows::{BRANCH_DEPLOY, CONTEXTS};
use super::wire::Site;
use crate::domain::connection::ProviderAccount;
use crate::domain::names::shown_name;
use crate::providers::{Project, ProviderError, Session, Target};
use crate::sync::remote::Destination;

/// More pages than the largest account can fill.
const MAX_PAGES: usize = 200;

/// Every site, or every one of the team that the connection is for.
pub(super) async fn all(client: &Client, session: &Session) -> Result<Vec<Project>, ProviderError> {
    let sites = sites(client, session, None).await?;
    Ok(sites.into_iter().filter_map(project).collect())
}

/// Follows the pages. One that does not end is an error, since a list that is silently short hides
/// sites.
async fn sites(
    client: &Client,
    session: &Session,
    name: Option<&str>,
) -> Result<Vec<Site>, ProviderError> {
    let mut found = Vec::new();
    let mut ids = HashSet::new();
    for number in 1..=MAX_PAGES {
        let page = client.sites(session, number, name).await?;
        let size = page.sites.len();
        for site in page.sites {
            let is_new = site.id.as_ref().is_some_and(|id| ids.insert(id.clone()));
            if is_new && is_shown(&site, session) {
                found.push(site);
            }
        }
        // Without a word about it, a page that is not full is the last.
        if !page.more.unwrap_or(size >= SITES_PER_PAGE) || size == 0 {
            return Ok(found);
        }
    }
    Err(ProviderError::Protocol)
}

/// A connection for a team is for nothing else, though its token sees more.
fn is_shown(site: &Site, session: &Session) -> bool {
    let team = session.credential.team_id.as_deref();
    team.is_none_or(|team| site.account_id.as_deref() == Some(team))
}

pub(super) fn project(site: Site) -> Option<Project> {
    let id = site.id.filter(|id| !id.is_empty())?;
    let settings = site.build_settings.into_iter().next();
    let deploy = site.published_deploy.into_iter().next();
    Some(Project {
        name: shown(site.name.as_deref()).or_else(|| shown(Some(&id)))?,
        linked_repo: shown(settings.and_then(|settings| settings.repo_path).as_deref()),
        framework: shown(deploy.and_then(|deploy| deploy.framework).as_deref()),
        environments: CONTEXTS.iter().map(|&name| name.to_owned()).collect(),
        services: Vec::new(),
        id,
    })
}

fn shown(text: Option<&str>) -> Option<String> {
    text.and_then(shown_name)
}

/// One site: by its id, by a domain of it, or by its name.
pub(super) async fn one(
    client: &Client,
    session: &Session,
    named: &str,
) -> Result<Project, ProviderError> {
    let site = find(client, session, named).await?;
    project(site).ok_or(ProviderError::Protocol)
}

async fn find(client: &Client, session: &Session, named: &str) -> Result<Site, ProviderError> {
    let site = if is_id(named) || named.contains('.') {
        client.site(session, named).await?
    } else {
        // A part of the name is enough for the list.
        let found = sites(client, session, Some(named)).await?;
        let mut found = found.into_iter();
        found
            .find(|site| site.name.as_deref() == Some(named))
            .ok_or(ProviderError::NotFound)?
    };
    if is_shown(&site, session) {
        Ok(site)
    } else {
        Err(ProviderError::NotFound)
    }
}

/// Ids are UUIDs and never change; names and domains do.
pub(super) fn is_id(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}

/// The destination, when the site's team is known.
pub(super) fn known(account: Option<&str>, target: &Target<'_>) -> Option<Destination> {
    let account = account.filter(|_| is_id(target.project_id))?;
    at(account, target.project_id, target).ok()
}

/// Resolves a context. The site is asked for its team only where the connection is not for one.
pub(super) async fn destination(
    client: &Client,
    session: &Session,
    target: &Target<'_>,
) -> Result<Destination, ProviderError> {
    let team = session.credential.team_id.as_deref();
    if let Some(account) = team.filter(|_| is_id(target.project_id)) {
        return at(account, target.project_id, target);
    }
    let site = find(client, session, target.project_id).await?;
    let (Some(account), Some(id)) = (&site.account_id, &site.id) else {
        return Err(ProviderError::Protocol);
    };
    at(account, id, target)
}

fn at(account: &str, site: &str, target: &Target<'_>) -> Result<Destination, ProviderError> {
    if !CONTEXTS.contains(&target.environment) {
        return Err(ProviderError::UnknownEnvironment {
            known: CONTEXTS.iter().map(|&name| name.to_owned()).collect(),
        });
    }
    if target.branch.is_some() && target.environment != BRANCH_DEPLOY {
        return Err(invalid(
            "branch",
            "At Netlify only branch-deploy can be narrowed to a branch.",
        ));
    }
    Ok(Destination {
        project_id: site.to_owned(),
        owner_id: Some(account.to_owned()),
        service_id: None,
        scope: target.environment.to_owned(),
        custom: false,
        branch: target.branch.map(ToOwned::to_owned),
    })
}

/// Whose token it is. Where the user has one team only, the connection is for that: then no site has to
/// be asked for its team.
pub(super) async fn account(
    client: &Client,
    session: &Session,
) -> Result<ProviderAccount, ProviderError> {
    let user = client.user(session).await?;
    let user_id = user.id.ok_or(ProviderError::Protocol)?;
    let mut teams = client.accounts(session).await?;
    let team = match &session.credential.team_id {
        Some(wanted) => {
            let named = |name: &Option<String>| name.as_ref() == Some(wanted);
            let mut teams = teams.into_iter();
            let found = teams.find(|team| named(&team.id) || named(&team.slug));
            Some(found.ok_or(ProviderError::NotFound)?)
        }
        None if teams.len() == 1 => teams.pop(),
        None => None,
    };
    let (team_id, team_name) = match team {
        Some(team) => {
            let id = team.id.ok_or(ProviderError::Protocol)?;
            let name = shown(team.name.or(team.slug).as_deref());
            let name = name.unwrap_or_else(|| id.clone());
            (Some(id), Some(name))
        }
        None => (None, None),
    };
    Ok(ProviderAccount {
        username: shown(user.full_name.as_deref().or(user.email.as_deref()))
            .unwrap_or_else(|| user_id.clone()),
        user_id,
        email: shown(user.email.as_deref()),
        team_id,
        team_name,
        token_kind: None,
    })
}
