//! Callers of this process that wait for a job to end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

type Map = HashMap<Uuid, (usize, Arc<Notify>)>;

#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<Map>);

impl Waiters {
    pub(super) fn register(self: &Arc<Self>, id: Uuid) -> Waiter {
        let mut map = self.lock();
        let entry = map.entry(id).or_default();
        entry.0 += 1;
        Waiter {
            id,
            notify: Arc::clone(&entry.1),
            waiters: Arc::clone(self),
        }
    }

    pub(super) fn notify(&self, id: Uuid) {
        if let Some((_, notify)) = self.lock().get(&id) {
            wake(notify);
        }
    }

    pub(super) fn notify_all(&self) {
        for (_, notify) in self.lock().values() {
            wake(notify);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Map> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(notify: &Notify) {
    // Those who wait now, and one who is just about to.
    notify.notify_waiters();
    notify.notify_one();
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
        if let Some(entry) = map.get_mut(&self.id) {
            entry.0 -= 1;
            if entry.0 == 0 {
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
    fn nothing_is_kept_of_waiters_that_are_gone() {
        let waiters = Arc::new(Waiters::default());
        drop((waiters.register(Uuid::nil()), waiters.register(Uuid::nil())));
        assert!(waiters.lock().is_empty());
    }
}
