//! `POST /v1/api-keys`

use axum::extract::State;
use chrono::TimeDelta;
use keyway_shared::crypto::tokens::new_api_key;
use keyway_shared::domain::account::{ApiKey, KeyEnvironment, Scope, parse_network};
use keyway_shared::domain::activity::Action;
use keyway_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::ApiKeyItem;
use crate::auth::test_keys;
use crate::envelope::{Envelope, ShownOnce, shown};
use crate::error::ApiError;
use crate::extract::{Caller, Credential, Json};
use crate::schema::{Body, Guarded};
use crate::state::ApiState;
use crate::validate::Checks;

const MAX_NAME: usize = 100;
const MAX_DAYS: i64 = 365;
const MAX_NETWORKS: usize = 50;

/// What the key is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateApiKey {
    /// 1 to 100 characters.
    #[schema(example = "CI")]
    name: String,
    /// `live` or `test`; `live` unless told.
    #[schema(value_type = Option<String>)]
    environment: Option<KeyEnvironment>,
    /// At least one; none that the calling key does not have.
    #[schema(value_type = Vec<String>, example = json!(["read:secrets"]))]
    scopes: Vec<Scope>,
    /// 1 to 365; without it the key does not expire.
    expires_in_days: Option<i64>,
    /// Addresses and networks that the key may be used from, at most 50; without it, from anywhere.
    #[schema(example = json!(["203.0.113.7", "10.0.0.0/8"]))]
    allowed_ips: Option<Vec<String>>,
}

/// The key with its token, which is shown this once only.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedApiKey {
    #[serde(flatten)]
    key: ApiKeyItem,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    token: Secret,
}

/// Create an API key
///
/// The token is shown in this answer only; its hash is all that is kept. A key can give no scope that
/// it does not have itself, and no wider networks.
#[utoipa::path(post, path = "/v1/api-keys", tag = "api-keys",
    responses((status = 200, body = Envelope<CreatedApiKey>), Guarded, Body))]
pub(crate) async fn create_api_key(
    State(state): State<ApiState>,
    caller: Caller,
    Json(body): Json<CreateApiKey>,
) -> Result<ShownOnce<CreatedApiKey>, ApiError> {
    caller.require(Scope::AdminApiKeys)?;
    let mut scopes = body.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    let mut checks = Checks::default();
    checks.label("name", &body.name, MAX_NAME);
    checks.that(!scopes.is_empty(), "scopes", "must hold at least one scope");
    checks.that(
        body.expires_in_days
            .is_none_or(|days| (1..=MAX_DAYS).contains(&days)),
        "expiresInDays",
        format!("must be from 1 to {MAX_DAYS}"),
    );
    let texts = body.allowed_ips.unwrap_or_default();
    let networks: Vec<_> = texts
        .iter()
        .filter_map(|text| parse_network(text))
        .collect();
    checks.that(
        networks.len() == texts.len() && texts.len() <= MAX_NETWORKS,
        "allowedIps",
        format!(
            "must hold at most {MAX_NETWORKS} addresses or networks, such as 203.0.113.7 or \
             10.0.0.0/8 (not 10.0.0.7/8)"
        ),
    );
    // A key gives no more than it has itself.
    if let Credential::ApiKey(own) = &caller.credential {
        let within = networks
            .iter()
            .all(|net| own.allowed_ips.iter().any(|own| own.contains(net)));
        checks.that(
            own.allowed_ips.is_empty() || (within && !networks.is_empty()),
            "allowedIps",
            "must lie within the networks of the calling key",
        );
    }
    checks.done()?;
    caller.require_all(&scopes)?;

    let environment = body.environment.unwrap_or(KeyEnvironment::Live);
    test_keys::may_manage(&caller, environment)?;
    let new = new_api_key(&state.ambient, environment);
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let key = ApiKey {
        id: state.ambient.new_id(),
        user_id: caller.user.id,
        name: body.name,
        environment,
        prefix: new.prefix,
        scopes,
        allowed_ips: networks,
        expires_at: body.expires_in_days.map(|days| now + TimeDelta::days(days)),
        last_used_at: None,
        usage_count: 0,
        created_at: now,
        revoked_at: None,
    };
    tx.insert_api_key(&key, &new.hash).await?;
    let metadata = json!({ "keyName": key.name, "prefix": key.prefix, "scopes": key.scopes });
    let action = Action::ApiKeyCreated;
    caller
        .note(&mut tx, &state, now, action, None, metadata)
        .await?;
    tx.commit().await?;
    Ok(ShownOnce(CreatedApiKey {
        key: ApiKeyItem::of(key, now),
        token: new.token,
    }))
}
