//! The bell that wakes workers and the signal that wakes waiting callers.
//!
//! Both carry ids only, and both may be lost: the row in SQL is the job. A lost ring is made good
//! by the sweeper, a lost signal by the waiter, which also reads its row now and then. So nothing
//! here returns an error to a caller.

mod local;
mod redis;
mod waiters;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::redis::{RedisOptions, RedisQueue};
pub use local::LocalQueue;
pub use waiters::Waiter;

use crate::domain::job::JobClass;
use waiters::Waiters;

/// The classes that a worker has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// It can take a job that somebody waits for.
    pub interactive: bool,
    /// It can take a job that nobody waits for.
    pub background: bool,
}

impl Room {
    /// Whether it can take any job at all.
    pub const fn any(self) -> bool {
        self.interactive || self.background
    }

    /// Whether it can take a job of this class.
    pub const fn has(self, class: JobClass) -> bool {
        match class {
            JobClass::Interactive => self.interactive,
            JobClass::Background => self.background,
        }
    }
}

/// Bell and signal of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queue {
    transport: Transport,
    waiters: Arc<Waiters>,
    instance: Arc<str>,
}

#[derive(Debug, Clone)]
enum Transport {
    Local(LocalQueue),
    Redis(RedisQueue),
}

impl Queue {
    /// For one process: the bell is a channel, the signal a call. `instance` names this process.
    pub fn local(instance: impl Into<Arc<str>>) -> Self {
        Self {
            transport: Transport::Local(LocalQueue::new()),
            waiters: Arc::default(),
            instance: instance.into(),
        }
    }

    /// For many processes: the bell is a Redis list for each class, the signal a channel for each
    /// API process. `listen` runs the subscription that callers of this process wait on.
    pub fn redis(
        redis: RedisQueue,
        instance: impl Into<Arc<str>>,
        listen: Option<(&TaskTracker, CancellationToken)>,
    ) -> Self {
        let queue = Self {
            transport: Transport::Redis(redis.clone()),
            waiters: Arc::default(),
            instance: instance.into(),
        };
        if let Some((tracker, stop)) = listen {
            let (waiters, instance) = (Arc::clone(&queue.waiters), Arc::clone(&queue.instance));
            tracker.spawn(async move { redis.listen(&instance, &waiters, stop).await });
        }
        queue
    }

    /// This process's name in job rows, to which completion signals are addressed.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Wakes a worker for the job. To be called after the job's row was committed.
    pub async fn ring(&self, id: Uuid, class: JobClass) {
        match &self.transport {
            Transport::Local(local) => local.ring(id, class),
            Transport::Redis(redis) => redis.ring(id, class).await,
        }
    }

    /// Starts listening for the job's end. To be called before the job's row exists, or its end may
    /// be missed.
    pub fn waiter(&self, id: Uuid) -> Waiter {
        self.waiters.register(id)
    }

    /// Tells the API process that waits for the job that its row has changed.
    pub async fn announce(&self, id: Uuid, reply_to: Option<&str>) {
        let Some(instance) = reply_to else { return };
        if instance == &*self.instance {
            self.waiters.notify(id);
        } else if let Transport::Redis(redis) = &self.transport {
            redis.announce(id, instance).await;
        }
    }

    /// The next rung id of a class there is room for, or `None` when none came for a while (call
    /// again). Only one caller per process may pop.
    pub async fn pop(&self, room: Room) -> Option<(Uuid, JobClass)> {
        match &self.transport {
            Transport::Local(local) => local.pop(room).await,
            Transport::Redis(redis) => redis.pop(room).await,
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
