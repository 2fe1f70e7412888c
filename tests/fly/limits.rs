//! How often one action is done to one app or machine.

use std::time::Duration;

use keyway_simulator::fly::{APP, Options, STAGING_APP};
use serde_json::json;

use crate::support::{Answer, World, assert_refused, machine, secrets};

async fn limited() -> World {
    let world = World::lived_in().await;
    world.fly.set(|options| *options = Options::default());
    world
}

/// Statuses of calls one after the other.
async fn statuses(world: &World, path: &str, calls: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..calls {
        statuses.push(world.get(path).await.status);
    }
    statuses
}

#[tokio::test]
async fn three_calls_at_once_and_one_in_a_second() {
    let world = limited().await;
    // A second must not pass meanwhile: there is no other way to make sure of it than a slow refill.
    world.fly.set(|options| options.rate_limit = Some(0));
    assert_eq!(
        statuses(&world, &secrets(""), 4).await,
        [200, 200, 200, 429]
    );
    world.fly.set(|options| options.rate_limit = Some(1));
    world.fly.advance(Duration::from_secs(1));
    assert_eq!(world.read().await.status, 200);
    world.fly.set(|options| options.rate_limit = Some(0));
    world.fly.advance(Duration::from_mins(1));
    assert_eq!(world.read().await.status, 429);
    // It fills to the brim and no further.
    world.fly.set(|options| options.rate_limit = Some(1));
    world.fly.advance(Duration::from_mins(1));
    assert_eq!(world.read().await.status, 200);
    world.fly.set(|options| options.rate_limit = Some(0));
    assert_eq!(statuses(&world, &secrets(""), 3).await, [200, 200, 429]);
}

#[tokio::test]
async fn each_action_and_each_app_counts_by_itself() {
    let world = limited().await;
    world.fly.set(|options| {
        options.rate_limit = Some(0);
        options.burst = 1;
    });
    for path in [
        secrets(""),
        format!("/apps/{STAGING_APP}/secrets"),
        secrets("LOG_LEVEL"),
        format!("/apps/{APP}"),
        format!("/apps/{APP}/machines"),
    ] {
        assert_eq!(statuses(&world, &path, 2).await, [200, 429], "{path}");
    }
    // All secrets of one app are one target.
    let other = world.get(&secrets("SENTRY_DSN")).await;
    assert_refused(&other, 429, "rate limit");
    assert_eq!(world.write(json!({ "A": "1" })).await.status, 200);
    assert_eq!(world.write(json!({ "A": "2" })).await.status, 429);
    assert_eq!(world.fly.value(APP, "A").as_deref(), Some("1"));
    for id in world.fly.machines(APP) {
        let body = json!({ "config": { "image": "nginx" } });
        let path = machine(&id, "");
        assert_eq!(world.post(&path, &body).await.status, 200);
        assert_eq!(world.post(&path, &body).await.status, 429);
    }
    // What is about neither is not counted.
    assert_eq!(statuses(&world, "/tokens/current", 5).await, [200; 5]);
    assert_eq!(statuses(&world, "/apps?org_slug=acme", 5).await, [200; 5]);
}

#[tokio::test]
async fn one_machine_is_read_more_often() {
    let world = limited().await;
    world
        .fly
        .set(|options| options.machine_read_rate_limit = Some(0));
    let path = machine(&world.machine(), "");
    let ten = statuses(&world, &path, 11).await;
    assert_eq!((&ten[..10], ten[10]), (&[200; 10][..], 429));
    world
        .fly
        .set(|options| options.machine_read_rate_limit = Some(5));
    world.fly.advance(Duration::from_millis(200));
    assert_eq!(world.get(&path).await.status, 200);
}

#[tokio::test]
async fn who_is_refused_is_told_when_to_come_only_if_it_is_said_so() {
    let world = limited().await;
    world.fly.set(|options| options.burst = 0);
    let wait = |answer: &Answer| answer.header("retry-after").map(str::to_owned);
    let refused = world.read().await;
    assert_eq!((refused.status, wait(&refused)), (429, None));
    world.fly.set(|options| options.retry_after = true);
    let refused = world.read().await;
    assert_eq!(
        (refused.status, wait(&refused).as_deref()),
        (429, Some("1"))
    );
    world.fly.set(Options::unlimited);
    assert_eq!(statuses(&world, &secrets(""), 20).await, [200; 20]);
}
