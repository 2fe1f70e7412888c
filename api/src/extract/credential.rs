//! What a caller can send to show who calls.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use keyway_shared::crypto::tokens::{hash_token, is_api_key_format, is_session_format};
use keyway_shared::domain::account::{ApiKey, Scope, User, UserSession};
use keyway_shared::github::is_token_format;
use keyway_shared::secret::Secret;
use keyway_shared::store::{StoreError, Tx};
use uuid::Uuid;

use crate::error::ApiError;
use crate::state::ApiState;

/// How often a credential's last use is written down.
const TOUCH_EVERY: TimeDelta = TimeDelta::seconds(60);
const REFUSED: ApiError = ApiError::Unauthorized("Invalid or expired token");

/// What was sent. Each is looked up by the hash of the whole token: nothing compares its characters
/// one by one, so the time taken tells nothing about them.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An API key: the user, within the key's scopes.
    ApiKey(ApiKey),
    /// A session: the user.
    Session(UserSession),
    /// A token of GitHub's, in GitHub mode: the user there.
    GitHub(Secret),
}

impl Credential {
    /// The credential of a token of whatever kind, and whose it is.
    pub(crate) async fn of_token(
        state: &ApiState,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<(Self, User), ApiError> {
        if token.starts_with("kw_") {
            Self::of_api_key(state, token, address).await
        } else if let Some(roles) = &state.roles
            && is_token_format(token)
        {
            let token = Secret::new(token);
            let user = roles.identify(&token).await?;
            Ok((Self::GitHub(token), user))
        } else {
            Self::of_session(state, token).await
        }
    }

    /// The API key of a token. Nothing else.
    pub(crate) async fn of_api_key(
        state: &ApiState,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<(Self, User), ApiError> {
        if !is_api_key_format(token) {
            return Err(ApiError::Unauthorized("Invalid API key format"));
        }
        let mut tx = state.store.begin_read_statement().await?;
        let found = tx.find_api_key_by_hash(&hash_token(token)).await?;
        tx.commit().await?;
        let (key, user) = found
            .filter(|(key, _)| key.revoked_at.is_none())
            .ok_or(ApiError::Unauthorized("Invalid or revoked API key"))?;
        let now = state.ambient.now();
        if !key.is_active(now) {
            return Err(ApiError::Unauthorized("API key has expired"));
        }
        if !key.allows(address) {
            return Err(ApiError::Unauthorized(
                "IP address not allowed for this API key",
            ));
        }
        let last = key.last_used_at;
        let credential = Self::ApiKey(key);
        credential.touch(state, last, now).await;
        Ok((credential, user))
    }

    /// The session of a token. Nothing else is taken from a cookie.
    pub(crate) async fn of_session(
        state: &ApiState,
        token: &str,
    ) -> Result<(Self, User), ApiError> {
        if !is_session_format(token) {
            return Err(REFUSED);
        }
        let mut tx = state.store.begin_read_statement().await?;
        let found = tx.find_session_by_hash(&hash_token(token)).await?;
        tx.commit().await?;
        let now = state.ambient.now();
        let (session, user) = found
            .filter(|(session, _)| session.is_active(now))
            .ok_or(REFUSED)?;
        let last = session.last_used_at;
        let credential = Self::Session(session);
        credential.touch(state, last, now).await;
        Ok((credential, user))
    }

    /// What it may be used for: only API keys are restricted.
    pub fn scopes(&self) -> &[Scope] {
        match self {
            Self::ApiKey(key) => &key.scopes,
            Self::Session(_) | Self::GitHub(_) => Scope::ALL,
        }
    }

    /// The API key, if it is one.
    pub fn api_key_id(&self) -> Option<Uuid> {
        match self {
            Self::ApiKey(key) => Some(key.id),
            Self::Session(_) | Self::GitHub(_) => None,
        }
    }

    /// The session, if it is one.
    pub fn session_id(&self) -> Option<Uuid> {
        match self {
            Self::ApiKey(_) | Self::GitHub(_) => None,
            Self::Session(session) => Some(session.id),
        }
    }

    /// The token to ask GitHub with, if it is one.
    pub(crate) fn github_token(&self) -> Option<&Secret> {
        match self {
            Self::GitHub(token) => Some(token),
            Self::ApiKey(_) | Self::Session(_) => None,
        }
    }

    /// Whether it would still be taken: for answers that go on for long.
    pub(crate) async fn is_alive(
        &self,
        tx: &mut Tx,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        Ok(match self {
            Self::ApiKey(key) => {
                let key = tx.find_api_key(key.user_id, key.id).await?;
                key.is_some_and(|key| key.is_active(now))
            }
            Self::Session(session) => {
                let session = tx.find_session(session.user_id, session.id).await?;
                session.is_some_and(|session| session.is_active(now))
            }
            // The role is asked for with it.
            Self::GitHub(_) => true,
        })
    }

    /// Notes the use, at most once a minute. A failure costs the note, not the request.
    async fn touch(&self, state: &ApiState, last: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        if last.is_some_and(|at| now - at < TOUCH_EVERY) {
            return;
        }
        let noted = async {
            let mut tx = state.store.begin().await?;
            match self {
                Self::ApiKey(key) => tx.touch_api_key(key.id, now).await?,
                Self::Session(session) => tx.touch_session(session.id, now).await?,
                Self::GitHub(_) => {}
            }
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "the use of a credential was not noted");
        }
    }
}
