//! One request a second: what is told of it, and that a search for a bad secret gets through.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use keyway_shared::ambient::Ambient;
use keyway_shared::providers::{CallEnd, CallFamily, CallGuard, Calls, ProviderError, Session};
use keyway_simulator::fly::{APP, Preset};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{World, app, create, failures, made};

fn until(error: Option<ProviderError>) -> TimeDelta {
    match error {
        Some(ProviderError::RateLimited { until: Some(until) }) => until - Ambient::system().now(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_limit_ends_within_a_second_unless_an_answer_says_more() {
    let world = World::new(Preset::Empty).await;
    let limited = |headers: &[(&str, &str)]| {
        let headers = headers.iter();
        Action::Respond {
            status: 429,
            headers: headers
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            body: json!({ "error": "rate limit exceeded" }).to_string(),
        }
    };
    world.fly.fault(Fault::next(limited(&[])));
    let error = world.provider.list(&world.session, &app()).await;
    assert!(until(error.err()) <= TimeDelta::seconds(1));
    world
        .fly
        .fault(Fault::next(limited(&[("retry-after", "40")])));
    let error = world.provider.list(&world.session, &app()).await;
    assert!(until(error.err()) > TimeDelta::seconds(30));
    world.fly.fault(Fault::next(limited(&[])).method("POST"));
    let applied = world.apply(&[create("A", "1")]).await;
    assert!(until(applied.stopped) <= TimeDelta::seconds(1));
    assert!(applied.results.is_empty());
    assert_eq!(world.fly.calls(), 1);
}

#[tokio::test]
async fn the_fourth_write_at_once_is_one_too_many() {
    let world = World::new(Preset::Empty).await;
    world.fly.set(|options| {
        options.rate_limit = Some(1);
        options.burst = 3;
    });
    let view = world.list().await;
    for key in ["A", "B", "C"] {
        assert_eq!(
            world.carry_out(&view, &[create(key, "1")]).await.stopped,
            None
        );
    }
    let applied = world.carry_out(&view, &[create("D", "1")]).await;
    assert_eq!(applied.stopped.unwrap().outcome(), "rate_limited");
    assert_eq!(world.value("D"), None);
}

/// Lets the stand-in's time pass after a refusal, as the leave of a job waits.
#[derive(Debug)]
struct Waits {
    fly: Arc<World>,
    waited: AtomicUsize,
}

#[async_trait]
impl CallGuard for Waits {
    async fn before(&self, _: CallFamily) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn after(&self, _: CallFamily, end: CallEnd<'_>) {
        if matches!(end.error, Some(ProviderError::RateLimited { .. })) {
            self.fly.fly.advance(std::time::Duration::from_secs(1));
            self.waited.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

#[tokio::test]
async fn a_search_for_a_bad_secret_waits_and_gets_through() {
    let world = Arc::new(World::new(Preset::Empty).await);
    let view = world.list().await;
    world.fly.set(|options| {
        options.rate_limit = Some(1);
        options.max_value = Some(10);
    });
    let mut changes: Vec<_> = (0..50).map(|n| create(&format!("KEY_{n}"), "1")).collect();
    changes.push(create("LONG", "longer than that"));
    let guard = Arc::new(Waits {
        fly: Arc::clone(&world),
        waited: AtomicUsize::new(0),
    });
    let session = Session {
        credential: world.session.credential.clone(),
        calls: Arc::new(Calls::new(guard.clone())),
    };
    let options = keyway_shared::providers::ApplyOptions {
        variable_type: keyway_shared::sync::options::VariableType::Encrypted,
    };
    let applied = world
        .provider
        .apply(&session, &app(), &view, &changes, options, &world.journal)
        .await;
    assert_eq!((applied.stopped.clone(), made(&applied)), (None, 50));
    assert!(failures(&applied).contains_key("LONG"));
    assert!(guard.waited.load(Ordering::Relaxed) > 2);
    assert_eq!(world.fly.snapshot(APP).len(), 50);
    // Without a leave that waits it ends, with what it has done.
    let applied = world
        .apply(&[create("LONG", "longer than that"), create("B", "1")])
        .await;
    assert_eq!(applied.stopped.unwrap().outcome(), "rate_limited");
}
