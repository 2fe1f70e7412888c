//! Users, their API keys and their sessions.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
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

/// A network, as `10.0.0.0/8`, `2001:db8::/32`, or one address. `None` when it is neither; a network is
/// written without bits of a host (`10.0.0.7/8` is not one), and an address of IPv4 as such.
pub fn parse_network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical().into());
    }
    let net: IpNet = text.parse().ok()?;
    (net.trunc() == net).then_some(net)
}

/// A network as it is written: one address without its length.
pub fn network_text(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() {
        net.addr().to_string()
    } else {
        net.to_string()
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
    /// Networks that it may be used from; empty is from anywhere.
    pub allowed_ips: Vec<IpNet>,
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
    /// Whether it may be used from this address. One that is not known is none of those that are
    /// allowed.
    pub fn allows(&self, address: Option<IpAddr>) -> bool {
        self.allowed_ips.is_empty()
            || address.is_some_and(|address| {
                let address = address.to_canonical();
                self.allowed_ips.iter().any(|net| net.contains(&address))
            })
    }

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
