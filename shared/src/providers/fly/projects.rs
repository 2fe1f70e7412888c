//! Apps, and whose token it is.

use std::collections::BTreeSet;

use super::client::Client;
use super::rows::ENVIRONMENT;
use super::wire::{App, TokenInfo};
use crate::domain::connection::ProviderAccount;
use crate::domain::names::{is_provider_ref, shown_name};
use crate::providers::{Project, ProviderError, Session, Target};
use crate::sync::remote::Destination;

/// A token of an organization.
pub(super) const ORG: &str = "org";
/// A token that is limited to apps.
pub(super) const DEPLOY: &str = "deploy";
/// A token of a person.
pub(super) const USER: &str = "user";

/// What a bundle of tokens reaches.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of an organization.
    Organization {
        slug: String,
        name: Option<String>,
        user: Option<String>,
    },
    /// Some apps.
    Apps(BTreeSet<String>),
}

/// What is reached, of the organization that `team_id` names when there are several.
pub(super) fn reach(tokens: Vec<TokenInfo>, team_id: Option<&str>) -> Result<Reach, ProviderError> {
    let slug = |token: &TokenInfo| token.org_slug.clone().filter(|slug| is_provider_ref(slug));
    let mut slugs: BTreeSet<String> = tokens.iter().filter_map(slug).collect();
    if let Some(team) = team_id {
        slugs.retain(|slug| slug == team);
        if slugs.is_empty() {
            return Err(ProviderError::NotFound);
        }
    }
    if slugs.len() > 1 {
        return Err(several(&slugs));
    }
    let chosen = slugs.pop_first();
    let of_it = |token: &TokenInfo| chosen.is_none() || token.org_slug == chosen;
    let tokens: Vec<TokenInfo> = tokens.into_iter().filter(of_it).collect();
    let apps = || {
        let names = tokens.iter().flat_map(|token| &token.apps);
        names.filter(|name| is_provider_ref(name)).cloned()
    };
    match chosen {
        // UNCERTAIN: that no apps mean no limit. A token for no app at all would be of no use.
        Some(slug) if tokens.iter().any(|token| token.apps.is_empty()) => {
            let find = |field: fn(&TokenInfo) -> Option<&String>| {
                let name = tokens.iter().find_map(field)?;
                shown_name(name)
            };
            Ok(Reach::Organization {
                name: find(|token| token.organization.as_ref()),
                user: find(|token| token.user.as_ref()),
                slug,
            })
        }
        _ => {
            let apps: BTreeSet<String> = apps().collect();
            // A token that works and tells nothing of itself.
            if apps.is_empty() {
                return Err(nameless());
            }
            Ok(Reach::Apps(apps))
        }
    }
}

fn several(slugs: &BTreeSet<String>) -> ProviderError {
    let slugs: Vec<String> = slugs.iter().filter_map(|slug| shown_name(slug)).collect();
    ProviderError::Invalid {
        code: "organization".to_owned(),
        message: format!(
            "This token is for several organizations of Fly.io. Give the slug of one of them as \
             teamId: {}.",
            slugs.join(", ")
        ),
        key: None,
    }
}

fn nameless() -> ProviderError {
    ProviderError::Invalid {
        code: "organization".to_owned(),
        message:
            "Fly.io does not say which organization this token is for. Give its slug as teamId."
                .to_owned(),
        key: None,
    }
}

/// Whose token it is: an organization, or the apps that it is limited to. Its text says nothing of that.
pub(super) async fn account(
    client: &Client,
    session: &Session,
) -> Result<ProviderAccount, ProviderError> {
    let team_id = session.credential.team_id.as_deref();
    let tokens = client.tokens(session).await?.tokens;
    let reach = match team_id {
        // UNCERTAIN: only macaroons tell what they are for. Of another token, what it can list does.
        Some(team) if tokens.is_empty() => {
            client.apps(session, team).await?;
            Reach::Organization {
                slug: team.to_owned(),
                name: None,
                user: None,
            }
        }
        _ => reach(tokens, team_id)?,
    };
    Ok(match reach {
        Reach::Organization { slug, name, user } => ProviderAccount {
            token_kind: Some(if user.is_some() { USER } else { ORG }),
            user_id: user.clone().unwrap_or_else(|| slug.clone()),
            username: user
                .or_else(|| name.clone())
                .unwrap_or_else(|| slug.clone()),
            email: None,
            team_name: name.or_else(|| Some(slug.clone())),
            team_id: Some(slug),
        },
        Reach::Apps(apps) => {
            let apps = Vec::from_iter(apps);
            ProviderAccount {
                user_id: format!("app:{}", apps.join(",")),
                username: apps.join(", "),
                email: None,
                team_id: None,
                team_name: None,
                token_kind: Some(DEPLOY),
            }
        }
    })
}

