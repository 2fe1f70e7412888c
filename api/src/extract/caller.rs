//! Who calls, and what the key that was sent may be used for.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, TimeDelta, Utc};
use keyway_shared::crypto::tokens::{hash_token, is_api_key_format};
use keyway_shared::domain::account::{ApiKey, Scope, User};
use keyway_shared::domain::activity::{Action, Activity, Platform};
use keyway_shared::domain::vault::Vault;
use keyway_shared::store::Tx;
use uuid::Uuid;

use crate::context::request_id;
use crate::error::ApiError;
use crate::idempotency::rests_on_scopes;
use crate::state::ApiState;

/// How often a key's last use is written down.
const TOUCH_EVERY: TimeDelta = TimeDelta::seconds(60);

/// The user behind an API key.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// The key that was sent.
    pub key: ApiKey,
    /// What kind of client it is, by what it says of itself.
    pub platform: Platform,
    /// Where the connection came from.
    pub ip: Option<String>,
}

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        // The middleware may have looked already.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let token =
            bearer(&parts.headers).ok_or(ApiError::Unauthorized("Authentication required"))?;
        Self::from_token(parts, state, token).await
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl Caller {
    /// The caller by a token from elsewhere than the header: a browser that was sent here with the
    /// token in its query cannot set one.
    pub(crate) async fn from_token(
        parts: &Parts,
        state: &ApiState,
        token: &str,
    ) -> Result<Self, ApiError> {
        if !token.starts_with("kw_") {
            return Err(ApiError::Unauthorized("Invalid or expired token"));
        }
        if !is_api_key_format(token) {
            return Err(ApiError::Unauthorized("Invalid API key format"));
        }
        // The look-up is by the hash of the whole token: nothing compares its characters one by
        // one, so the time taken tells nothing about them.
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
        touch(state, &key, now).await;
        Ok(Self {
            user,
            key,
            platform: platform(&parts.headers),
            ip: parts
                .extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|ConnectInfo(address)| address.ip().to_string()),
        })
    }

    /// The key's scopes.
    pub fn scopes(&self) -> &[Scope] {
        &self.key.scopes
    }

    /// 403 unless the key bears the scope.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        self.require_all(&[scope])
    }

    /// 403 naming the scopes that the key lacks.
    pub fn require_all(&self, scopes: &[Scope]) -> Result<(), ApiError> {
        let missing: Vec<_> = scopes
            .iter()
            .copied()
            .filter(|scope| !self.key.scopes.contains(scope))
            .collect();
        if missing.is_empty() {
            rests_on_scopes(scopes);
            Ok(())
        } else {
            Err(ApiError::missing_scopes(&missing))
        }
    }

    /// An entry for the log of who did what, to be inserted in the transaction that does it.
    /// `metadata` holds names and counts, never values.
    pub fn activity(
        &self,
        id: Uuid,
        at: DateTime<Utc>,
        action: Action,
        vault: Option<&Vault>,
        metadata: serde_json::Value,
    ) -> Activity {
        Activity {
            id,
            at,
            action,
            user_id: Some(self.user.id),
            username: self.user.username.clone(),
            vault_id: vault.map(|vault| vault.id),
            repo_full_name: vault.map(Vault::repo_full_name),
            platform: self.platform,
            ip: self.ip.clone(),
            api_key_id: Some(self.key.id),
            request_id: Some(request_id().as_ref().to_owned()),
            metadata,
        }
    }

    /// Inserts such an entry, with what is noted in the unit of work that does it.
    pub(crate) async fn note(
        &self,
        tx: &mut Tx,
        state: &ApiState,
        at: DateTime<Utc>,
        action: Action,
        vault: Option<&Vault>,
        metadata: serde_json::Value,
    ) -> Result<(), ApiError> {
        let entry = self.activity(state.ambient.new_id(), at, action, vault, metadata);
        Ok(tx.insert_activity(&entry).await?)
    }
}

/// Notes the use of a key, at most once a minute. A failure costs the note, not the request.
async fn touch(state: &ApiState, key: &ApiKey, now: DateTime<Utc>) {
    if key.last_used_at.is_some_and(|at| now - at < TOUCH_EVERY) {
        return;
    }
    let noted = async {
        let mut tx = state.store.begin().await?;
        tx.touch_api_key(key.id, now).await?;
        tx.commit().await
    };
    if let Err(error) = noted.await {
        tracing::warn!(%error, key_id = %key.id, "the use of an API key was not noted");
    }
}

fn platform(headers: &HeaderMap) -> Platform {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if agent.contains("keyway-cli") {
        Platform::Cli
    } else if agent.contains("keyway-mcp") {
        Platform::Mcp
    } else if agent.starts_with("Mozilla/") {
        Platform::Web
    } else {
        Platform::Api
    }
}
