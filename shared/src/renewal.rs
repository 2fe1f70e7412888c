//! Tokens that end: renewed before that, and once when the provider refuses them.
//!
//! The order is what matters. The lease is taken before the refresh token is used, so that nobody else
//! uses it; what the provider gives is stored before anybody uses it, so that nothing but this process
//! can lose it; and a lease that was never given up says that it may have been lost. Then the
//! connection has to be made again, since trying with a refresh token that was used ends the whole
//! authorization at some providers.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::ambient::Ambient;
use crate::domain::connection::{
    Connection, ConnectionStatus, Credential, ReconnectReason, TokenPair,
};
use crate::providers::{Provider, ProviderError, Session};
use crate::secret::Secret;
use crate::store::renewals::Begun;
use crate::store::{Store, StoreError};

/// A token is renewed so long before its end: a run that began with it shall be over by then.
pub const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// Longest that a provider is waited for.
const AT_MOST: Duration = Duration::from_secs(20);
/// From the lease to what is stored; longer than a provider is waited for, so that a lease which ran out
/// is one that nobody will end any more.
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// Tries of storing what was given. Between them the lease runs on.
const TRIES: u32 = 10;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(500);

/// Why there is no token to call with.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// Somebody else is renewing it, and it has ended: soon there is another one.
    #[error("the connection's token is just being renewed")]
    Busy,
    /// The provider cannot be asked, or the connection is dead, which is noted by now.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The database is away.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a token that the provider refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It works; what was asked for is what the provider refused.
    Lives,
    /// There is another one: the same may be tried again.
    Replaced,
    /// There is none that works.
    Dead,
}

/// Renews the tokens of a provider's connections.
#[derive(Clone)]
pub struct Renewal {
    /// Where they are.
    pub store: Store,
    /// The time, and ids of leases.
    pub ambient: Ambient,
    /// Whose they are.
    pub provider: Arc<dyn Provider>,
    /// What a shutdown of this process waits for.
    pub tracker: TaskTracker,
}

impl Renewal {
    /// The connection with a token that does not end in a moment: as it is, or renewed.
    pub async fn usable(
        &self,
        connection: Connection,
        credential: Credential,
    ) -> Result<(Connection, Credential), RenewalError> {
        let now = self.ambient.now();
        let token = &connection.token;
        let Some(end) = token.expires_at.filter(|_| token.renewable) else {
            return Ok((connection, credential));
        };
        if end - MARGIN > now {
            return Ok((connection, credential));
        }
        match self.renew(&connection).await {
            Ok(()) => {}
            // What there is works for a while yet.
            Err(RenewalError::Busy) if end > now => return Ok((connection, credential)),
            Err(RenewalError::Provider(error)) if end > now && error.is_transient() => {
                tracing::warn!(%error, connection = %connection.id, "a token was not renewed yet");
                return Ok((connection, credential));
            }
            Err(error) => return Err(error),
        }
        let mut tx = self.store.begin_read().await?;
        let found = tx
            .connection_credential(connection.user_id, connection.id)
            .await?;
        tx.commit().await?;
        let usable = found.filter(|(found, _)| found.status == ConnectionStatus::Active);
        usable.ok_or(RenewalError::Provider(ProviderError::Unauthorized))
    }

    /// Judges a token that a provider refused: one that is renewable is renewed, unless it came by a
    /// renewal itself and never worked. Calls are made with `session`'s leave.
    pub async fn judge(
        &self,
        connection: &Connection,
        session: &Session,
    ) -> Result<Verdict, RenewalError> {
        match self.provider.account(session).await {
            Err(ProviderError::Unauthorized) => {}
            Ok(_) | Err(ProviderError::Forbidden) => {
                self.prove(connection).await?;
                return Ok(Verdict::Lives);
            }
            Err(error) => return Err(error.into()),
        }
        if !connection.token.renewable {
            return Ok(self.replaced_or_dead(connection).await?);
        }
        if connection.token.unproven {
            let (id, version) = (connection.id, connection.token.version);
            let mut tx = self.store.begin_read().await?;
            let before = tx.previous_token(id, version).await?;
            tx.commit().await?;
            if let Some(before) = before {
                return self.go_back(connection, session, before).await;
            }
            // It was seen to work since the connection was read, or there is another one by now.
        }
        match self.renew(connection).await {
            Ok(()) => Ok(Verdict::Replaced),
            Err(RenewalError::Provider(ProviderError::Unauthorized)) => Ok(Verdict::Dead),
            Err(error) => Err(error),
        }
    }

    /// What became of a token that does not work: the user may have connected again since it was read,
    /// and then there is another one.
    pub async fn replaced_or_dead(&self, connection: &Connection) -> Result<Verdict, StoreError> {
        let mut tx = self.store.begin_read().await?;
        let found = tx
            .find_connection(connection.user_id, connection.id)
            .await?;
        tx.commit().await?;
        let replaced = found.is_some_and(|found| {
            found.status == ConnectionStatus::Active
                && found.token.version != connection.token.version
        });
        Ok(if replaced {
            Verdict::Replaced
        } else {
            Verdict::Dead
        })
    }

