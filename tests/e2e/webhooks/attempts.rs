//! What becomes of deliveries that are not taken: a worker driven by hand, and a clock that stands.

use chrono::TimeDelta;
use keyway_shared::domain::webhook::Event;
use keyway_tests::database::Profile;
use keyway_worker::ManualWorker;
use serde_json::{Value, json};
use uuid::Uuid;

use super::receiver::{Received, Receiver};
use super::{HOOKS, context, hook};
use crate::integrations::world::{World, id};

keyway_tests::on_both_profiles!(
    a_receiver_that_is_down_is_tried_for_a_day,
    a_receiver_may_ask_for_a_pause,
    one_that_is_gone_is_told_nothing_more,
    one_that_takes_nothing_for_days_is_disabled,
    a_redirect_is_not_followed,
    a_crash_after_the_call_only_tells_twice,
    what_was_on_its_way_ends_with_its_webhook,
);

struct Stage {
    world: World,
    worker: ManualWorker,
    receiver: Receiver,
    hook: Uuid,
}

impl Stage {
    async fn set(profile: Profile) -> Self {
        let receiver = Receiver::start().await;
        let allow = |builder: &mut keyway_tests::app::AppBuilder| {
            builder.options.webhooks_allow_private = true;
        };
        let world = World::start_with(profile, allow).await;
        let (hook, _) = hook(&world, &receiver.url(), Value::Null).await;
        let worker = ManualWorker::new(context(&world.app, true).await);
        Self {
            world,
            worker,
            receiver,
            hook,
        }
    }

    /// Accepts a delivery.
    async fn accept(&self) -> Uuid {
        let path = format!("{HOOKS}/{}/test", self.hook);
        let accepted = self.world.me.post(&path, json!({})).await.data(202);
        id(&accepted["delivery"]["id"])
    }

    /// Moves the clock to when the delivery is due and makes one attempt.
    async fn attempt(&mut self, delivery: Uuid) -> Received {
        self.due(delivery).await;
        self.worker.run(delivery).await;
        self.receiver.next().await
    }

    async fn due(&self, delivery: Uuid) {
        let mut tx = self.world.app.store.begin_read().await.unwrap();
        let job = tx.job_snapshot(delivery).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let wait = job.due_at - self.world.app.ambient.now();
        self.world.app.advance(wait.max(TimeDelta::zero()));
    }

    async fn shown(&self, delivery: Uuid) -> Value {
        let path = format!("{HOOKS}/{}/deliveries", self.hook);
        let listed = self.world.me.get(&path).await.data(200);
        let wanted = delivery.to_string();
        let mut all = listed.as_array().unwrap().iter();
        all.find(|shown| shown["id"] == wanted).unwrap().clone()
    }

    async fn webhook(&self) -> Value {
        let path = format!("{HOOKS}/{}", self.hook);
        self.world.me.get(&path).await.data(200)["webhook"].clone()
    }
}

async fn a_receiver_that_is_down_is_tried_for_a_day(profile: Profile) {
    let mut stage = Stage::set(profile).await;
    stage
        .receiver
        .reply([503, 500, 404, 302, 429, 500, 500, 500].map(|status| (status, None)));
    let delivery = stage.accept().await;
    let begun = stage.world.app.ambient.now();
    let first = stage.attempt(delivery).await;
    let shown = stage.shown(delivery).await;
    assert_eq!(shown["state"], "waiting", "{shown}");
    assert_eq!(shown["responseStatus"], 503);
    assert!(shown["nextAttemptAt"].is_string());
    assert!(stage.webhook().await["failingSince"].is_string());
    for attempt in 2..=8 {
        let again = stage.attempt(delivery).await;
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.body, first.body, "attempt {attempt}");
        let later = again.header("webhook-timestamp") > first.header("webhook-timestamp");
        assert!(later, "each attempt is signed anew");
    }
    let shown = stage.shown(delivery).await;
    assert_eq!(
        (&shown["state"], &shown["attempts"]),
        (&json!("failed"), &json!(8))
    );
    assert_eq!(shown["errorCode"], "undelivered");
    let took = (stage.world.app.ambient.now() - begun).num_hours();
    assert!((23..=26).contains(&took), "{took} h");
    // It is not given up: the next event has attempts of its own, and one success is enough.
    let next = stage.accept().await;
    stage.attempt(next).await;
    assert_eq!(stage.shown(next).await["state"], "succeeded");
    assert_eq!(stage.webhook().await["failingSince"], Value::Null);
}

