//! Whoever in this process waits for a job to change: callers, streams, the worker that runs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

/// Each has a notification of its own: none takes the signal of another.
type Map = HashMap<Uuid, Vec<Arc<Notify>>>;

#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<Map>);

impl Waiters {
    pub(super) fn register(self: &Arc<Self>, id: Uuid) -> Waiter {
        let notify = Arc::<Notify>::default();
        let mut map = self.lock();
        map.entry(id).or_default().push(Arc::clone(&notify));
        Waiter {
            id,
            notify,
            waiters: Arc::clone(self),
        }
    }

    pub(super) fn notify(&self, id: Uuid) {
        for notify in self.lock().get(&id).into_iter().flatten() {
            notify.notify_one();
        }
    }

    pub(super) fn notify_all(&self) {
        for notify in self.lock().values().flatten() {
            notify.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Map> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for signals of one job. Stops listening when dropped.
#[derive(Debug)]
pub struct Waiter {
    id: Uuid,
    notify: Arc<Notify>,
    waiters: Arc<Waiters>,
}

impl Waiter {
    /// Resolves when the job's row may have changed since the last call.
    pub async fn changed(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut map = self.waiters.lock();
        if let Some(waiting) = map.get_mut(&self.id) {
            waiting.retain(|notify| !Arc::ptr_eq(notify, &self.notify));
            if waiting.is_empty() {
                map.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_signal_before_the_wait_is_not_lost() {
        let waiters = Arc::new(Waiters::default());
        let waiter = waiters.register(Uuid::nil());
        waiters.notify(Uuid::nil());
        assert!(waiter.changed().now_or_never().is_some());
        assert!(waiter.changed().now_or_never().is_none());
    }

    #[test]
    fn each_of_several_hears_it() {
        let waiters = Arc::new(Waiters::default());
        let both = [waiters.register(Uuid::nil()), waiters.register(Uuid::nil())];
        waiters.notify(Uuid::nil());
        for waiter in &both {
            assert!(waiter.changed().now_or_never().is_some());
        }
    }

    #[test]
    fn nothing_is_kept_of_waiters_that_are_gone() {
        let waiters = Arc::new(Waiters::default());
        drop((waiters.register(Uuid::nil()), waiters.register(Uuid::nil())));
        assert!(waiters.lock().is_empty());
    }
}
