//! Calls to a provider from within a request: never while a unit of work is open, and failures told
//! in words of ours.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use keyway_shared::domain::connection::{
    Connection, ConnectionStatus, ProviderName, ReconnectReason,
};
use keyway_shared::providers::{Provider, ProviderError, Session};
use keyway_shared::renewal::{Renewal, RenewalError, Verdict};
use keyway_shared::store::StoreError;
use uuid::Uuid;

use crate::error::{ApiError, ConflictCode};
use crate::jobs::refuse;
use crate::state::ApiState;

/// The provider that a path names: 404 when there is none.
pub(super) fn provider_name(name: &str) -> Result<ProviderName, ApiError> {
    name.parse().map_err(|_| ApiError::not_found("provider"))
}

/// The provider's client: 409 when this program cannot sync with it yet.
pub(crate) fn provider(
    state: &ApiState,
    name: ProviderName,
) -> Result<Arc<dyn Provider>, ApiError> {
    state
        .providers
        .get(name)
        .ok_or_else(|| ApiError::conflict("This provider is not available here"))
}

/// 409 `reconnect-required` for a connection that is known not to work.
pub(crate) fn usable(connection: &Connection) -> Result<(), ApiError> {
    match connection.status {
        ConnectionStatus::Active => Ok(()),
        ConnectionStatus::NeedsReconnect | ConnectionStatus::Disconnected => {
            Err(ApiError::Conflict(
                ConflictCode::ReconnectRequired,
                "The provider no longer accepts this connection's credential. Connect again."
                    .into(),
            ))
        }
    }
}

/// A connection that works as far as is known, and what is needed to call with it.
pub(super) struct Line {
    pub(super) connection: Connection,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) session: Session,
}

impl Line {
    /// One of the caller's connections: 404 when there is none.
    pub(super) async fn open(state: &ApiState, user_id: Uuid, id: Uuid) -> Result<Self, ApiError> {
        let mut tx = state.store.begin_read().await?;
        let found = tx.connection_credential(user_id, id).await?;
        tx.commit().await?;
        let (connection, credential) = found.ok_or_else(|| ApiError::not_found("connection"))?;
        usable(&connection)?;
        let provider = provider(state, connection.provider)?;
        let renewal = renewal(state, &provider);
        let usable = renewal.usable(connection, credential).await;
        let (mut connection, credential) = usable.map_err(|error| not_renewed(state, error))?;
        let session = Session::unguarded(credential);
        // Found out here, once, and not by each of the many things that requests do with it.
        if connection.token.unproven && provider.account(&session).await.is_ok() {
            renewal.prove(&connection).await?;
            connection.token.unproven = false;
        }
        Ok(Self {
            connection,
            provider,
            session,
        })
    }

    /// What a failed call is answered with. A credential that is dead is noted on its connection.
    pub(super) async fn failed(&self, state: &ApiState, mut error: ProviderError) -> ApiError {
        let refused = matches!(
            error,
            ProviderError::Unauthorized | ProviderError::Forbidden
        );
        let renewal = renewal(state, &self.provider);
        if refused && self.connection.token.renewable {
            error = match renewal.judge(&self.connection, &self.session).await {
                Ok(Verdict::Lives) => ProviderError::Forbidden,
                // The same works in a moment, with another token.
                Ok(Verdict::Replaced) => return ApiError::unavailable(1),
                Ok(Verdict::Dead) => ProviderError::Unauthorized,
                Err(error) => return not_renewed(state, error),
            };
        }
        // A missing right and a dead credential may look alike; whose it is tells them apart.
        if error == ProviderError::Forbidden
            && !self.connection.token.renewable
            && self.provider.account(&self.session).await == Err(ProviderError::Unauthorized)
        {
            error = ProviderError::Unauthorized;
        }
        if error == ProviderError::Unauthorized {
            match renewal.replaced_or_dead(&self.connection).await {
                Ok(Verdict::Replaced) => return ApiError::unavailable(1),
                Ok(_) => {}
                Err(error) => return error.into(),
            }
            if let Err(error) = note_refused(state, &self.connection).await {
                tracing::warn!(%error, id = %self.connection.id, "a dead connection was not marked");
            }
        }
        failure(&error, state.ambient.now())
    }
}

/// What a failed call is answered with.
pub(super) fn failure(error: &ProviderError, now: DateTime<Utc>) -> ApiError {
    let retry_after = match error {
        ProviderError::RateLimited { until: Some(until) } => {
            Some((*until - now).to_std().unwrap_or_default().as_secs() + 1)
        }
        _ => None,
    };
    let text = match error {
        ProviderError::Invalid { message, .. } => Some(message.clone()),
        ProviderError::UnknownEnvironment { .. } => Some(error.to_string()),
        _ => None,
    };
    refuse(error.code(), text, retry_after)
}

fn renewal(state: &ApiState, provider: &Arc<dyn Provider>) -> Renewal {
    Renewal {
        store: state.store.clone(),
        ambient: state.ambient.clone(),
        provider: Arc::clone(provider),
        tracker: state.lifecycle.tracker.clone(),
    }
}

fn not_renewed(state: &ApiState, error: RenewalError) -> ApiError {
    match error {
        RenewalError::Busy => ApiError::unavailable(1),
        RenewalError::Provider(error) => failure(&error, state.ambient.now()),
        RenewalError::Store(error) => error.into(),
    }
}

async fn note_refused(state: &ApiState, connection: &Connection) -> Result<(), StoreError> {
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    // The user may have connected again meanwhile: then it was the old token that failed.
    let (id, version) = (connection.id, Some(connection.token.version));
    if tx
        .mark_needs_reconnect(id, version, ReconnectReason::Refused, now)
        .await?
    {
        // The sweeper hands the deliveries out.
        tx.publish_needs_reconnect(id, None).await?;
    }
    tx.commit().await
}
