//! Tokens that end, as a run meets them.

use std::sync::Arc;
use std::time::Duration;

use keyway_shared::domain::connection::{Connection, Credential};
use keyway_shared::providers::{Provider, ProviderError, Session};
use keyway_shared::renewal::{Renewal, RenewalError, Verdict};

use super::Run;
use crate::engine::Failure;

/// When to look again for a token that somebody else is renewing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Run<'_> {
    fn renewal(&self, provider: &Arc<dyn Provider>) -> Renewal {
        Renewal {
            store: self.engine.store().clone(),
            ambient: self.engine.context.ambient.clone(),
            provider: Arc::clone(provider),
            tracker: self.engine.lifecycle().tracker.clone(),
        }
    }

    /// The connection with a token that lasts.
    pub(super) async fn usable(
        &self,
        provider: &Arc<dyn Provider>,
        connection: Connection,
        credential: Credential,
    ) -> Result<(Connection, Credential), Failure> {
        let renewal = self.renewal(provider);
        let usable = renewal.usable(connection, credential).await;
        usable.map_err(failure)
    }

    /// A call with the token that came by a renewal has worked.
    pub(super) async fn proved(&self, provider: &Arc<dyn Provider>, connection: &Connection) {
        match self.renewal(provider).prove(connection).await {
            Ok(()) => self.learn(|learnt| {
                if let Some(connection) = &mut learnt.connection {
                    connection.token.unproven = false;
                }
            }),
            // The token before is kept a while longer.
            Err(error) => tracing::warn!(%error, "a renewed token was not noted to work"),
        }
    }

    /// Whether a failure means that the token is dead, and not that a right is missing. One that can be
    /// renewed is, and the job goes on with the next; so it does when the user connected again meanwhile.
    pub(super) async fn judge(
        &self,
        provider: &Arc<dyn Provider>,
        session: &Session,
        failure: Failure,
    ) -> Failure {
        let Failure::Provider(refused) = &failure else {
            return failure;
        };
        if !matches!(
            refused,
            ProviderError::Unauthorized | ProviderError::Forbidden
        ) {
            return failure;
        }
        let mut known = None;
        self.learn(|learnt| known.clone_from(&learnt.connection));
        let Some(connection) = known else {
            return failure;
        };
        let renewal = self.renewal(provider);
        let verdict = if connection.token.renewable {
            renewal.judge(&connection, session).await
        } else if *refused == ProviderError::Unauthorized
            // A 403 may mean a missing right or a dead credential; who it belongs to tells.
            || provider.account(session).await == Err(ProviderError::Unauthorized)
        {
            renewal
                .replaced_or_dead(&connection)
                .await
                .map_err(Into::into)
        } else {
            Ok(Verdict::Lives)
        };
        match verdict {
            Ok(Verdict::Lives) => Failure::Provider(ProviderError::Forbidden),
            Ok(Verdict::Replaced) => Failure::Renewing(Duration::ZERO),
            Ok(Verdict::Dead) => {
                self.learn(|learnt| learnt.credential_dead = true);
                Failure::Provider(ProviderError::Unauthorized)
            }
            Err(error) => self::failure(error),
        }
    }
}

fn failure(error: RenewalError) -> Failure {
    match error {
        RenewalError::Busy => Failure::Renewing(LOOK_AGAIN),
        RenewalError::Provider(error) => Failure::Provider(error),
        RenewalError::Store(error) => Failure::Store(error),
    }
}
