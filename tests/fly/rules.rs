//! What is refused, and that nothing of it is done.

use keyway_simulator::fly::{APP, BARE_APP};
use serde_json::{Value, json};

use crate::support::{World, assert_refused, secrets};

async fn assert_nothing(world: &World, values: Value, part: &str) {
    assert_refused(&world.write(values).await, 400, part);
    assert_eq!(world.fly.secrets_version(APP), Some(0));
}

#[tokio::test]
async fn a_body_is_as_described_or_nothing_is_done() {
    let world = World::empty().await;
    for (body, part) in [
        ("", "EOF"),
        ("{", "not as described"),
        ("[]", "not as described"),
        ("null", "not as described"),
        ("{}", "values are needed"),
        ("{\"values\":null}", "values are needed"),
        ("{\"values\":[]}", "not as described"),
        ("{\"values\":{\"A\":1}}", "not as described"),
        ("{\"values\":{\"A\":\"1\",\"B\":{}}}", "not as described"),
    ] {
        let request = world.request("POST", &format!("/v1{}", secrets("")));
        let request = request.header("content-type", "application/json");
        assert_refused(&world.send(request.body(body)).await, 400, part);
    }
    let one = world.post(&secrets("A"), &json!({ "value": null })).await;
    assert_refused(&one, 400, "a value is needed");
    let one = world.post(&secrets("A"), &json!({ "value": 1 })).await;
    assert_refused(&one, 400, "not as described");
    assert_eq!(world.fly.secrets_version(APP), Some(0));
}

#[tokio::test]
async fn one_name_that_does_not_fit_refuses_the_whole_write() {
    let world = World::empty().await;
    for name in ["", "1A", "A-B", "A B", "é", "A=B"] {
        let values = json!({ "GOOD": "1", name: "2" });
        assert_nothing(&world, values, "name").await;
    }
    let fit = json!({ "A": "1", "_a": "2", "a1": "3", "FLY_API_TOKEN": "4", "FLY_REGION": "5" });
    assert_eq!(world.write(fit).await.names().len(), 5);
}

#[tokio::test]
async fn what_the_runtime_sets_may_be_refused() {
    let world = World::empty().await;
    world.fly.set(|options| options.refuse_runtime_names = true);
    assert_nothing(&world, json!({ "FLY_REGION": "ams" }), "reserved").await;
    // No beginning is reserved, only names.
    assert_eq!(
        world.write(json!({ "FLY_API_TOKEN": "1" })).await.status,
        200
    );
}

#[tokio::test]
async fn empty_values_are_taken_unless_they_are_not() {
    let world = World::empty().await;
    world.fly.set(|options| options.empty_values = false);
    assert_nothing(&world, json!({ "GOOD": "1", "A": "" }), "no value").await;
    world.fly.set(|options| options.empty_values = true);
    world.write(json!({ "A": "" })).await.ok();
    assert_eq!(world.fly.value(APP, "A").as_deref(), Some(""));
}

#[tokio::test]
async fn there_may_be_limits_of_which_nothing_is_documented() {
    let world = World::empty().await;
    world.fly.set(|options| options.max_value = Some(3));
    assert_nothing(&world, json!({ "GOOD": "1", "A": "1234" }), "too long").await;
    world.fly.set(|options| options.max_secrets = Some(2));
    assert_nothing(&world, json!({ "A": "1", "B": "2", "C": "3" }), "too many").await;
    world.write(json!({ "A": "1", "B": "2" })).await.ok();
    // What goes in the same call makes room.
    world.write(json!({ "A": null, "C": "3" })).await.ok();
    let full = world.post(&secrets("A"), &json!({ "value": "1" })).await;
    assert_refused(&full, 400, "too many");
}

#[tokio::test]
async fn an_error_may_repeat_the_value_that_it_is_about() {
    let world = World::empty().await;
    world.fly.set(|options| options.max_value = Some(3));
    let silent = world.write(json!({ "A": "hunter2" })).await;
    assert!(!silent.text.contains("hunter2"));
    world.fly.set(|options| options.errors_echo_values = true);
    assert_nothing(&world, json!({ "A": "hunter2" }), "hunter2").await;
}

#[tokio::test]
async fn there_is_nothing_where_nothing_is_described() {
    let world = World::empty().await.undescribed();
    for (method, path) in [
        ("GET", "/v1/regions".to_owned()),
        ("PUT", format!("/v1{}", secrets("A"))),
        ("DELETE", format!("/v1{}", secrets(""))),
        ("GET", format!("/apps/{APP}")),
        ("GET", format!("/v1/apps/{APP}/volumes")),
        ("GET", format!("/v1/apps/{BARE_APP}")),
    ] {
        let answer = world.send(world.request(method, &path)).await;
        assert_refused(&answer, 404, "not found");
    }
}
