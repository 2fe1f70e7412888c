//! Who calls, and what the credential that was sent may be used for.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};
use keyway_shared::domain::access::Asker;
use keyway_shared::domain::account::{KeyEnvironment, Scope, User};
use keyway_shared::domain::activity::{Action, Activity, Platform};
use keyway_shared::domain::job::Asked;
use keyway_shared::domain::vault::{Role, Vault};
use keyway_shared::store::Tx;
use uuid::Uuid;

use super::Credential;
use super::client::client_address;
use crate::auth::cookies;
use crate::context::request_id;
use crate::error::ApiError;
use crate::idempotency::{mark, rests_on_scopes};
use crate::state::ApiState;

/// The user behind a credential.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// What was sent to show that.
    pub credential: Credential,
    /// What kind of client it is, by what it says of itself.
    pub platform: Platform,
    /// Where the request came from.
    pub ip: Option<String>,
}

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        // The middleware may have looked already.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let caller = Self::identify(parts, state).await?;
        // Other parts of the same request may ask, too.
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl Caller {
    async fn identify(parts: &Parts, state: &ApiState) -> Result<Self, ApiError> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            let token =
                bearer(&parts.headers).ok_or(ApiError::Unauthorized("Authentication required"))?;
            return Self::from_token(parts, state, token).await;
        }
        let token = cookies::session(&parts.headers)
            .ok_or(ApiError::Unauthorized("Authentication required"))?;
        // A browser sends the cookie along with whatever any page makes it send.
        cookies::check_origin(&state.options, &parts.method, &parts.headers)?;
        let ip = client_address(state, parts);
        let (credential, user) = Credential::of_session(state, token).await?;
        Ok(Self::new(parts, ip, credential, user))
    }

    /// The caller by a token from elsewhere than the header: a browser that was sent here with the
    /// token in its query cannot set one.
    pub(crate) async fn from_token(
        parts: &Parts,
        state: &ApiState,
        token: &str,
    ) -> Result<Self, ApiError> {
        let ip = client_address(state, parts);
        let (credential, user) = Credential::of_token(state, token, ip).await?;
        Ok(Self::new(parts, ip, credential, user))
    }

    fn new(parts: &Parts, ip: Option<IpAddr>, credential: Credential, user: User) -> Self {
        Self {
            user,
            credential,
            platform: platform(&parts.headers),
            ip: ip.map(|ip| ip.to_string()),
        }
    }

    /// What limits are counted for: the credential, by its id; the user of GitHub's tokens.
    pub(crate) fn counted_as(&self) -> String {
        match &self.credential {
            Credential::ApiKey(key) => format!("key:{}", key.id),
            Credential::Session(session) => format!("session:{}", session.id),
            Credential::GitHub(_) => format!("user:{}", self.user.id),
        }
    }

    /// What the credential may be used for. What the user may do in a vault is another matter.
    pub fn scopes(&self) -> &[Scope] {
        self.credential.scopes()
    }

    /// The world of the API key, if it is one.
    pub fn key_environment(&self) -> Option<KeyEnvironment> {
        match &self.credential {
            Credential::ApiKey(key) => Some(key.environment),
            Credential::Session(_) | Credential::GitHub(_) => None,
        }
    }

    /// The caller as a member of a vault.
    pub fn asker(&self, role: Role) -> Asker {
        Asker {
            role,
            key: self.key_environment(),
        }
    }

    /// 403 unless the credential bears the scope.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        self.require_all(&[scope])
    }

    /// 403 naming the scopes that the credential lacks.
    pub fn require_all(&self, scopes: &[Scope]) -> Result<(), ApiError> {
        let own = self.scopes();
        let missing: Vec<_> = scopes
            .iter()
            .copied()
            .filter(|scope| !own.contains(scope))
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
            api_key_id: self.credential.api_key_id(),
            session_id: self.credential.session_id(),
            request_id: Some(request_id().as_ref().to_owned()),
            metadata,
        }
    }

    /// The same for a job, whose entry is made when it ends.
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            platform: self.platform,
            ip: self.ip.clone(),
            session_id: self.credential.session_id(),
            request_id: request_id().as_ref().to_owned(),
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
        tx.insert_activity(&entry).await?;
        mark(tx).await
    }
}

/// What kind of client it is, by what it says of itself.
pub(crate) fn platform(headers: &HeaderMap) -> Platform {
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