/// Every app. The account of a connection has an organization unless its token is limited to apps, and
/// such a token may not list them.
pub(super) async fn all(client: &Client, session: &Session) -> Result<Vec<Project>, ProviderError> {
    let credential = &session.credential;
    let apps = match &credential.team_id {
        Some(team) if credential.token_kind.as_deref() != Some(DEPLOY) => {
            client.apps(session, team).await?.apps
        }
        team => {
            let tokens = client.tokens(session).await?.tokens;
            match reach(tokens, team.as_deref())? {
                Reach::Organization { slug, .. } => client.apps(session, &slug).await?.apps,
                Reach::Apps(names) => each(client, session, names).await?,
            }
        }
    };
    Ok(apps.into_iter().filter_map(project).collect())
}

/// The apps of these names that there are.
async fn each(
    client: &Client,
    session: &Session,
    names: BTreeSet<String>,
) -> Result<Vec<App>, ProviderError> {
    let mut apps = Vec::with_capacity(names.len());
    for name in &names {
        match client.app(session, name).await {
            Ok(app) => apps.push(app),
            // The token outlives the app.
            Err(failure) if failure.error == ProviderError::NotFound => {}
            Err(failure) => return Err(failure.error),
        }
    }
    Ok(apps)
}

/// One app, by its name.
pub(super) async fn one(
    client: &Client,
    session: &Session,
    name: &str,
) -> Result<Project, ProviderError> {
    project(client.app(session, name).await?).ok_or(ProviderError::Protocol)
}

/// An app goes by its name, which is unique at Fly.io and never changes.
pub(super) fn project(app: App) -> Option<Project> {
    let id = app.name.filter(|name| is_provider_ref(name))?;
    Some(Project {
        name: shown_name(&id)?,
        linked_repo: None,
        framework: None,
        environments: vec![ENVIRONMENT.to_owned()],
        services: Vec::new(),
        id,
    })
}

/// Lower case letters, digits and dashes, as the API takes for a new app.
pub(super) fn is_app_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The one destination of an app.
pub(super) fn destination(target: &Target<'_>) -> Option<Destination> {
    let plain = target.branch.is_none() && target.service_id.is_none();
    (plain && target.environment == ENVIRONMENT).then(|| Destination {
        project_id: target.project_id.to_owned(),
        owner_id: None,
        service_id: None,
        scope: ENVIRONMENT.to_owned(),
        custom: false,
        branch: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(org_slug: &str, apps: &[&str]) -> TokenInfo {
        TokenInfo {
            org_slug: Some(org_slug.to_owned()),
            apps: apps.iter().map(ToString::to_string).collect(),
            ..TokenInfo::default()
        }
    }

    fn whole(slug: &str) -> Reach {
        Reach::Organization {
            slug: slug.to_owned(),
            name: None,
            user: None,
        }
    }

    fn code(reached: Result<Reach, ProviderError>) -> String {
        match reached {
            Err(ProviderError::Invalid { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bundle_is_for_one_organization_or_for_apps_of_it() {
        let apps = |names: &[&str]| Reach::Apps(names.iter().map(ToString::to_string).collect());
        assert_eq!(reach(vec![token("acme", &[])], None), Ok(whole("acme")));
        assert_eq!(
            reach(
                vec![token("acme", &["b"]), token("acme", &["a", "b"])],
                None
            ),
            Ok(apps(&["a", "b"]))
        );
        assert_eq!(
            reach(vec![token("acme", &["b"]), token("acme", &[])], None),
            Ok(whole("acme"))
        );
        // Limited to apps, and silent about their organization.
        let silent = TokenInfo {
            apps: vec!["a".to_owned()],
            ..TokenInfo::default()
        };
        assert_eq!(reach(vec![silent], None), Ok(apps(&["a"])));
    }

    #[test]
    fn of_several_organizations_one_is_chosen_and_none_is_guessed() {
        let both = || vec![token("acme", &[]), token("globex", &["a"])];
        assert!(code(reach(both(), None)).ends_with("acme, globex."));
        assert_eq!(reach(both(), Some("acme")), Ok(whole("acme")));
        assert!(matches!(reach(both(), Some("globex")), Ok(Reach::Apps(_))));
        let other = reach(both(), Some("personal"));
        assert_eq!(other, Err(ProviderError::NotFound));
        assert!(code(reach(vec![], None)).contains("does not say"));
        assert!(code(reach(vec![TokenInfo::default()], None)).contains("does not say"));
    }

    #[test]
    fn names_of_apps() {
        for name in ["my-app", "a", "0x", "my--app-2"] {
            assert!(is_app_name(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in ["", "My-app", "-a", "a-", "a_b", "a.b", "a/b", &long] {
            assert!(!is_app_name(name), "{name}");
        }
    }
}
