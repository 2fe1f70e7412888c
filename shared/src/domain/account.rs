//! Users, their API keys and their sessions.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::activity::Platform;
use super::words;

/// Someone who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Identity.
    pub id: Uuid,
    /// Login name; unique without regard to case.
    pub username: String,
    /// May pause, resume and look at the jobs of others.
    pub operator: bool,
    /// When the user was created.
    pub created_at: DateTime<Utc>,
}

words! {
    /// What an API key may be used for.
    pub enum Scope {
        /// Read secrets; push them to a provider.
        ReadSecrets = "read:secrets",
        /// Write secrets, vaults, connections and links; pull from a provider.
        WriteSecrets = "write:secrets",
        /// Delete secrets, here or at a provider.
        DeleteSecrets = "delete:secrets",
        /// Manage API keys.
        AdminApiKeys = "admin:api-keys",
    }
}

words! {
    /// The world an API key belongs to; part of its token.
    pub enum KeyEnvironment {
        /// Production use.
        Live = "live",
        /// Tests.
        Test = "test",
    }
}

/// An API key as stored: the token itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Identity.
    pub id: Uuid,
    /// Whose key it is.
    pub user_id: Uuid,
    /// What the user calls it.
    pub name: String,
    /// Live or test.
    pub environment: KeyEnvironment,
    /// The visible beginning of the token.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// After this time it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Last successful use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Successful uses, counted as often as `last_used_at` is written.
    pub usage_count: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// Whether it may be used at `now`.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }
}

/// A user who signed in, as stored: the token itself is never kept. It may do what the user may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSession {
    /// Identity.
    pub id: Uuid,
    /// Who signed in.
    pub user_id: Uuid,
    /// With what kind of client.
    pub platform: Platform,
    /// From which address.
    pub ip: Option<String>,
    /// Last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// After this time it is refused.
    pub expires_at: DateTime<Utc>,
}

impl UserSession {
    /// Whether it may be used at `now`. One that was revoked is not there any more.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.expires_at > now
    }
}
