//! Closing what an earlier run left half done, before anything else is written to the project.

use std::sync::Arc;

use keyway_shared::providers::{Provider, ProviderError, Session};
use keyway_shared::store::{DestinationNews, Renewal, SplitRecord};

use super::Run;
use crate::engine::Failure;
use crate::engine::guard::Stop;

impl Run<'_> {
    /// Closes splits of the project that are recorded as open: under the authority of whoever began
    /// each, with the vault's value of now; when that authority is gone, our environment gets the
    /// shared row's value back, which needs nobody's secrets.
    pub(super) async fn close_splits(
        &self,
        provider: &Arc<dyn Provider>,
        session: &Session,
        open: Vec<SplitRecord>,
    ) -> Result<(), Failure> {
        if open.is_empty() {
            return Ok(());
        }
        // Before the first write: see `Engine::claim`.
        if self.engine.renew(self.job.id, self.lease_id).await? == Renewal::Lost {
            return Err(Failure::Stopped(Stop::LeaseLost));
        }
        for record in open {
            match self.ask_for_role(record.user_id, record.vault_id).await {
                // Without GitHub's word there is no authority, and the row is closed without it.
                Ok(()) | Err(Failure::Ended(..)) => {}
                Err(failure) => return Err(failure),
            }
            let closed = match self.authority_of(&record).await? {
                Some((connection, credential, value)) => {
                    let usable = self.usable(provider, connection, credential).await;
                    let (connection, credential) = match usable {
                        Ok(usable) => usable,
                        Err(Failure::Provider(ProviderError::Unauthorized)) => {
                            provider.close_split(session, &record.split, None).await?;
                            self.note_closed(&record).await?;
                            continue;
                        }
                        Err(failure) => return Err(failure),
                    };
                    let owner = self.session(&**provider, &connection, credential);
                    let closed = provider
                        .close_split(&owner, &record.split, value.as_ref())
                        .await;
                    let refused = matches!(
                        closed,
                        Err(ProviderError::Unauthorized | ProviderError::Forbidden)
                    );
                    if refused && record.connection_id != self.job.connection_id {
                        // The owner's credential is dead, which says nothing about ours.
                        provider.close_split(session, &record.split, None).await
                    } else {
                        closed
                    }
                }
                None => provider.close_split(session, &record.split, None).await,
            };
            closed?;
            self.note_closed(&record).await?;
        }
        Ok(())
    }

    async fn note_closed(&self, record: &SplitRecord) -> Result<(), Failure> {
        tracing::info!(split = %record.split.id, "closed a split that was left open");
        let mut tx = self.engine.store().begin().await?;
        let now = tx.now().await?;
        tx.close_split(record.split.id, now).await?;
        // The row was written by us without an answer we kept.
        let news = DestinationNews {
            forgotten: vec![record.split.key.clone()],
            ..DestinationNews::default()
        };
        tx.note_destination(
            record.environment_id,
            &record.project_key,
            &record.split.destination.slot(),
            &news,
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
