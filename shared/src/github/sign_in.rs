//! Signing in through GitHub's pages: the address that a browser is sent to, and what the code is
//! exchanged for. GitHub's documentation: "Authorizing OAuth apps", "Generating a user access token for
//! a GitHub App", "Refreshing user access tokens".

use std::time::Duration;

use url::Url;

use super::http::Http;
use super::{GitHubError, is_token_format, wire};
use crate::ambient::Ambient;
use crate::crypto::pkce::challenge;
use crate::secret::Secret;

/// Path of the exchange, on the origin of GitHub's pages.
const EXCHANGE: &str = "/login/oauth/access_token";
/// Longest refresh token that is kept.
const MAX_REFRESH: usize = 1024;

/// The app at GitHub that people sign in through.
#[derive(Debug, Clone)]
pub struct SignInSettings {
    /// Origin of GitHub's pages.
    pub web_url: String,
    /// The app's public id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Scopes to ask for. A GitHub App has permissions of its own and needs none; an OAuth app needs
    /// `repo` to see private repositories.
    pub scope: Option<String>,
}

/// A token of somebody who signed in.
#[derive(Debug, Clone)]
pub struct UserToken {
    /// The token.
    pub access: Secret,
    /// Until when it is taken, from now; `None` when it does not end by itself.
    pub lasts: Option<Duration>,
    /// Gives the next one, once.
    pub refresh: Option<Secret>,
}

/// Signs people in through GitHub.
#[derive(Debug)]
pub struct SignIn {
    http: Http,
    settings: SignInSettings,
}

impl SignIn {
    /// A client.
    pub fn new(
        settings: &SignInSettings,
        timeout: Duration,
        ambient: &Ambient,
    ) -> Result<Self, GitHubError> {
        Ok(Self {
            http: Http::new(&settings.web_url, timeout, ambient.clone())?,
            settings: settings.clone(),
        })
    }

    /// The page that a browser is sent to. `verifier` is shown at the exchange only: a code that
    /// somebody caught on the way is of no use (RFC 7636).
    pub fn authorize_url(&self, state: &str, callback: &str, verifier: &Secret) -> Option<String> {
        let mut url = Url::parse(self.http.origin()).ok()?;
        url.set_path("/login/oauth/authorize");
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", callback)
            .append_pair("state", state)
            .append_pair("code_challenge", &challenge(verifier))
            .append_pair("code_challenge_method", "S256");
        if let Some(scope) = &self.settings.scope {
            url.query_pairs_mut().append_pair("scope", scope);
        }
        Some(url.into())
    }

    /// Origin of the pages: where a form of ours may lead.
    pub fn origin(&self) -> &str {
        self.http.origin()
    }

    /// The page on which people choose the repositories that a GitHub App shows them; `None` for an OAuth
    /// app, which shows all of theirs.
    pub fn installations_url(&self) -> Option<String> {
        let is_app = self.settings.scope.is_none();
        is_app.then(|| format!("{}/settings/installations", self.http.origin()))
    }

    /// Exchanges a code. [`GitHubError::Unauthorized`] when GitHub does not take it, or not from this
    /// app; the log tells which.
    pub async fn exchange(
        &self,
        code: &str,
        callback: &str,
        verifier: &Secret,
    ) -> Result<UserToken, GitHubError> {
        self.ask(&[
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", verifier.expose()),
        ])
        .await
    }

    /// Exchanges a refresh token, which is spent by that, whether or not the answer arrives.
    pub async fn refresh(&self, refresh: &Secret) -> Result<UserToken, GitHubError> {
        self.ask(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose()),
        ])
        .await
    }

    async fn ask(&self, fields: &[(&str, &str)]) -> Result<UserToken, GitHubError> {
        let mut form = vec![
            ("client_id", self.settings.client_id.as_str()),
            ("client_secret", self.settings.client_secret.expose()),
        ];
        form.extend_from_slice(fields);
        let answer = self.http.post_form(EXCHANGE, &form).await?;
        // GitHub answers 200 also when it refuses.
        let told = answer.json::<wire::Exchange>()?;
        match (told.access_token, told.error) {
            (Some(access), None) if is_token_format(access.expose()) => Ok(UserToken {
                access,
                lasts: told.expires_in.map(Duration::from_secs),
                refresh: told
                    .refresh_token
                    .filter(|token| (1..=MAX_REFRESH).contains(&token.expose().len())),
            }),
            (_, Some(error)) => {
                // A word of GitHub's list; never what was sent.
                let known = [
                    "bad_verification_code",
                    "incorrect_client_credentials",
                    "redirect_uri_mismatch",
                    "bad_refresh_token",
                    "unverified_user_email",
                ];
                let reason = known.iter().find(|known| **known == error);
                let reason = reason.copied().unwrap_or("another reason");
                tracing::warn!(reason, "GitHub refused a sign-in");
                Err(GitHubError::Unauthorized)
            }
            _ => Err(GitHubError::Unavailable),
        }
    }
}
