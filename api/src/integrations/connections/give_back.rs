//! Giving a credential back to its provider, before it is forgotten here.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use keyway_shared::providers::{Provider, Revocation, Session};
use keyway_shared::store::StoreError;
use serde::Serialize;
use tokio::time::timeout;
use uuid::Uuid;

use crate::envelope::NoContent;
use crate::state::ApiState;

/// The header that tells what became of the credential at the provider.
const HEADER: HeaderName = HeaderName::from_static("keyway-revocation");
/// Longest that a provider is waited for: whoever disconnects does not need its leave.
const AT_MOST: Duration = Duration::from_secs(5);

/// What became of a credential at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GivenBack {
    /// It is worthless.
    Revoked,
    /// It was left alone.
    Kept,
    /// It has to be deleted on the provider's pages.
    ByHand,
    /// The provider could not be told, or did not do it.
    Failed,
}

impl GivenBack {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Kept => "kept",
            Self::ByHand => "by-hand",
            Self::Failed => "failed",
        }
    }
}

/// 204 that tells it.
impl IntoResponse for GivenBack {
    fn into_response(self) -> Response {
        let told = [(HEADER, HeaderValue::from_static(self.as_str()))];
        (told, NoContent).into_response()
    }
}

/// Gives the credential of one of a user's connections back. Without a wish of the caller's only where
/// that does nothing else. Never an error: the connection goes whatever the provider says.
pub(super) async fn give_back(
    state: &ApiState,
    user_id: Uuid,
    id: Uuid,
    wish: Option<bool>,
) -> GivenBack {
    match session(state, user_id, id).await {
        Ok(Some((provider, session))) => {
            let costs_nothing = match provider.revocation(&session.credential) {
                Revocation::ByHand => return GivenBack::ByHand,
                Revocation::Alone => true,
                Revocation::WithVariables => false,
            };
            if !wish.unwrap_or(costs_nothing) {
                return GivenBack::Kept;
            }
            match timeout(AT_MOST, provider.revoke(&session)).await {
                Ok(Ok(())) => GivenBack::Revoked,
                Ok(Err(error)) => {
                    tracing::warn!(%error, connection = %id, "a credential was not revoked");
                    GivenBack::Failed
                }
                Err(_) => {
                    tracing::warn!(connection = %id, "a credential was not revoked in time");
                    GivenBack::Failed
                }
            }
        }
        Ok(None) => GivenBack::ByHand,
        // One that cannot be read any more must not keep its connection alive.
        Err(error) => {
            tracing::warn!(%error, connection = %id, "a credential could not be read");
            GivenBack::Failed
        }
    }
}

type Reached = (Arc<dyn Provider>, Session);

async fn session(state: &ApiState, user_id: Uuid, id: Uuid) -> Result<Option<Reached>, StoreError> {
    let mut tx = state.store.begin_read().await?;
    let found = tx.connection_credential(user_id, id).await?;
    tx.commit().await?;
    let reached = found.and_then(|(connection, credential)| {
        let provider = state.providers.get(connection.provider)?;
        Some((provider, Session::unguarded(credential)))
    });
    Ok(reached)
}
