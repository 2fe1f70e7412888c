//! Scripted faults, the log, and the calls of the simulator's own.

use std::time::Duration;

use keyway_simulator::netlify::{ACCOUNT, SITE};
use keyway_simulator::{Action, Fault};
use serde_json::{Value, json};

use super::{World, assert_refused, env, variable};

fn there(world: &World, key: &str) -> bool {
    world.netlify.value(SITE, key, "production", None).is_some()
}

fn body(key: &str) -> Value {
    json!([variable(key, &[("production", "1")])])
}

#[tokio::test]
async fn an_answer_goes_before_or_after_the_effect() {
    let world = World {
        undescribed: true,
        ..World::starter().await
    };
    let error = json!({ "code": 503, "message": "later" });
    world
        .netlify
        .fault(Fault::next(Action::json(503, &error)).method("POST"));
    assert_refused(&world.create(&body("A")).await, 503, "later");
    assert!(!there(&world, "A"));
    world.netlify.fault(Fault::next(Action::RespondAfter {
        status: 502,
        body: "bad gateway".to_owned(),
    }));
    let after = world.create(&body("A")).await;
    assert_eq!((after.status, after.text.as_str()), (502, "bad gateway"));
    assert!(there(&world, "A"));
    world
        .netlify
        .fault(Fault::next(Action::json(503, &error)).times(5));
    world.netlify.clear_faults();
    assert_eq!(world.get("/user").await.status, 200);
}

#[tokio::test]
async fn a_connection_breaks_before_or_after_the_effect() {
    let world = World::starter().await;
    let send = async |key: &str| {
        let request = world.request("POST", &format!("/api/v1{}", env("")));
        world.try_send(request.json(&body(key))).await
    };
    world
        .netlify
        .fault(Fault::next(Action::ResetBefore).path("/env"));
    send("A").await.unwrap_err();
    assert!(!there(&world, "A"));
    world
        .netlify
        .fault(Fault::next(Action::ResetAfter).path("/env"));
    send("B").await.unwrap_err();
    assert!(there(&world, "B"));
    let records = world.netlify.requests();
    assert_eq!(records[0].status, None);
}

