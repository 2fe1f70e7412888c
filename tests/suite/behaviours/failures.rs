//! What goes wrong at a provider, and what is told of it.

use chrono::TimeDelta;
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::world::World;

crate::for_every_provider!(
    a_refused_key_is_named_and_the_others_arrive,
    nothing_is_deleted_when_something_failed,
    a_rate_limit_is_waited_for,
    an_outage_is_tried_again,
    a_lost_answer_is_found_out,
    a_connection_that_breaks_before_anything_happened_is_tried_again,
    an_answer_that_makes_no_sense_is_no_success,
);

async fn a_refused_key_is_named_and_the_others_arrive(world: World) {
    let bad = "refused-value ".repeat(200);
    let vault = [("BAD", &*bad), ("ONE", "value-one"), ("TWO", "value-two")];
    world.set_vault(&vault).await;
    let elsewhere = world.stage.elsewhere();
    world.stage.refuse("BAD");
    let job = world.sync(&json!({})).await;
    assert_eq!(job["state"], "partial", "{job}");
    let failures = job["result"]["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0]["key"], "BAD");
    assert!(!job.to_string().contains("refused-value"));
    let here = world.stage.here();
    assert_eq!(here.keys().collect::<Vec<_>>(), ["ONE", "TWO"]);
    assert_eq!(world.stage.elsewhere(), elsewhere);
}

async fn nothing_is_deleted_when_something_failed(world: World) {
    world.stage.set("THEIRS", "theirs-1");
    let bad = "refused-value ".repeat(200);
    world
        .set_vault(&[("BAD", &*bad), ("ONE", "value-one")])
        .await;
    world.stage.refuse("BAD");
    let job = world.sync(&json!({ "allowDelete": true })).await;
    assert_eq!(job["state"], "partial", "{job}");
    assert_eq!(world.stage.here()["THEIRS"], "theirs-1");
    assert_eq!(job["result"]["deleted"], 0);
}

async fn a_rate_limit_is_waited_for(world: World) {
    world.set_vault(&[("ONE", "value-one")]).await;
    let until = world.app.ambient.now() + TimeDelta::seconds(40);
    let limited = Fault::next(world.stage.limited(until));
    world.stage.fault(limited.after(1));
    let id = world.submit(&json!({})).await;
    world.run(id).await;
    let job = world.job(id).await;
    assert_eq!(job["state"], "waiting", "{job}");
    assert_eq!(job["waitingReason"], "rate-limited");
    assert!(world.stage.here().is_empty());
    let calls = world.stage.calls();
    world.run(id).await;
    assert_eq!(
        world.stage.calls(),
        calls,
        "before its time nobody is asked"
    );
    let job = world.finish(id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    // It does not count as an attempt.
    assert_eq!(job["attempt"], 1, "{job}");
    assert_eq!(world.stage.here()["ONE"], "value-one");
}

async fn an_outage_is_tried_again(world: World) {
    world.set_vault(&[("ONE", "value-one")]).await;
    let broken = Fault::next(world.stage.broken());
    world.stage.fault(broken.times(2));
    let job = world.sync(&json!({})).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(world.stage.here()["ONE"], "value-one");
    // One that does not end is told, and nothing is half done.
    world.set_vault(&[("ONE", "another")]).await;
    let broken = Fault::next(world.stage.broken());
    world.stage.fault(broken.times(10_000));
    let job = world.sync(&json!({})).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!(job["errorCode"], "unavailable", "{job}");
    assert_eq!(world.stage.here()["ONE"], "value-one");
}

async fn a_lost_answer_is_found_out(world: World) {
    let vault = [("ONE", "value-one"), ("TWO", "value-two")];
    world.set_vault(&vault).await;
    world.stage.fault(Fault::next(Action::ResetAfter).after(1));
    let job = world.sync(&json!({})).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["result"]["created"], 2, "{job}");
    assert_eq!(world.stage.here().len(), 2);
}

async fn a_connection_that_breaks_before_anything_happened_is_tried_again(world: World) {
    world.set_vault(&[("ONE", "value-one")]).await;
    for after in [0, 1] {
        world
            .stage
            .fault(Fault::next(Action::ResetBefore).after(after));
        let job = world.sync(&json!({})).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert_eq!(world.stage.here()["ONE"], "value-one");
        world.stage.remove("ONE");
    }
}

async fn an_answer_that_makes_no_sense_is_no_success(world: World) {
    world.set_vault(&[("ONE", "value-one")]).await;
    for body in ["<html>hello</html>", "", "[]x", "{\"ok\":true}"] {
        let nonsense = Action::Respond {
            status: 200,
            headers: [].into(),
            body: body.to_owned(),
        };
        world.stage.fault(Fault::next(nonsense).after(1));
        let job = world.sync(&json!({})).await;
        // Looked at again it was not written; whether or not it is then, what is told is true.
        let arrived = world.stage.here().contains_key("ONE");
        assert_eq!(job["state"] == "succeeded", arrived, "{body}: {job}");
        assert!(arrived || body.contains("ok"), "{body}: {job}");
        world.stage.remove("ONE");
        world.stage.clear_faults();
    }
}
