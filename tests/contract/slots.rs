//! What may be open at once, counted by all processes.

use keyway_shared::lifecycle::Lifecycle;
use keyway_shared::queue::Slot;
use uuid::Uuid;

use crate::bell::{new_prefix, over_redis};

#[tokio::test]
async fn processes_share_slots_and_a_dead_one_keeps_none() {
    let lifecycle = Lifecycle::new();
    let prefix = new_prefix();
    let (one, other) = (
        over_redis(&prefix, &lifecycle).await,
        over_redis(&prefix, &lifecycle).await,
    );
    let (one, other) = (one.slots(), other.slots());
    let id = Uuid::from_u128;
    let mut kept = one.take("a", 2, id(1), 0).await.unwrap();
    // Its process dies: nobody gives it back.
    std::mem::forget(one.take("a", 2, id(2), 0).await.unwrap());
    let full = |slot: Option<Slot>| slot.is_none();
    assert!(full(other.take("a", 2, id(3), 0).await));
    assert!(!full(other.take("b", 2, id(3), 0).await));
    // The first is held on to.
    kept.keep(9_000).await;
    kept.keep(10_000).await;
    assert!(full(other.take("a", 2, id(3), 29_999).await));
    let freed = other.take("a", 2, id(3), 30_000).await;
    assert!(freed.is_some());
    assert!(full(other.take("a", 2, id(4), 30_000).await));
    // What is given back is free for all, once Redis knows.
    drop(kept);
    while full(other.take("a", 2, id(4), 30_000).await) {}
    lifecycle.stop(std::future::pending()).await;
}