#[tokio::test]
async fn half_a_body_or_none_comes() {
    let world = World {
        undescribed: true,
        ..World::starter().await
    };
    world.netlify.fault(Fault::next(Action::TruncateBody));
    let half = world.create(&body("A")).await;
    assert_eq!(half.status, 201);
    assert!(
        half.text.starts_with('[') && half.body.is_null(),
        "{half:?}"
    );
    assert!(there(&world, "A"));
    world.netlify.fault(Fault::next(Action::Hang));
    let request = world.request("GET", "/api/v1/user");
    let hung = world
        .try_send(request.timeout(Duration::from_millis(50)))
        .await;
    assert!(hung.unwrap_err().is_timeout());
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cut_and_has_been_done() {
    let world = World::starter().await;
    world.netlify.set(|options| options.cut_after_ms = 5);
    world
        .netlify
        .fault(Fault::next(Action::Delay { milliseconds: 10 }));
    let request = world.request("POST", &format!("/api/v1{}", env("")));
    world.try_send(request.json(&body("A"))).await.unwrap_err();
    assert!(there(&world, "A"));
    world
        .netlify
        .fault(Fault::next(Action::Delay { milliseconds: 3 }));
    assert_eq!(world.get("/user").await.status, 200);
}

#[tokio::test]
async fn single_keys_of_a_create_may_fail() {
    let world = World::starter().await;
    world.netlify.fault(Fault::next(Action::FailKeys {
        keys: vec!["A".to_owned()],
        code: "not today".to_owned(),
    }));
    let two = json!([
        variable("A", &[("production", "1")]),
        variable("B", &[("production", "1")])
    ]);
    assert_refused(&world.create(&two).await, 422, "not today");
    assert!(!there(&world, "A") && there(&world, "B"));
}

#[tokio::test]
async fn the_log_tells_who_called_what() {
    let world = World::starter().await;
    let request = world
        .request("POST", &format!("/api/v1{}", env("")))
        .header("x-request-id", "01J")
        .json(&body("A"));
    world.send(request).await;
    world.get(&format!("/accounts/{ACCOUNT}/env")).await;
    world.get("/sites").await;
    let records = world.netlify.requests();
    let first = &records[0];
    assert_eq!((first.method.as_str(), first.family), ("POST", "env-write"));
    assert_eq!(first.path, format!("/api/v1/accounts/{ACCOUNT}/env"));
    assert_eq!(first.query, format!("site_id={SITE}"));
    assert_eq!(first.body, Some(body("A")));
    assert_eq!(first.request_id.as_deref(), Some("01J"));
    assert_eq!(first.user_agent.as_deref(), Some("tests/1"));
    assert_eq!(first.project.as_deref(), Some(SITE));
    assert_eq!(first.status, Some(201));
    // The team's is another place.
    assert_eq!(records[1].project.as_deref(), Some(ACCOUNT));
    assert_eq!((records[2].family, &records[2].project), ("sites", &None));
    assert!(records[0].ended < Some(records[1].started));
    world.netlify.reset_calls();
    assert_eq!(world.netlify.calls(), 0);
}

#[tokio::test]
async fn a_process_is_led_by_calls_of_its_own() {
    let world = World::starter().await;
    let control = async |method: &str, path: &str, body: &Value| {
        let request = world.request(method, &format!("/_simulator{path}"));
        world.try_send(request.json(body)).await.unwrap()
    };
    let repository = json!({ "provider": "github", "path": "acme/new" });
    let site = json!({ "name": "new", "repository": repository, "framework": "astro" });
    let made = control("POST", "/sites", &site).await;
    let id = made.body["id"].as_str().unwrap();
    let seed = json!({ "holder": id, "key": "A", "values": { "branch:x": "1" } });
    assert_eq!(control("POST", "/env", &seed).await.status, 200);
    let nowhere = json!({ "holder": "nowhere", "key": "A", "values": {} });
    assert_eq!(control("POST", "/env", &nowhere).await.status, 404);
    let state = control("GET", "/state", &json!({})).await;
    let sites = state.body["sites"].as_array().unwrap();
    let shown = sites.iter().find(|site| site["id"] == id).unwrap();
    assert_eq!(shown["values"][0]["context"], "branch:x");

    let settings = json!({ "rateLimit": 1, "errorForm": "msg", "callback": "https://a.example" });
    assert_eq!(control("POST", "/settings", &settings).await.status, 200);
    let now = control("GET", "/settings", &json!({})).await.body;
    assert_eq!(
        (&now["rateLimit"], &now["windowMs"]),
        (&json!(1), &json!(60_000))
    );
    assert_eq!(now["callback"], "https://a.example");
    let wrong = control("POST", "/settings", &json!({ "rateLimits": 1 })).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("rateLimits"), "{}", wrong.text);
    control("POST", "/settings", &json!({ "errorForm": "described" })).await;
    assert_eq!(world.get("/user").await.status, 200);
    assert_eq!(world.get("/user").await.status, 429);
    control("POST", "/time", &json!({ "advanceMs": 60_000 })).await;
    let fault = json!({ "method": "GET", "action": { "kind": "respond", "status": 500,
        "body": "{\"code\":500,\"message\":\"broken\"}" } });
    control("POST", "/faults", &fault).await;
    control("DELETE", "/faults", &json!({})).await;
    assert_eq!(world.get("/user").await.status, 200);
    control("POST", "/faults", &fault).await;
    assert_eq!(world.get("/user").await.status, 500);
    // None of these calls is in the log.
    let log = control("GET", "/requests", &json!({})).await.body;
    assert_eq!(log["requests"].as_array().unwrap().len(), 4);
    control("DELETE", "/requests", &json!({})).await;
    assert_eq!(world.netlify.calls(), 0);
}
