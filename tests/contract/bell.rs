//! The bell and the signal, in a process and over Redis.

use std::time::Duration;

use futures::FutureExt;
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::job::JobClass;
use keyway_shared::lifecycle::Lifecycle;
use keyway_shared::queue::{Queue, RedisOptions, RedisQueue};
use keyway_shared::secret::Secret;
use keyway_tests::database::redis_url;
use uuid::Uuid;

pub(crate) async fn over_redis(prefix: &str, lifecycle: &Lifecycle) -> Queue {
    let options = RedisOptions {
        url: Secret::new(redis_url()),
        prefix: prefix.to_owned(),
        startup_timeout: Duration::from_secs(5),
    };
    let redis = RedisQueue::connect(&options).await.unwrap();
    Queue::redis(redis, Some((&lifecycle.tracker, lifecycle.soft.clone())))
}

pub(crate) fn new_prefix() -> String {
    format!("kwtest:{}:", Ambient::system().new_id())
}

#[tokio::test]
async fn many_rings_at_once_keep_their_order_and_their_class() {
    let lifecycle = Lifecycle::new();
    for queue in [Queue::local(), over_redis(&new_prefix(), &lifecycle).await] {
        let ids: Vec<_> = (1..=4).map(Uuid::from_u128).collect();
        queue.ring_all(&[], JobClass::Background).await;
        queue.ring_all(&ids[..3], JobClass::Background).await;
        queue.ring_all(&ids[3..], JobClass::Interactive).await;
        assert_eq!(queue.pop(JobClass::Interactive).await, Some(ids[3]));
        for id in &ids[..3] {
            assert_eq!(queue.pop(JobClass::Background).await, Some(*id));
        }
    }
    lifecycle.stop(std::future::pending()).await;
}

#[tokio::test]
async fn many_signals_at_once_reach_each_waiter() {
    let lifecycle = Lifecycle::new();
    let prefix = new_prefix();
    let (far, near) = (
        over_redis(&prefix, &lifecycle).await,
        over_redis(&prefix, &lifecycle).await,
    );
    // Who begins to listen wakes whoever waits.
    near.waiter(Uuid::nil()).changed().await;
    for (from, to) in [(&far, &near), (&near, &near)] {
        let ids: Vec<_> = (1..=3).map(Uuid::from_u128).collect();
        let waiters: Vec<_> = ids.iter().map(|id| to.waiter(*id)).collect();
        from.announce_all(&ids[..2]).await;
        for waiter in &waiters[..2] {
            waiter.changed().await;
        }
        assert!(waiters[2].changed().now_or_never().is_none());
    }
    let queue = Queue::local();
    let waiter = queue.waiter(Uuid::nil());
    queue.announce_all(&[Uuid::nil()]).await;
    assert!(waiter.changed().now_or_never().is_some());
    lifecycle.stop(std::future::pending()).await;
}
