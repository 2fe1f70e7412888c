//! GitHub, as the one who says who somebody is and what they may do in a repository.
//!
//! Nothing is believed for long, and nothing is believed that could not be asked: without an answer
//! there is no access. Tokens are kept nowhere in clear; what is remembered of an answer for a short
//! while is found by a keyed hash of the token.

mod http;
mod recent;
mod renewal;
pub mod roles;
mod sign_in;
mod wire;

use std::time::Duration;

use crate::ambient::Ambient;
use crate::domain::vault::Role;
use crate::secret::Secret;
pub use crate::store::github::BELIEVED;
use http::Http;
use recent::Recent;
pub use roles::{RoleError, Roles};
pub use sign_in::{SignIn, SignInSettings, UserToken};

/// What GitHub's tokens of people begin with.
const TOKEN_STARTS: [&str; 4] = ["github_pat_", "ghp_", "gho_", "ghu_"];
/// Longest token that is passed on.
const MAX_TOKEN: usize = 512;
/// Repositories on a page.
const PER_PAGE: usize = 100;
/// Most pages of repositories that are read for one user.
const MAX_PAGES: usize = 10;

/// Whether a text can be the token of somebody at GitHub. What cannot is refused without a call.
pub fn is_token_format(text: &str) -> bool {
    TOKEN_STARTS.iter().any(|start| {
        text.strip_prefix(start)
            .is_some_and(|rest| !rest.is_empty())
    }) && text.len() <= MAX_TOKEN
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Where GitHub is.
#[derive(Debug, Clone)]
pub struct GitHubSettings {
    /// Origin of its API.
    pub api_url: String,
    /// How long one call may take.
    pub timeout: Duration,
    /// The app that people sign in through, when there is one.
    pub sign_in: Option<SignInSettings>,
}

/// Who somebody is. The id stays; a login can be renamed, and then be taken by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// GitHub's number.
    pub id: i64,
    /// The name of now.
    pub login: String,
}

/// A repository as somebody sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// GitHub's number. A name can be taken by another repository later.
    pub id: i64,
    /// What they may do; `None` when they may only read what everybody may.
    pub role: Option<Role>,
}

/// Which repository is meant.
#[derive(Debug, Clone, Copy)]
pub enum RepositoryName<'a> {
    /// By its number, whatever it is called by now.
    Id(i64),
    /// By what it is called now.
    Name {
        /// Owner.
        owner: &'a str,
        /// Name.
        repo: &'a str,
    },
}

/// Why GitHub did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// It does not take the token.
    #[error("GitHub does not take the token")]
    Unauthorized,
    /// It wants no calls for a while.
    #[error("GitHub takes no calls for {retry_after} s")]
    RateLimited {
        /// Seconds.
        retry_after: u64,
    },
    /// It did not answer, or not in a way that makes sense.
    #[error("GitHub did not answer")]
    Unavailable,
    /// The client cannot be made.
    #[error(
        "GITHUB_API_URL and GITHUB_WEB_URL must be http:// or https:// with a host and no path, and the system's root certificates must be installed"
    )]
    Setup,
}

/// Asks GitHub.
#[derive(Debug)]
pub struct GitHub {
    http: Http,
    accounts: Recent<Result<Account, GitHubError>>,
}

impl GitHub {
    /// A client.
    pub fn new(settings: &GitHubSettings, ambient: &Ambient) -> Result<Self, GitHubError> {
        Ok(Self {
            http: Http::new(&settings.api_url, settings.timeout, ambient.clone())?,
            accounts: Recent::new(ambient),
        })
    }

    /// Whose token it is. A refusal is remembered too, so that a wrong token costs one call.
    pub async fn account(&self, token: &Secret) -> Result<Account, GitHubError> {
        if let Some(known) = self.accounts.get(token) {
            return known;
        }
        let answer = self.http.get(token, "/user", &[]).await;
        let account = answer.and_then(|answer| match answer.status {
            200 => answer.json::<wire::User>().map(|user| Account {
                id: user.id,
                login: user.login,
            }),
            _ => Err(GitHubError::Unavailable),
        });
        if matches!(account, Ok(_) | Err(GitHubError::Unauthorized)) {
            self.accounts.put(token, account.clone(), BELIEVED);
        }
        account
    }

    /// A repository as the owner of the token sees it; `None` when they do not see it at all.
    pub async fn repository(
        &self,
        token: &Secret,
        name: RepositoryName<'_>,
    ) -> Result<Option<Repository>, GitHubError> {
        let path = match name {
            RepositoryName::Id(id) => format!("/repositories/{id}"),
            // Checked when it was made: letters, digits, '.', '_', '-', and no dots alone.
            RepositoryName::Name { owner, repo } => format!("/repos/{owner}/{repo}"),
        };
        let answer = self.http.get(token, &path, &[]).await?;
        match answer.status {
            200 => Ok(Some(answer.json::<wire::Repo>()?.into())),
            // Not there, not theirs, blocked, behind a sign-on that the token has not passed, or moved
            // away from this name.
            301 | 302 | 307 | 308 | 403 | 404 | 451 => Ok(None),
            _ => Err(GitHubError::Unavailable),
        }
    }

    /// The repositories that somebody has a part in. At most a thousand, the last changed ones: each
    /// other one is found by its own name.
    pub async fn repositories(&self, token: &Secret) -> Result<Vec<Repository>, GitHubError> {
        let mut found = Vec::new();
        for page in 1..=MAX_PAGES {
            let (page, size) = (page.to_string(), PER_PAGE.to_string());
            let query = [
                ("per_page", size.as_str()),
                ("sort", "pushed"),
                ("page", page.as_str()),
            ];
            let answer = self.http.get(token, "/user/repos", &query).await?;
            if answer.status != 200 {
                return Err(GitHubError::Unavailable);
            }
            let repos = answer.json::<Vec<wire::Repo>>()?;
            let full = repos.len() >= PER_PAGE;
            found.extend(repos.into_iter().map(Repository::from));
            if !full {
                break;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_people_are_asked_about() {
        for good in ["ghp_a1", "gho_a1", "ghu_a1", "github_pat_11A_b2"] {
            assert!(is_token_format(good), "{good}");
        }
        let long = format!("ghp_{}", "a".repeat(MAX_TOKEN));
        for bad in ["", "ghp_", "ghs_a1", "ghr_a1", "ghp_a b", "ghp_é", &long] {
            assert!(!is_token_format(bad), "{bad}");
        }
    }
}
