//! The door to GitHub: limits on time and size, no redirects, and no call while GitHub wants none.

use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::GitHubError;
use super::recent::Recent;
use crate::ambient::Ambient;
use crate::providers::http::USER_AGENT;
use crate::secret::Secret;

/// Largest answer that is read: a page of a hundred repositories is well below.
const MAX_ANSWER: usize = 8 << 20;
/// How long to wait when GitHub does not say.
const DEFAULT_WAIT: u64 = 60;
/// The longest wait that is believed.
const MAX_WAIT: u64 = 3600;

#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    origin: String,
    ambient: Ambient,
    /// Tokens that GitHub wants no calls with, and for how long.
    held: Recent<Duration>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, GitHubError> {
        serde_json::from_slice(&self.body).map_err(|_| GitHubError::Unavailable)
    }
}

impl Http {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that makes clients of GitHub"
    )]
    pub(super) fn new(
        origin: &str,
        timeout: Duration,
        ambient: Ambient,
    ) -> Result<Self, GitHubError> {
        let url = reqwest::Url::parse(origin).map_err(|_| GitHubError::Setup)?;
        let bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        if !bare || !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(GitHubError::Setup);
        }
        // The program installs it first thing; a test may not have. A second one is refused and meant.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(timeout / 2)
            .timeout(timeout)
            .https_only(url.scheme() == "https")
            .build()
            .map_err(|_| GitHubError::Setup)?;
        Ok(Self {
            client,
            origin: url.origin().ascii_serialization(),
            held: Recent::new(&ambient),
            ambient,
        })
    }

    /// Asks with somebody's token. What means "not now" or "not with this token" is an error; all else
    /// is for the caller to judge.
    #[expect(clippy::disallowed_methods, reason = "the one place that calls GitHub")]
    pub(super) async fn get(
        &self,
        token: &Secret,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, GitHubError> {
        if let Some(until) = self.held.get(token) {
            let left = until.saturating_sub(self.ambient.elapsed());
            return Err(GitHubError::RateLimited {
                retry_after: left.as_secs().max(1),
            });
        }
        let request = self
            .client
            .get(format!("{}{path}", self.origin))
            .query(query)
            .bearer_auth(token.expose())
            .header(ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28");
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        let status = response.status().as_u16();
        match status {
            401 => return Err(GitHubError::Unauthorized),
            403 | 429 => {
                if let Some(seconds) = self.wait(status, response.headers()) {
                    tracing::warn!(status, seconds, "GitHub limits calls");
                    let wait = Duration::from_secs(seconds);
                    let until = self.ambient.elapsed() + wait;
                    self.held.put(token, until, wait);
                    return Err(GitHubError::RateLimited {
                        retry_after: seconds,
                    });
                }
            }
            500.. => {
                tracing::warn!(status, "GitHub failed");
                return Err(GitHubError::Unavailable);
            }
            _ => {}
        }
        read(response).await
    }

    /// Sends a form to one of GitHub's pages, in the name of the app. Anything but 200 is no answer.
    #[expect(clippy::disallowed_methods, reason = "the one place that calls GitHub")]
    pub(super) async fn post_form(
        &self,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, GitHubError> {
        let request = self
            .client
            .post(format!("{}{path}", self.origin))
            .header(ACCEPT, "application/json")
            .form(form);
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        match response.status().as_u16() {
            200 => read(response).await,
            status => {
                tracing::warn!(status, "GitHub did not answer a sign-in");
                Err(match self.wait(status, response.headers()) {
                    Some(retry_after) => GitHubError::RateLimited { retry_after },
                    None => GitHubError::Unavailable,
                })
            }
        }
    }

    /// Where it is.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// How long GitHub wants no calls, when that is what an answer says: `Retry-After`, or the time of
    /// the reset when nothing remains.
    fn wait(&self, status: u16, headers: &HeaderMap) -> Option<u64> {
        let number =
            |name: &str| -> Option<i64> { headers.get(name)?.to_str().ok()?.trim().parse().ok() };
        let spent = number("x-ratelimit-remaining") == Some(0);
        let seconds = match number(RETRY_AFTER.as_str()) {
            Some(seconds) => seconds,
            None if spent => match number("x-ratelimit-reset") {
                Some(reset) => reset - self.ambient.now().timestamp(),
                None => DEFAULT_WAIT.cast_signed(),
            },
            None if status == 429 => DEFAULT_WAIT.cast_signed(),
            None => return None,
        };
        Some(seconds.clamp(1, MAX_WAIT.cast_signed()).unsigned_abs())
    }
}

fn unanswered(error: &reqwest::Error) -> GitHubError {
    tracing::warn!(timeout = error.is_timeout(), "GitHub could not be asked");
    GitHubError::Unavailable
}

async fn read(mut response: reqwest::Response) -> Result<Answer, GitHubError> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|_| GitHubError::Unavailable)?
    {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(GitHubError::Unavailable);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}
