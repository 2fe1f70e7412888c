//! Beginning a session.

use chrono::{DateTime, TimeDelta, Utc};
use keyway_shared::crypto::tokens::{hash_token, new_session_token};
use keyway_shared::domain::account::{User, UserSession};
use keyway_shared::domain::activity::{Action, Activity};
use keyway_shared::secret::Secret;
use keyway_shared::store::Tx;
use serde_json::json;

use crate::context::request_id;
use crate::error::ApiError;
use crate::extract::ClientInfo;
use crate::state::ApiState;

/// How long a session lasts.
pub(crate) const LASTS: TimeDelta = TimeDelta::days(7);

/// Signs a user in, in the unit of work that found out who it is. The token is given once.
pub(super) async fn begin(
    tx: &mut Tx,
    state: &ApiState,
    user: User,
    client: &ClientInfo,
    now: DateTime<Utc>,
) -> Result<(UserSession, Secret), ApiError> {
    let token = new_session_token(&state.ambient);
    let session = UserSession {
        id: state.ambient.new_id(),
        user_id: user.id,
        platform: client.platform,
        ip: client.ip.clone(),
        last_used_at: None,
        created_at: now,
        expires_at: now + LASTS,
    };
    tx.insert_session(&session, &hash_token(token.expose()))
        .await?;
    tx.insert_activity(&Activity {
        id: state.ambient.new_id(),
        at: now,
        action: Action::UserLogin,
        user_id: Some(user.id),
        username: user.username,
        vault_id: None,
        repo_full_name: None,
        platform: client.platform,
        ip: client.ip.clone(),
        api_key_id: None,
        session_id: Some(session.id),
        request_id: Some(request_id().as_ref().to_owned()),
        metadata: json!({}),
    })
    .await?;
    Ok((session, token))
}
