//! The bell that wakes workers, the signal that wakes waiting callers, the gates that workers ask
//! before they call a provider, and the limits on requests and on what is open at once.
//!
//! Bell and signal carry ids only, and both may be lost: the row in SQL is the job. A lost ring is made good
//! by the sweeper, a lost signal by the waiter, which also reads its row now and then. So nothing
//! here returns an error to a caller.

pub mod gates;
pub mod limits;
mod local;
mod redis;
mod slots;
mod waiters;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::redis::{RedisOptions, RedisQueue};
pub use gates::Gates;
pub use limits::{Allowance, Limits};
pub use local::LocalQueue;
pub use slots::{Slot, Slots};
pub use waiters::Waiter;

use crate::domain::job::JobClass;
use waiters::Waiters;

/// Bell and signal of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queue {
    transport: Transport,
    waiters: Arc<Waiters>,
    gates: Gates,
    limits: Limits,
    slots: Slots,
}

#[derive(Debug, Clone)]
enum Transport {
    Local(LocalQueue),
    Redis(RedisQueue),
}

impl Queue {
    /// For one process: the bell is a channel, the signal a call.
    pub fn local() -> Self {
        Self {
            gates: Gates::local(),
            limits: Limits::local(),
            slots: Slots::local(),
            transport: Transport::Local(LocalQueue::new()),
            waiters: Arc::default(),
        }
    }

    /// For many processes: the bell is a Redis list for each class, the signal one channel that all
    /// listen to. `listen` runs the subscription that the waiters of this process depend on.
    pub fn redis(redis: RedisQueue, listen: Option<(&TaskTracker, CancellationToken)>) -> Self {
        let tracker = listen.as_ref().map(|(tracker, _)| (*tracker).clone());
        let queue = Self {
            gates: Gates::redis(&redis),
            limits: Limits::redis(&redis),
            slots: Slots::redis(&redis, tracker.unwrap_or_default()),
            transport: Transport::Redis(redis.clone()),
            waiters: Arc::default(),
        };
        if let Some((tracker, stop)) = listen {
            let waiters = Arc::clone(&queue.waiters);
            tracker.spawn(async move { redis.listen(&waiters, stop).await });
        }
        queue
    }

    /// The limits on requests of callers.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What callers may have open at once.
    pub const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The gates that are asked before a provider is called.
    pub const fn gates(&self) -> &Gates {
        &self.gates
    }

    /// Wakes a worker for the job. To be called after the job's row was committed.
    pub async fn ring(&self, id: Uuid, class: JobClass) {
        match &self.transport {
            Transport::Local(local) => local.ring(id, class),
            Transport::Redis(redis) => redis.ring(&[id], class).await,
        }
    }

    /// Wakes workers for several jobs of a class at once, as [`Queue::ring`] does for one.
    pub async fn ring_all(&self, ids: &[Uuid], class: JobClass) {
        match &self.transport {
            Transport::Local(local) => ids.iter().for_each(|id| local.ring(*id, class)),
            Transport::Redis(redis) => redis.ring(ids, class).await,
        }
    }

    /// Starts listening for changes of the job. To be called before the change that is waited for
    /// can happen, or it may be missed.
    pub fn waiter(&self, id: Uuid) -> Waiter {
        self.waiters.register(id)
    }

    /// Tells whoever waits for the job, in whatever process, that its row has changed: callers that
    /// it has ended or waits, its worker that it is to stop. To be called after the commit.
    pub async fn announce(&self, id: Uuid) {
        self.announce_all(&[id]).await;
    }

    /// The same for several jobs. A Redis that does not answer costs one wait and not one for each.
    pub async fn announce_all(&self, ids: &[Uuid]) {
        for id in ids {
            self.waiters.notify(*id);
        }
        if let Transport::Redis(redis) = &self.transport {
            redis.announce(ids).await;
        }
    }

    /// The next rung id of a class, or `None` when none came for a while (call again). Only one caller
    /// per process and class may pop; one that gives up may take a ring with it.
    pub async fn pop(&self, class: JobClass) -> Option<Uuid> {
        match &self.transport {
            Transport::Local(local) => Some(local.pop(class).await),
            Transport::Redis(redis) => redis.pop(class).await,
        }
    }

    /// Whether the bell works right now; always true in one process.
    pub async fn ping(&self, within: Duration) -> bool {
        match &self.transport {
            Transport::Local(_) => true,
            Transport::Redis(redis) => redis.ping(within).await,
        }
    }

    /// `local` or `redis`.
    pub const fn kind(&self) -> &'static str {
        match self.transport {
            Transport::Local(_) => "local",
            Transport::Redis(_) => "redis",
        }
    }

    /// Wakes every waiter of this process, so that each reads its row again: at shutdown.
    pub fn wake_all(&self) {
        self.waiters.notify_all();
    }
}
