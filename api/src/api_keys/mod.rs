//! The caller's API keys.

pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod revoke;

use chrono::{DateTime, Utc};
use keyway_shared::domain::account::{ApiKey, network_text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::envelope::Timestamp;

/// An API key without its token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiKeyItem {
    id: Uuid,
    name: String,
    /// The visible beginning of the token.
    prefix: String,
    /// `live` or `test`.
    environment: &'static str,
    scopes: Vec<&'static str>,
    /// After this time it is refused.
    expires_at: Option<Timestamp>,
    /// Last use, to the minute.
    last_used_at: Option<Timestamp>,
    usage_count: i64,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
    revoked_reason: Option<String>,
    /// Neither revoked nor expired.
    is_active: bool,
    /// Addresses and networks that it may be used from; null is from anywhere.
    allowed_ips: Option<Vec<String>>,
}

impl ApiKeyItem {
    fn of(key: ApiKey, now: DateTime<Utc>) -> Self {
        Self {
            is_active: key.is_active(now),
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            environment: key.environment.as_str(),
            scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
            expires_at: key.expires_at.map(Timestamp),
            last_used_at: key.last_used_at.map(Timestamp),
            usage_count: key.usage_count,
            created_at: key.created_at.into(),
            revoked_at: key.revoked_at.map(Timestamp),
            revoked_reason: None,
            allowed_ips: (!key.allowed_ips.is_empty())
                .then(|| key.allowed_ips.iter().map(network_text).collect()),
        }
    }
}

/// The key.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ApiKeyPath {
    /// Id of the key.
    id: Uuid,
}
