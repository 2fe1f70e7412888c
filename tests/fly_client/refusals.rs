//! Secrets that Fly.io does not take: they are found, and the others are written.

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::{Change, ProviderError};
use keyway_simulator::fly::{APP, Preset};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{World, create, delete, failures, made, update};

fn fail(world: &World, keys: &[&str], times: u32) {
    let action = Action::FailKeys {
        keys: keys.iter().map(ToString::to_string).collect(),
        code: "no".to_owned(),
    };
    world
        .fly
        .fault(Fault::next(action).method("POST").times(times));
}

fn many(count: usize) -> Vec<Change> {
    (0..count)
        .map(|n| create(&format!("KEY_{n:03}"), "1"))
        .collect()
}

#[tokio::test]
async fn one_bad_secret_among_a_hundred_is_found_by_halving() {
    let world = World::new(Preset::Empty).await;
    fail(&world, &["KEY_037"], u32::MAX);
    let applied = world.apply(&many(100)).await;
    assert_eq!(applied.stopped, None);
    let expected = [("KEY_037", ErrorCode::Rejected)].into();
    assert_eq!(failures(&applied), expected);
    assert_eq!(made(&applied), 99);
    assert_eq!(world.fly.snapshot(APP).len(), 99);
    assert!(world.fly.calls() <= 16, "{}", world.fly.calls());
    assert_eq!(world.journal.done(), 100);
}

#[tokio::test]
async fn deletes_wait_until_every_write_succeeded() {
    let world = World::new(Preset::LivedIn).await;
    fail(&world, &["B"], u32::MAX);
    let changes = [create("A", "1"), create("B", "1"), delete("SENTRY_DSN")];
    let applied = world.apply(&changes).await;
    let expected = [
        ("B", ErrorCode::Rejected),
        ("SENTRY_DSN", ErrorCode::NotAttempted),
    ];
    assert_eq!(failures(&applied), expected.into());
    assert!(world.value("SENTRY_DSN").is_some());
    assert_eq!(world.value("A").as_deref(), Some("1"));
}

#[tokio::test]
async fn deletes_that_were_refused_with_writes_come_after_them() {
    let world = World::new(Preset::LivedIn).await;
    fail(&world, &["SENTRY_DSN"], 1);
    let changes = [update("LOG_LEVEL", "1"), delete("SENTRY_DSN")];
    let applied = world.apply(&changes).await;
    assert_eq!((applied.stopped.clone(), made(&applied)), (None, 2));
    assert_eq!(
        world.sent(),
        [
            json!({ "LOG_LEVEL": "1", "SENTRY_DSN": null }),
            json!({ "LOG_LEVEL": "1" }),
            json!({ "SENTRY_DSN": null }),
        ]
    );
    // Refused for good, also alone.
    fail(&world, &["SMTP", "TLS_KEY"], u32::MAX);
    let applied = world
        .apply(&[update("LOG_LEVEL", "2"), delete("TLS_KEY")])
        .await;
    assert_eq!(
        failures(&applied),
        [("TLS_KEY", ErrorCode::Rejected)].into()
    );
    assert_eq!(world.value("LOG_LEVEL").as_deref(), Some("2"));
    let applied = world
        .apply(&[delete("TLS_KEY"), delete("smtp_password")])
        .await;
    assert_eq!(failures(&applied).len(), 2);
    assert_eq!(world.fly.calls(), 1);
}

#[tokio::test]
async fn what_is_large_is_sent_in_parts() {
    let world = World::new(Preset::Empty).await;
    let large = Action::json(413, &json!({ "error": "no", "status": "unknown" }));
    world.fly.fault(Fault::next(large).method("POST"));
    let applied = world.apply(&many(10)).await;
    assert_eq!((applied.stopped.clone(), made(&applied)), (None, 10));
    let sizes = world.sent();
    let sizes = sizes.iter().map(|sent| sent.as_object().unwrap().len());
    assert_eq!(sizes.collect::<Vec<_>>(), [10, 5, 5]);
}

#[tokio::test]
async fn whatever_rule_fly_has_only_the_key_fails_that_breaks_it() {
    let world = World::new(Preset::Empty).await;
    world.fly.set(|options| {
        options.empty_values = false;
        options.max_value = Some(64);
        options.errors_echo_values = true;
        options.refuse_runtime_names = true;
    });
    let long = "canary-".repeat(10);
    let changes = [
        create("A", "1"),
        create("EMPTY", ""),
        create("FLY_REGION", "fra"),
        create("LONG", &long),
        create("Z", "1"),
    ];
    let applied = world.apply(&changes).await;
    let failed = failures(&applied);
    assert_eq!(
        failed.keys().copied().collect::<Vec<_>>(),
        ["EMPTY", "FLY_REGION", "LONG"]
    );
    assert!(failed.values().all(|code| *code == ErrorCode::Rejected));
    // What Fly.io says may repeat values; what we say does not.
    assert!(!format!("{applied:?}").contains("canary"));
    assert_eq!(world.fly.snapshot(APP).len(), 2);
}

#[tokio::test]
async fn an_app_that_takes_nothing_is_given_up() {
    let world = World::new(Preset::Empty).await;
    world.fly.set(|options| options.max_secrets = Some(0));
    let applied = world.apply(&many(200)).await;
    assert_eq!((applied.stopped.clone(), made(&applied)), (None, 0));
    assert_eq!(applied.results.len(), 200);
    assert_eq!(world.fly.calls(), 40);
    let failed = failures(&applied);
    assert!(failed.values().any(|code| *code == ErrorCode::NotAttempted));
}

#[tokio::test]
async fn a_refusal_of_the_whole_call_ends_the_run() {
    let world = World::new(Preset::LivedIn).await;
    fail(&world, &["B"], 2);
    let dead = Action::json(
        401,
        &json!({ "error": "unauthorized", "status": "unknown" }),
    );
    world.fly.fault(Fault::next(dead).method("POST").after(1));
    let applied = world
        .apply(&[create("A", "1"), create("B", "1"), delete("SENTRY_DSN")])
        .await;
    assert_eq!(applied.stopped, Some(ProviderError::Unauthorized));
    assert!(applied.results.is_empty());
    assert!(world.value("SENTRY_DSN").is_some());
}
