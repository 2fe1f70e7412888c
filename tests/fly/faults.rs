//! Scripted faults, latency, the log, and the stand-in's own calls.

use std::time::Duration;

use keyway_simulator::fly::APP;
use keyway_simulator::{Action, Fault};
use serde_json::{Value, json};

use crate::support::{Answer, World, assert_refused, machine, secrets};

fn there(world: &World, name: &str) -> bool {
    world.fly.value(APP, name).is_some()
}

async fn try_write(world: &World, name: &str) -> reqwest::Result<Answer> {
    let request = world.request("POST", &format!("/v1{}", secrets("")));
    let body = json!({ "values": { name: "1" } });
    world.try_send(request.json(&body)).await
}

#[tokio::test]
async fn an_answer_goes_before_or_after_the_effect() {
    let world = World::empty().await.undescribed();
    let error = json!({ "error": "later", "status": "unknown" });
    let unavailable = Action::json(503, &error);
    world
        .fly
        .fault(Fault::next(unavailable.clone()).method("POST"));
    assert_eq!(world.read().await.status, 200);
    assert_refused(&world.write(json!({ "A": "1" })).await, 503, "later");
    assert!(!there(&world, "A"));
    world.fly.fault(Fault::next(Action::RespondAfter {
        status: 502,
        body: "bad gateway".to_owned(),
    }));
    let after = world.write(json!({ "A": "1" })).await;
    assert_eq!((after.status, after.text.as_str()), (502, "bad gateway"));
    assert!(there(&world, "A"));
    world.fly.fault(Fault::next(unavailable).times(5));
    world.fly.clear_faults();
    assert_eq!(world.read().await.status, 200);
}

#[tokio::test]
async fn a_connection_breaks_before_or_after_the_effect() {
    let world = World::empty().await;
    let fault = |action| Fault::next(action).path("/secrets");
    world.fly.fault(fault(Action::ResetBefore));
    try_write(&world, "A").await.unwrap_err();
    assert!(!there(&world, "A"));
    world.fly.fault(fault(Action::ResetAfter));
    try_write(&world, "B").await.unwrap_err();
    assert!(there(&world, "B"));
    let statuses: Vec<_> = world.fly.requests().iter().map(|one| one.status).collect();
    assert_eq!(statuses, [None, None]);
}

