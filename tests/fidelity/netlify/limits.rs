//! Calls in a minute.

use std::time::Duration;

use keyway_simulator::netlify::COLLABORATOR_TOKEN;

use super::{Answer, World, assert_refused};

fn number(answer: &Answer, name: &str) -> u64 {
    answer.header(name).unwrap().parse().unwrap()
}

/// The time that the answer was made at, in seconds since 1970, by its own header.
fn date(answer: &Answer) -> u64 {
    let date = answer.header("date").unwrap();
    let date = chrono::DateTime::parse_from_rfc2822(date).unwrap();
    u64::try_from(date.timestamp()).unwrap()
}

#[tokio::test]
async fn headers_tell_how_many_calls_are_left_and_until_when() {
    let world = World::starter().await;
    let first = world.get("/user").await;
    assert_eq!(number(&first, "x-ratelimit-limit"), 500);
    assert_eq!(number(&first, "x-ratelimit-remaining"), 499);
    let second = world.get("/accounts").await;
    assert_eq!(number(&second, "x-ratelimit-remaining"), 498);
    // Seconds since 1970, the same through the window.
    let reset = number(&first, "x-ratelimit-reset");
    assert_eq!(number(&second, "x-ratelimit-reset"), reset);
    let ahead = reset - date(&first);
    assert!((59..=61).contains(&ahead), "{ahead}");
}

#[tokio::test]
async fn a_call_too_many_is_refused_until_the_reset() {
    let world = World::starter().await;
    world.netlify.set(|options| options.rate_limit = Some(2));
    assert_eq!(world.get("/user").await.status, 200);
    let gone = world.delete(&super::env("NONE")).await;
    assert_eq!(
        (gone.status, number(&gone, "x-ratelimit-remaining")),
        (404, 0)
    );
    let refused = world.delete(&super::env("DATABASE_URL")).await;
    assert_refused(&refused, 429, "rate limit");
    assert_eq!(number(&refused, "x-ratelimit-remaining"), 0);
    assert_eq!(refused.header("retry-after"), None);
    world.netlify.set(|options| options.retry_after = true);
    let refused = world.get("/user").await;
    assert!((1..=60).contains(&number(&refused, "retry-after")));
    // Another user has calls of their own.
    let world = world.with(COLLABORATOR_TOKEN);
    assert_eq!(world.get("/user").await.status, 200);
    let world = world.with(keyway_simulator::netlify::TOKEN);
    world.netlify.advance(Duration::from_mins(1));
    // Nothing was done by what was refused.
    assert_eq!(world.read("DATABASE_URL").await.status, 200);
}

#[tokio::test]
async fn there_may_be_no_limit() {
    let world = World::starter().await;
    world.netlify.set(|options| options.rate_limit = None);
    let answer = world.get("/user").await;
    assert_eq!(answer.header("x-ratelimit-limit"), None);
}
