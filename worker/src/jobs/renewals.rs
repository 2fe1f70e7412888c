//! Tokens that end, as a run meets them.

use std::time::Duration;

use keyway_shared::domain::connection::{Connection, Credential};
use keyway_shared::providers::{Provider, ProviderError, Session};
use keyway_shared::renewal::{Renewal, RenewalError, Verdict};

use super::Run;
use crate::engine::Failure;

/// When to look again for a token that somebody else is renewing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Run<'_> {
    fn renewal<'a>(&'a self, provider: &'a dyn Provider) -> Renewal<'a> {
        Renewal {
            store: self.engine.store(),
            ambient: &self.engine.context.ambient,
            provider,
        }
    }

    /// The connection with a token that lasts.
    pub(super) async fn usable(
        &self,
        provider: &dyn Provider,
        connection: Connection,
        credential: Credential,
    ) -> Result<(Connection, Credential), Failure> {
        let renewal = self.renewal(provider);
        let usable = renewal.usable(connection, credential).await;
        usable.map_err(failure)
    }

    /// A call with the token that came by a renewal has worked.
    pub(super) async fn proved(&self, provider: &dyn Provider, connection: &Connection) {
        if let Err(error) = self.renewal(provider).prove(connection).await {
            // The token before is kept a while longer.
            tracing::warn!(%error, "a renewed token was not noted to work");
        }
    }

    /// Whether a failure means that the token is dead, and not that a right is missing. One that can be
    /// renewed is, and the job goes on with the next.
    pub(super) async fn judge(
        &self,
        provider: &dyn Provider,
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
        let dead = match known.filter(|connection| connection.token.renewable) {
            Some(connection) => match self.renewal(provider).judge(&connection, session).await {
                Ok(Verdict::Lives) => return Failure::Provider(ProviderError::Forbidden),
                Ok(Verdict::Replaced) => return Failure::Renewing(Duration::ZERO),
                Ok(Verdict::Dead) => true,
                Err(error) => return self::failure(error),
            },
            // A 403 may mean a missing right or a dead credential; who it belongs to tells.
            None => {
                *refused == ProviderError::Unauthorized
                    || provider.account(session).await == Err(ProviderError::Unauthorized)
            }
        };
        if dead {
            self.learn(|learnt| learnt.credential_dead = true);
            return Failure::Provider(ProviderError::Unauthorized);
        }
        failure
    }
}

fn failure(error: RenewalError) -> Failure {
    match error {
        RenewalError::Busy => Failure::Renewing(LOOK_AGAIN),
        RenewalError::Provider(error) => Failure::Provider(error),
        RenewalError::Store(error) => Failure::Store(error),
    }
}
