//! Budgets: what is told of them, in whatever form, and how few calls things take.

use chrono::TimeDelta;
use keyway_shared::ambient::Ambient;
use keyway_shared::providers::ProviderError;
use keyway_simulator::railway::{RateLimitReset, RetryAfter};

use crate::support::{World, create, delete, update};

/// What `Retry-After` counts in, and what form the reset has, is not documented for certain.
#[tokio::test]
async fn a_spent_budget_tells_until_when_in_any_of_its_ways() {
    for status in [429, 200] {
        for retry_after in [RetryAfter::Seconds, RetryAfter::Milliseconds] {
            for reset in [
                RateLimitReset::UnixSeconds,
                RateLimitReset::UnixMilliseconds,
                RateLimitReset::SecondsLeft,
                RateLimitReset::Date,
            ] {
                let world = World::starter().await;
                world.railway.set(|options| {
                    options.per_hour = Some(1);
                    options.rate_limit_status = status;
                    options.retry_after = retry_after;
                    options.rate_limit_reset = reset;
                });
                let view = world.list(&world.own()).await;
                let now = Ambient::system().now();
                let applied = world
                    .apply_to(&view, &world.own(), &[create("A", "1")])
                    .await;
                let Some(ProviderError::RateLimited { until: Some(until) }) = applied.stopped
                else {
                    panic!("{:?}", applied.stopped);
                };
                // Never longer than the hour, however it is read.
                let wait = until - now;
                let about_an_hour = TimeDelta::minutes(55)..=TimeDelta::minutes(61);
                assert!(
                    about_an_hour.contains(&wait),
                    "{retry_after:?} {reset:?}: {wait}"
                );
                assert!(applied.results.is_empty() && world.values().is_empty());
            }
        }
    }
}

/// A hundred calls an hour is what the smallest plan has.
#[tokio::test]
async fn a_sync_takes_two_calls_and_one_for_each_delete() {
    let world = World::lived_in().await;
    let view = world.list(&world.own()).await;
    let changes = [create("A", "1"), update("EMPTY", "1"), delete("GONE")];
    world.apply_to(&view, &world.own(), &changes).await;
    assert_eq!(world.railway.calls(), 3);
}