async fn a_receiver_may_ask_for_a_pause(profile: Profile) {
    let mut stage = Stage::set(profile).await;
    let asks = Some(("retry-after", "120".to_owned()));
    stage.receiver.reply([(503, asks)]);
    let delivery = stage.accept().await;
    stage.due(delivery).await;
    let before = stage.world.app.ambient.now();
    stage.worker.run(delivery).await;
    stage.receiver.next().await;
    stage.due(delivery).await;
    let waited = stage.world.app.ambient.now() - before;
    assert!(waited >= TimeDelta::seconds(120), "{waited}");
}

async fn one_that_is_gone_is_told_nothing_more(profile: Profile) {
    let mut stage = Stage::set(profile).await;
    stage.receiver.reply([(410, None)]);
    let (delivery, other) = (stage.accept().await, stage.accept().await);
    stage.attempt(delivery).await;
    assert_eq!(stage.shown(delivery).await["state"], "failed");
    let webhook = stage.webhook().await;
    assert_eq!(webhook["enabled"], false);
    assert_eq!(webhook["disabledReason"], "gone");
    let activity = stage
        .world
        .me
        .get("/v1/activity?vault=acme/my-app")
        .await
        .json;
    let entry = &activity["data"][0];
    assert_eq!(entry["action"], "webhook_changed", "{entry}");
    assert_eq!(entry["metadata"]["reason"], "gone");
    assert_eq!(entry["actor"]["id"], Value::Null);
    // What was accepted before goes nowhere either, and nothing new is accepted.
    stage.due(other).await;
    stage.worker.run(other).await;
    assert_eq!(stage.shown(other).await["state"], "failed");
    stage.receiver.nothing_more();
}

async fn one_that_takes_nothing_for_days_is_disabled(profile: Profile) {
    let mut stage = Stage::set(profile).await;
    stage.receiver.reply((0..3).map(|_| (500, None)));
    let delivery = stage.accept().await;
    stage.attempt(delivery).await;
    stage.world.app.advance(TimeDelta::days(4));
    let delivery = stage.accept().await;
    stage.attempt(delivery).await;
    assert_eq!(stage.webhook().await["enabled"], true);
    stage.world.app.advance(TimeDelta::days(1));
    let delivery = stage.accept().await;
    stage.attempt(delivery).await;
    assert_eq!(stage.webhook().await["disabledReason"], "failing");
    // Whoever enables it again begins anew.
    let path = format!("{HOOKS}/{}", stage.hook);
    stage
        .world
        .me
        .patch(&path, json!({ "enabled": true }))
        .await
        .data(200);
    let delivery = stage.accept().await;
    stage.attempt(delivery).await;
    assert_eq!(stage.webhook().await["enabled"], true);
}

async fn a_redirect_is_not_followed(profile: Profile) {
    let mut stage = Stage::set(profile).await;
    let inner = Receiver::start().await;
    stage
        .receiver
        .reply([(307, Some(("location", inner.url())))]);
    let delivery = stage.accept().await;
    stage.attempt(delivery).await;
    let shown = stage.shown(delivery).await;
    assert_eq!(
        (&shown["state"], &shown["responseStatus"]),
        (&json!("waiting"), &json!(307))
    );
    let mut inner = inner;
    inner.nothing_more();
}

async fn a_crash_after_the_call_only_tells_twice(profile: Profile) {
    let mut stage = Stage::set(profile).await;
    stage.receiver.reply([(0, None)]);
    let delivery = stage.accept().await;
    stage.due(delivery).await;
    // The process dies between the call and writing down what became of it.
    let first = tokio::select! {
        () = stage.worker.run(delivery) => panic!("it was answered"),
        received = stage.receiver.next() => received,
    };
    stage.world.app.advance(TimeDelta::seconds(60));
    let other = ManualWorker::new(context(&stage.world.app, true).await);
    other.sweep().await.unwrap();
    other.run(delivery).await;
    let second = stage.receiver.next().await;
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(stage.shown(delivery).await["state"], "succeeded");
}

async fn what_was_on_its_way_ends_with_its_webhook(profile: Profile) {
    let mut stage = Stage::set(profile).await;
    let delivery = stage.accept().await;
    stage
        .world
        .me
        .delete(&format!("{HOOKS}/{}", stage.hook))
        .await
        .empty();
    stage.worker.run(delivery).await;
    stage.receiver.nothing_more();
    let mut tx = stage.world.app.store.begin().await.unwrap();
    let job = tx.job_snapshot(delivery).await.unwrap().unwrap();
    assert!(job.state.is_final(), "{job:?}");
    // With nobody to tell, nothing is queued.
    let jobs = tx.publish(job.vault_id, &Event::test()).await.unwrap();
    assert!(jobs.is_empty());
    tx.commit().await.unwrap();
}
