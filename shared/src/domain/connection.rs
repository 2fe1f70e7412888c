//! Connections: a user's account at a provider.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::words;
use crate::secret::Secret;

words! {
    /// The providers of the API reference.
    pub enum ProviderName {
        /// Vercel.
        Vercel = "vercel",
        /// Netlify.
        Netlify = "netlify",
        /// Railway.
        Railway = "railway",
        /// Fly.io.
        Fly = "fly",
    }
}

words! {
    /// Whether a connection can be used.
    pub enum ConnectionStatus {
        /// It worked when last used.
        Active = "active",
        /// The provider no longer accepts its credential.
        NeedsReconnect = "needs-reconnect",
        /// Its user gave it up. It has no credential any more, and is there for its links only.
        Disconnected = "disconnected",
    }
}

words! {
    /// Why a connection has to be made again.
    pub enum ReconnectReason {
        /// The provider refused its token.
        Refused = "refused",
        /// The provider told that its installation was removed.
        Removed = "removed",
        /// The provider refused to renew its token.
        RenewalRefused = "renewal-refused",
        /// A renewal of its token was interrupted, and nobody knows which token counts.
        RenewalLost = "renewal-lost",
    }
}

words! {
    /// How a connection came about.
    pub enum AuthMethod {
        /// An OAuth authorization.
        OAuth = "oauth",
        /// A pasted token.
        Token = "token",
    }
}

words! {
    /// Where an installation of our integration was begun, as the provider says.
    pub enum InstallSource {
        /// On a page of ours, or on one that leads to the provider.
        External = "external",
        /// In the provider's marketplace.
        Marketplace = "marketplace",
        /// With a button that deploys a project and brings its integrations along.
        DeployButton = "deploy-button",
    }
}

/// A connection without its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Identity.
    pub id: Uuid,
    /// Who connected it; nobody else may use it.
    pub user_id: Uuid,
    /// The provider.
    pub provider: ProviderName,
    /// The team's id, or the user's for a personal account.
    pub provider_account_id: String,
    /// The user at the provider.
    pub provider_user_id: String,
    /// The team at the provider; `None` for a personal account.
    pub provider_team_id: Option<String>,
    /// The installation of our integration, when connected by OAuth.
    pub installation_id: Option<String>,
    /// What to show: the team's or the user's name.
    pub account_name: String,
    /// OAuth or a pasted token.
    pub auth_method: AuthMethod,
    /// Which of the provider's kinds of token it was, where that was found out.
    pub token_kind: Option<String>,
    /// Whether it can be used.
    pub status: ConnectionStatus,
    /// Why not, when it has to be made again.
    pub status_reason: Option<ReconnectReason>,
    /// What is known of its token.
    pub token: TokenState,
    /// When it was made, or made again.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// What is known of a connection's token, which is not part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenState {
    /// Raised with each new token.
    pub version: i64,
    /// When it ends by itself; `None` when it does not.
    pub expires_at: Option<DateTime<Utc>>,
    /// There is something that gives the next one.
    pub renewable: bool,
    /// It came by a renewal and was not seen to work yet.
    pub unproven: bool,
}

/// A token, and what gives the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPair {
    /// The token.
    pub access: Secret,
    /// Gives the next one, once; `None` for a token that is not renewed.
    pub refresh: Option<Secret>,
    /// When the token ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

impl TokenPair {
    /// A token that does not end by itself, and is not renewed.
    pub const fn lasting(access: Secret) -> Self {
        Self {
            access,
            refresh: None,
            expires_at: None,
        }
    }
}

/// What calls to a provider are made with.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The bearer token.
    pub token: Secret,
    /// The team that the calls are for.
    pub team_id: Option<String>,
    /// The installation of our integration that the token belongs to, when there is one. What it
    /// writes bears this id at the provider, and is ours.
    pub installation_id: Option<String>,
    /// Which of the provider's kinds of token it is. `None`: not found out, or a token of OAuth.
    pub token_kind: Option<String>,
}

/// The account behind a credential, as the provider tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderAccount {
    /// The user at the provider.
    pub user_id: String,
    /// The user's login or name.
    pub username: String,
    /// The user's address, when the provider tells it.
    pub email: Option<String>,
    /// The team, for a credential that is used for one.
    pub team_id: Option<String>,
    /// The team's name.
    pub team_name: Option<String>,
    /// Which of its kinds of token it is, where there are several.
    pub token_kind: Option<&'static str>,
}

impl ProviderAccount {
    /// The id under which reconnecting finds the same connection: the team's, else the user's.
    pub fn account_id(&self) -> &str {
        self.team_id.as_deref().unwrap_or(&self.user_id)
    }

    /// What to show.
    pub fn display_name(&self) -> &str {
        self.team_name.as_deref().unwrap_or(&self.username)
    }
}
