//! Keeps what must survive this process between the two calls of a split.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::job::Job;
use keyway_shared::providers::{Journal, ProviderError, Split};
use keyway_shared::store::{SplitRecord, Store, StoreError};
use uuid::Uuid;

use crate::engine::guard::Guard;

pub(super) struct SqlJournal<'a> {
    pub(super) store: &'a Store,
    pub(super) ambient: &'a Ambient,
    pub(super) guard: Arc<Guard>,
    pub(super) job: &'a Job,
    pub(super) project_key: &'a str,
    /// Changes that were answered before this run.
    pub(super) before: usize,
}

#[async_trait]
impl Journal for SqlJournal<'_> {
    async fn open_split(&self, split: &Split) -> Result<(), ProviderError> {
        let record = SplitRecord {
            split: split.clone(),
            project_key: self.project_key.to_owned(),
            job_id: self.job.id,
            user_id: self.job.user_id,
            vault_id: self.job.vault_id,
            environment_id: self.job.environment_id,
            connection_id: self.job.connection_id,
        };
        let recorded = async {
            let mut tx = self.store.begin().await?;
            let now = tx.now().await?;
            tx.open_split(&record, now).await?;
            tx.commit().await
        };
        recorded.await.map_err(|error| refuse(&error))?;
        self.guard.split_opened();
        Ok(())
    }

    async fn close_split(&self, id: Uuid) -> Result<(), ProviderError> {
        let recorded = async {
            let mut tx = self.store.begin().await?;
            let now = tx.now().await?;
            tx.close_split(id, now).await?;
            tx.commit().await
        };
        // At the provider it is closed, whatever becomes of the record.
        self.guard.split_closed();
        recorded.await.map_err(|error| refuse(&error))
    }

    fn progress(&self, done: usize) {
        self.guard.done.store(self.before + done, Ordering::Relaxed);
    }

    fn new_id(&self) -> Uuid {
        self.ambient.new_id()
    }
}

/// Without a record no split is begun, and one whose record stays open is looked at again.
fn refuse(error: &StoreError) -> ProviderError {
    tracing::warn!(%error, "a split could not be recorded");
    ProviderError::Unavailable
}
