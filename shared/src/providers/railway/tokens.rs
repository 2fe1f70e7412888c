//! The kinds of tokens: how each is sent, and whose it is.

use crate::domain::connection::{Credential, ProviderAccount};
use crate::domain::names::shown_name;
use crate::providers::authorization::{HeaderName, HeaderValue, bearer, visible};
use crate::providers::capabilities::TokenKind;
use crate::providers::{ProviderError, Session};

use super::client::Client;

const ACCOUNT: &str = "account";
const WORKSPACE: &str = "workspace";
const PROJECT: &str = "project";

/// The one with the least rights that sees projects first.
pub(super) const KINDS: &[TokenKind] = &[
    TokenKind {
        name: WORKSPACE,
        display_name: "Workspace token",
        reach: "Every project of one workspace.",
    },
    TokenKind {
        name: PROJECT,
        display_name: "Project token",
        reach: "One environment of one project.",
    },
    TokenKind {
        name: ACCOUNT,
        display_name: "Account token",
        reach: "Everything that its user can reach, in every workspace.",
    },
];

const PROJECT_HEADER: HeaderName = HeaderName::from_static("project-access-token");

/// A project token has a header of its own, and no other beside it. All others are bearers.
pub(super) fn authorize(credential: &Credential) -> Option<(HeaderName, HeaderValue)> {
    if is_of_project(credential) {
        let value = HeaderValue::from_str(visible(credential)?).ok()?;
        Some((PROJECT_HEADER, value))
    } else {
        bearer(credential)
    }
}

/// Whether it is a token of one environment of one project.
pub(super) fn is_of_project(credential: &Credential) -> bool {
    credential.token_kind.as_deref() == Some(PROJECT)
}

/// Whose token it is. Of which kind a token is that was pasted shows in which question it answers;
/// the first is answered to tokens of OAuth as well.
pub(super) async fn account(
    client: &Client,
    session: &Session,
) -> Result<ProviderAccount, ProviderError> {
    match session.credential.token_kind.as_deref() {
        Some(WORKSPACE) => return of_workspace(client, session).await,
        Some(PROJECT) => return of_project(client, session).await,
        Some(_) => return of_user(client, session).await,
        None => {}
    }
    match of_user(client, session).await {
        Err(ProviderError::Unauthorized) => {}
        found => return found,
    }
    match of_workspace(client, session).await {
        Err(ProviderError::Unauthorized) => {}
        found => return found,
    }
    let mut session = session.clone();
    session.credential.token_kind = Some(PROJECT.to_owned());
    of_project(client, &session).await
}

/// A token that may not ask for itself is none of that kind, or dead.
fn no_such_token(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Forbidden | ProviderError::NotFound => ProviderError::Unauthorized,
        error => error,
    }
}

fn shown(name: &str, id: &str) -> String {
    shown_name(name).unwrap_or_else(|| id.to_owned())
}

async fn of_user(client: &Client, session: &Session) -> Result<ProviderAccount, ProviderError> {
    let user = client.me(session).await.map_err(no_such_token)?;
    let team = match &session.credential.team_id {
        Some(id) => {
            let mut workspaces = user.workspaces.into_iter();
            let found = workspaces.find(|workspace| workspace.id == *id);
            Some(found.ok_or(ProviderError::NotFound)?)
        }
        None => None,
    };
    let name = user.name.as_deref().and_then(shown_name);
    let email = user.email.as_deref().and_then(shown_name);
    Ok(ProviderAccount {
        username: name
            .or_else(|| email.clone())
            .unwrap_or_else(|| user.id.clone()),
        user_id: user.id,
        email,
        team_name: team.as_ref().map(|team| shown(&team.name, &team.id)),
        team_id: team.map(|team| team.id),
        token_kind: Some(ACCOUNT),
    })
}

/// Nobody is told who made it: it stands for the workspace.
async fn of_workspace(
    client: &Client,
    session: &Session,
) -> Result<ProviderAccount, ProviderError> {
    let workspaces = client.workspaces(session).await.map_err(no_such_token)?;
    let mut workspaces = workspaces.into_iter();
    let found = match &session.credential.team_id {
        Some(id) => workspaces
            .find(|workspace| workspace.id == *id)
            .ok_or(ProviderError::NotFound)?,
        // A token that works and has nothing to name it by: a right is missing, not the token.
        None => workspaces.next().ok_or(ProviderError::Forbidden)?,
    };
    let name = shown(&found.name, &found.id);
    Ok(ProviderAccount {
        user_id: found.id.clone(),
        username: name.clone(),
        email: None,
        team_id: Some(found.id),
        team_name: Some(name),
        token_kind: Some(WORKSPACE),
    })
}

async fn of_project(client: &Client, session: &Session) -> Result<ProviderAccount, ProviderError> {
    let token = client.project_token(session).await.map_err(no_such_token)?;
    if session.credential.team_id.is_some() {
        return Err(ProviderError::NotFound);
    }
    let project = shown(&token.project.name, &token.project_id);
    let environment = shown(&token.environment.name, &token.environment_id);
    Ok(ProviderAccount {
        // The token's own id would be another after each rotation of it.
        user_id: format!("project:{}:{}", token.project_id, token.environment_id),
        username: format!("{project} ({environment})"),
        email: None,
        team_id: None,
        team_name: None,
        token_kind: Some(PROJECT),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_project_token_goes_by_itself() {
        let sent = |kind: Option<&str>, token: &str| {
            let credential = Credential {
                token: Secret::new(token),
                team_id: None,
                installation_id: None,
                token_kind: kind.map(str::to_owned),
            };
            let (name, value) = authorize(&credential)?;
            Some(format!("{name}: {}", value.to_str().unwrap()))
        };
        let project = sent(Some(PROJECT), "a-b");
        assert_eq!(project.as_deref(), Some("project-access-token: a-b"));
        for kind in [None, Some(ACCOUNT), Some(WORKSPACE)] {
            assert_eq!(
                sent(kind, "a-b").as_deref(),
                Some("authorization: Bearer a-b")
            );
        }
        assert_eq!(sent(Some(PROJECT), "a\nb"), None);
    }
}