    /// Notes that a token which came by a renewal works.
    pub async fn prove(&self, connection: &Connection) -> Result<(), StoreError> {
        if !connection.token.unproven {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        tx.prove_token(connection.id, connection.token.version)
            .await?;
        tx.commit().await
    }

    /// The new token never worked: the one before may.
    async fn go_back(
        &self,
        connection: &Connection,
        session: &Session,
        before: Secret,
    ) -> Result<Verdict, RenewalError> {
        let (id, version) = (connection.id, connection.token.version);
        let mut with_it = session.clone();
        with_it.credential.token = before;
        match self.provider.account(&with_it).await {
            Err(ProviderError::Unauthorized) => {
                return Ok(self.replaced_or_dead(connection).await?);
            }
            Ok(_) | Err(ProviderError::Forbidden) => {}
            Err(error) => return Err(error.into()),
        }
        let mut tx = self.store.begin().await?;
        let now = tx.now().await?;
        tx.restore_token(id, version, now).await?;
        tx.commit().await?;
        tracing::warn!(connection = %id, "a renewed token does not work; the one before does");
        Ok(Verdict::Replaced)
    }

    /// Renews the token of the version that `connection` has, unless somebody else has done so. Callers
    /// may be given up at any moment: a request whose client went away, a run that lost its lease. What
    /// the provider gives is given once, so a task of its own sees it through to what is stored.
    async fn renew(&self, connection: &Connection) -> Result<(), RenewalError> {
        let (renewal, connection) = (self.clone(), connection.clone());
        let renewing = async move { renewal.see_through(&connection).await };
        match self.tracker.spawn(renewing.in_current_span()).await {
            Ok(renewed) => renewed,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process ends: whoever looks next finds the lease.
                Err(_) => Err(ProviderError::OutcomeUnknown.into()),
            },
        }
    }

    async fn see_through(&self, connection: &Connection) -> Result<(), RenewalError> {
        let id = connection.id;
        let holder = self.ambient.new_id();
        let mut tx = self.store.begin().await?;
        let now = tx.now().await?;
        let begun = tx
            .begin_renewal(id, connection.token.version, holder, now, now + LEASE)
            .await?;
        // Waited for to be on the disk: a lease that the database forgets protects nothing.
        tx.commit().await?;
        let refresh = match begun {
            Begun::Yes(refresh) => refresh,
            Begun::Busy => return Err(RenewalError::Busy),
            Begun::Moot => return Ok(()),
            Begun::Lost => {
                tracing::error!(connection = %id, "a renewal was interrupted");
                return self.end(connection, ReconnectReason::RenewalLost).await;
            }
        };
        let asked = timeout(AT_MOST, self.provider.renew(&refresh));
        match asked.await.unwrap_or(Err(ProviderError::OutcomeUnknown)) {
            Ok(pair) => {
                self.keep(id, holder, &pair).await?;
                tracing::info!(connection = %id, "a token was renewed");
                metrics::counter!("keyway_token_renewals_total", "outcome" => "renewed")
                    .increment(1);
                Ok(())
            }
            Err(ProviderError::OutcomeUnknown | ProviderError::Protocol) => {
                tracing::error!(connection = %id, "nobody knows how a renewal ended");
                self.end(connection, ReconnectReason::RenewalLost).await
            }
            Err(error) if error.is_transient() => {
                let mut tx = self.store.begin().await?;
                tx.give_up_renewal(id, holder).await?;
                tx.commit().await?;
                metrics::counter!("keyway_token_renewals_total", "outcome" => "put-off")
                    .increment(1);
                Err(error.into())
            }
            Err(error) => {
                tracing::warn!(%error, connection = %id, "a token cannot be renewed");
                self.end(connection, ReconnectReason::RenewalRefused).await
            }
        }
    }

    /// Stores what was given. Nobody may use it before, and nobody else has it.
    async fn keep(&self, id: Uuid, holder: Uuid, pair: &TokenPair) -> Result<(), RenewalError> {
        let store = async || {
            let mut tx = self.store.begin().await?;
            let now = tx.now().await?;
            let kept = tx.keep_renewed(id, holder, pair, now).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(kept)
        };
        for left in (0..TRIES).rev() {
            match store().await {
                // Nothing was when the connection was made again or given up meanwhile: then it is
                // nobody's any more.
                Ok(_) => return Ok(()),
                Err(error) if left > 0 && error.is_transient() => {
                    tracing::warn!(%error, connection = %id, "a renewed token is not stored yet");
                    pause().await;
                }
                Err(error) => {
                    tracing::error!(%error, connection = %id, "a renewed token was lost");
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// Notes that the connection has to be made again, and why, unless it was.
    async fn end(
        &self,
        connection: &Connection,
        reason: ReconnectReason,
    ) -> Result<(), RenewalError> {
        let mut tx = self.store.begin().await?;
        let now: DateTime<Utc> = tx.now().await?;
        let version = Some(connection.token.version);
        if !tx
            .mark_needs_reconnect(connection.id, version, reason, now)
            .await?
        {
            // Connected again meanwhile, or known to be dead: whoever looks sees which.
            return Ok(tx.commit().await?);
        }
        // The sweeper hands the deliveries out.
        tx.publish_needs_reconnect(connection.id, None).await?;
        tx.commit().await?;
        let outcome = match reason {
            ReconnectReason::RenewalLost => "lost",
            _ => "refused",
        };
        metrics::counter!("keyway_token_renewals_total", "outcome" => outcome).increment(1);
        Err(ProviderError::Unauthorized.into())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "between tries of one write whose loss ends a connection"
)]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}