#[tokio::test]
async fn half_a_body_or_none_comes() {
    let world = World::empty().await.undescribed();
    world.fly.fault(Fault::next(Action::TruncateBody));
    let half = world.write(json!({ "A": "1" })).await;
    assert_eq!(half.status, 200);
    assert!(
        half.text.starts_with('{') && half.body.is_null(),
        "{half:?}"
    );
    assert!(there(&world, "A"));
    world.fly.fault(Fault::next(Action::Hang));
    let (arrived, arrival) = tokio::sync::oneshot::channel();
    let arrived = std::sync::Mutex::new(Some(arrived));
    world.fly.observe(move |_| {
        let _ = arrived.lock().unwrap().take().unwrap().send(());
    });
    tokio::select! {
        answer = try_write(&world, "B") => panic!("{answer:?}"),
        seen = arrival => seen.unwrap(),
    }
    assert!(!there(&world, "B"));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cut_and_has_been_done() {
    let world = World::empty().await;
    world.fly.set(|options| options.cut_after_ms = 1);
    world.fly.set_latency(Duration::from_millis(2));
    try_write(&world, "A").await.unwrap_err();
    assert!(there(&world, "A"));
    world.fly.set(|options| options.cut_after_ms = 60_000);
    world
        .fly
        .fault(Fault::next(Action::Delay { milliseconds: 1 }));
    assert_eq!(world.read().await.status, 200);
}

#[tokio::test]
async fn one_key_that_fails_refuses_the_write() {
    let world = World::empty().await;
    world.fly.fault(Fault::next(Action::FailKeys {
        keys: vec!["A".to_owned()],
        code: "not today".to_owned(),
    }));
    let both = world.write(json!({ "A": "1", "B": "1" })).await;
    assert_refused(&both, 400, "not today");
    assert!(!there(&world, "A") && !there(&world, "B"));
}

#[tokio::test]
async fn the_log_tells_who_called_what() {
    let world = World::empty().await;
    let body = json!({ "values": { "A": "1" } });
    let request = world
        .request("POST", &format!("/v1{}", secrets("")))
        .header("x-request-id", "01J")
        .json(&body);
    world.send(request).await;
    world.read().await;
    world.get("/tokens/current").await;
    world.get("/apps?org_slug=acme").await;
    world.get(&machine(&world.machine(), "")).await;
    let records = world.fly.requests();
    let first = &records[0];
    assert_eq!(first.path, "/v1/apps/my-app/secrets");
    assert_eq!(first.body, Some(body));
    assert_eq!(first.content_type.as_deref(), Some("application/json"));
    assert_eq!(first.request_id.as_deref(), Some("01J"));
    assert_eq!(first.user_agent.as_deref(), Some("tests/1"));
    assert_eq!(first.project.as_deref(), Some(APP));
    assert_eq!(first.status, Some(200));
    assert!(first.ended < Some(records[1].started));
    assert_eq!(records[3].query, "org_slug=acme");
    assert_eq!(records[3].project, None);
    let families: Vec<_> = records.iter().map(|record| record.family).collect();
    assert_eq!(
        families,
        [
            "secrets-write",
            "secrets-read",
            "tokens",
            "apps",
            "machines-read"
        ]
    );
    assert_eq!(world.fly.calls(), 5);
    world.fly.reset_calls();
    assert_eq!(world.fly.calls(), 0);
}

#[tokio::test]
async fn a_process_is_led_by_calls_of_its_own() {
    let world = World::empty().await;
    let control = async |method: &str, path: &str, body: Value| {
        let request = world.request(method, &format!("/_simulator{path}"));
        world.try_send(request.json(&body)).await.unwrap()
    };
    let get = async |path: &str| control("GET", path, json!({})).await.body;
    let post = async |path: &str, body: Value| control("POST", path, body).await;

    assert!(post("/apps", json!({ "name": "new" })).await.ok()["id"].is_string());
    let staged = json!({ "app": "new", "name": "A", "value": "1" });
    assert_eq!(post("/secrets", staged).await.status, 200);
    let seed = json!({ "app": "new", "name": "one", "config": { "image": "nginx" } });
    let id = post("/machines", seed).await.ok()["id"].clone();
    let staged = json!({ "app": "new", "name": "B", "value": "2" });
    post("/secrets", staged).await;
    let app = async || {
        let state = get("/state").await;
        let apps = state["apps"].as_array().unwrap().iter();
        apps.clone()
            .find(|app| app["name"] == "new")
            .unwrap()
            .clone()
    };
    let shown = app().await;
    assert_eq!(shown["secretsVersion"], 2);
    assert_eq!(shown["secrets"]["B"]["value"], "2");
    assert_eq!(shown["machines"][0]["id"], id);
    let running = &shown["machines"][0]["running"];
    assert_eq!(running["secrets"], json!({ "A": "1" }));
    assert_eq!(running["secretsVersion"], 1);
    let gone = json!({ "app": "new", "name": "A", "value": null });
    post("/secrets", gone).await;
    post("/rollouts", json!({ "app": "new" })).await;
    let running = &app().await["machines"][0]["running"];
    assert_eq!(running["secrets"], json!({ "B": "2" }));
    for (path, body) in [
        ("/secrets", json!({ "app": "nowhere", "name": "A" })),
        ("/machines", json!({ "app": "nowhere", "name": "one" })),
        ("/rollouts", json!({ "app": "nowhere" })),
    ] {
        assert_eq!(post(path, body).await.status, 404, "{path}");
    }

    let settings = json!({ "rateLimit": 0, "burst": 1, "errorForm": "message" });
    assert_eq!(post("/settings", settings).await.status, 200);
    let now = get("/settings").await;
    assert_eq!(
        (&now["rateLimit"], &now["machineReadBurst"]),
        (&json!(0), &json!(10))
    );
    let wrong = post("/settings", json!({ "rateLimits": 1 })).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("rateLimits"), "{}", wrong.text);
    post("/settings", json!({ "errorForm": "described" })).await;
    assert_eq!(world.read().await.status, 200);
    assert_eq!(world.read().await.status, 429);
    post("/settings", json!({ "rateLimit": 1 })).await;
    post("/time", json!({ "advanceMs": 60_000 })).await;
    assert_eq!(world.read().await.status, 200);
    let fault = json!({ "method": "GET", "action": { "kind": "respond", "status": 500,
        "body": "{\"error\":\"broken\",\"status\":\"unknown\"}" } });
    post("/faults", fault.clone()).await;
    control("DELETE", "/faults", json!({})).await;
    assert_eq!(world.get("/tokens/current").await.status, 200);
    post("/faults", fault).await;
    assert_eq!(world.get("/tokens/current").await.status, 500);
    // None of these calls is in the log.
    let log = get("/requests").await;
    assert_eq!(log["requests"].as_array().unwrap().len(), 5);
    control("DELETE", "/requests", json!({})).await;
    assert_eq!(world.fly.calls(), 0);
}
