//! Room for running jobs. Each class has a share of its own, so that neither can starve the other:
//! a caller who waits is never behind background work, and background work always goes on.

use std::sync::Arc;

use keyway_shared::domain::job::JobClass;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Debug, Clone)]
pub(crate) struct Permits {
    interactive: Arc<Semaphore>,
    background: Arc<Semaphore>,
}

/// Room for one job; free again when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Permits {
    /// Three quarters for callers who wait, a quarter for the rest, and at least one for each.
    pub(crate) fn new(concurrency: usize) -> Self {
        let background = (concurrency / 4).max(1);
        let interactive = concurrency.saturating_sub(background).max(1);
        Self {
            interactive: Arc::new(Semaphore::new(interactive)),
            background: Arc::new(Semaphore::new(background)),
        }
    }

    /// Room for one job of this class, if there is any.
    pub(crate) fn take(&self, class: JobClass) -> Option<Permit> {
        let permit = Arc::clone(self.of(class)).try_acquire_owned().ok()?;
        Some(Permit {
            _permit: Some(permit),
        })
    }

    /// Room for one job of this class, as soon as there is any.
    pub(crate) async fn wait(&self, class: JobClass) -> Permit {
        // Nobody closes the semaphores; if somebody did, that would be the end of the limit.
        Permit {
            _permit: Arc::clone(self.of(class)).acquire_owned().await.ok(),
        }
    }

    /// Waits until there is room for a job of this class.
    pub(crate) async fn room(&self, class: JobClass) {
        drop(self.wait(class).await);
    }

    /// How many jobs of this class there is room for.
    pub(crate) fn free(&self, class: JobClass) -> usize {
        self.of(class).available_permits()
    }

    const fn of(&self, class: JobClass) -> &Arc<Semaphore> {
        match class {
            JobClass::Interactive => &self.interactive,
            JobClass::Background => &self.background,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_class_takes_the_other_s_share() {
        let permits = Permits::new(8);
        let held: Vec<_> = (0..8)
            .filter_map(|_| permits.take(JobClass::Background))
            .collect();
        assert_eq!(held.len(), 2);
        assert_eq!(permits.free(JobClass::Interactive), 6);
        drop(held);
        assert_eq!(permits.free(JobClass::Background), 2);
    }
}
