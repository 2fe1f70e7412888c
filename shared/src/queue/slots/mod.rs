//! What a caller may have open at once.
//!
//! Each process counts what it has open itself, and that count ends with the process. With Redis the
//! count of all processes is kept there as well, in slots that end by themselves unless their holder
//! renews them: a process that dies keeps none for long. With Redis away each goes by its own count.

mod local;
mod redis;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::RedisQueue;
use local::{LocalSlot, LocalSlots};
use redis::RedisSlots;

/// Milliseconds that a slot in Redis lasts from its last renewal.
const LIFE: i64 = 30_000;
/// Milliseconds after which it is renewed.
const RENEW: i64 = 10_000;

/// Gives out slots. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Slots {
    /// With the tracker of the tasks that give slots back.
    redis: Option<(RedisSlots, TaskTracker)>,
    local: LocalSlots,
}

/// One of the things that a caller has open. Given back when it is dropped.
#[derive(Debug)]
pub struct Slot {
    _local: LocalSlot,
    shared: Option<Shared>,
}

/// The slot in Redis.
#[derive(Debug)]
struct Shared {
    redis: RedisSlots,
    tracker: TaskTracker,
    name: String,
    id: Uuid,
    renewed: i64,
    is_refused: bool,
}

impl Slots {
    pub(super) fn local() -> Self {
        Self {
            redis: None,
            local: LocalSlots::default(),
        }
    }

    pub(super) fn redis(redis: &RedisQueue, tracker: TaskTracker) -> Self {
        Self {
            redis: Some((RedisSlots::new(redis.clone()), tracker)),
            local: LocalSlots::default(),
        }
    }

    /// One of the `limit` slots of a name, unless all are taken; `id` is one that nothing has, `now`
    /// in milliseconds.
    pub async fn take(&self, name: &str, limit: u32, id: Uuid, now: i64) -> Option<Slot> {
        let local = self.local.take(name, limit)?;
        // Redis may be late and not away, and take it yet, also for a caller that has gone: so it is given
        // back, unless it was refused.
        let mut shared = self.redis.as_ref().map(|(redis, tracker)| Shared {
            redis: redis.clone(),
            tracker: tracker.clone(),
            name: name.to_owned(),
            id,
            renewed: now,
            is_refused: false,
        });
        if let Some(shared) = &mut shared {
            match shared.redis.take(name, limit, id, now).await {
                Some(true) => {}
                Some(false) => {
                    shared.is_refused = true;
                    return None;
                }
                None => metrics::counter!("keyway_request_limits_alone_total").increment(1),
            }
        }
        Some(Slot {
            _local: local,
            shared,
        })
    }

    /// The same, for what only this process has to bear.
    pub fn take_here(&self, name: &str, limit: u32) -> Option<Slot> {
        Some(Slot {
            _local: self.local.take(name, limit)?,
            shared: None,
        })
    }
}

impl Slot {
    /// Keeps it; to be called more often than every ten seconds by whoever holds it for longer.
    pub async fn keep(&mut self, now: i64) {
        if let Some(shared) = &mut self.shared
            && now - shared.renewed >= RENEW
        {
            // Also when it failed: the next try has time.
            shared.renewed = now;
            shared.redis.renew(&shared.name, shared.id, now).await;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.is_refused {
            return;
        }
        // Without a runtime it ends by itself.
        if let Ok(runtime) = Handle::try_current() {
            let (redis, name, id) = (self.redis.clone(), std::mem::take(&mut self.name), self.id);
            let giving_back = async move { redis.give_back(&name, id).await };
            self.tracker.spawn_on(giving_back, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_has_so_many_slots_and_each_comes_back() {
        let slots = Slots::local();
        let take = |name| slots.take(name, 2, Uuid::nil(), 0);
        let (first, second) = (take("a").await, take("a").await);
        assert!(first.is_some() && second.is_some());
        assert!(take("a").await.is_none());
        // Another name has its own.
        assert!(take("b").await.is_some());
        drop(first);
        assert!(take("a").await.is_some());
        assert!(slots.take_here("a", 2).is_some());
        assert!(slots.take_here("a", 1).is_none());
    }
}
