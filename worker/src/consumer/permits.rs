//! Room for running jobs. Each class has a share of its own, so that neither can starve the other:
//! a caller who waits is never behind background work, and background work always goes on.

use std::sync::Arc;

use keyway_shared::domain::job::JobClass;
use keyway_shared::queue::Room;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

#[derive(Debug, Clone)]
pub(crate) struct Permits {
    interactive: Arc<Semaphore>,
    background: Arc<Semaphore>,
    freed: Arc<Notify>,
}

/// Room for one job; free again when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permit.take();
        self.freed.notify_waiters();
    }
}

impl Permits {
    /// Three quarters for callers who wait, a quarter for the rest, and at least one for each.
    pub(crate) fn new(concurrency: usize) -> Self {
        let background = (concurrency / 4).max(1);
        let interactive = concurrency.saturating_sub(background).max(1);
        Self {
            interactive: Arc::new(Semaphore::new(interactive)),
            background: Arc::new(Semaphore::new(background)),
            freed: Arc::default(),
        }
    }

    /// Room for one job of this class, if there is any.
    pub(crate) fn take(&self, class: JobClass) -> Option<Permit> {
        let permit = Arc::clone(self.of(class)).try_acquire_owned().ok()?;
        Some(Permit {
            permit: Some(permit),
            freed: Arc::clone(&self.freed),
        })
    }

    /// How many jobs of this class there is room for.
    pub(crate) fn free(&self, class: JobClass) -> usize {
        self.of(class).available_permits()
    }

    /// Waits until there is room for any job.
    pub(crate) async fn room(&self) -> Room {
        loop {
            // Listening before looking: a permit freed in between is not missed.
            let freed = self.freed.notified();
            let room = self.now();
            if room.any() {
                return room;
            }
            freed.await;
        }
    }

    /// Waits until there is more room than there was.
    pub(crate) async fn grown(&self, before: Room) {
        loop {
            let freed = self.freed.notified();
            let now = self.now();
            if (now.interactive && !before.interactive) || (now.background && !before.background) {
                return;
            }
            freed.await;
        }
    }

    fn now(&self) -> Room {
        Room {
            interactive: self.free(JobClass::Interactive) > 0,
            background: self.free(JobClass::Background) > 0,
        }
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
