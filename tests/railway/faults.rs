//! Scripted faults, latency, the log, and the stand-in's own calls.

use keyway_simulator::railway::{self, Cause};
use keyway_simulator::{Action, Fault};
use serde_json::{Value, json};

use crate::support::{Answer, UPSERT, World, http, send};

async fn upsert(world: &World) -> reqwest::Result<Answer> {
    let input = world.input(&json!({ "variables": { "A": "1" } }));
    let header = format!("Bearer {}", railway::TOKEN);
    let request = json!({ "query": UPSERT, "variables": { "input": input } });
    world.post(&[("authorization", &header)], &request).await
}

#[tokio::test]
async fn a_status_hits_the_operation_that_it_is_for() {
    let world = World::starter().await;
    let unavailable = Action::json(503, &json!({ "message": "no" }));
    let fault = Fault::next(unavailable).path("variableCollectionUpsert");
    world.railway.fault(fault.clone().times(2));
    world
        .railway
        .fault(Fault::next(Action::ResetBefore).path("variableDelete"));
    world.read(true).await;
    for status in [503, 503, 200] {
        assert_eq!(upsert(&world).await.unwrap().status, status);
    }
    assert_eq!(world.values()["A"], "1");
    world.railway.fault(fault);
    world.railway.clear_faults();
    upsert(&world).await.unwrap().data();
}

#[tokio::test]
async fn a_connection_breaks_before_or_after_the_effect() {
    let world = World::starter().await;
    world.railway.fault(Fault::next(Action::ResetBefore));
    upsert(&world).await.unwrap_err();
    assert!(world.values().is_empty());
    world.railway.fault(Fault::next(Action::ResetAfter));
    upsert(&world).await.unwrap_err();
    assert_eq!(world.values()["A"], "1");
    assert_eq!(world.railway.deployments().len(), 1);
    let requests = world.railway.requests();
    assert_eq!(
        requests.iter().map(|one| one.status).collect::<Vec<_>>(),
        [None, None]
    );
}

#[tokio::test]
async fn errors_come_instead_of_the_effect_or_after_it() {
    let world = World::starter().await;
    let before = railway::error("Two Factor Authentication Required", None);
    world.railway.fault(Fault::next(before));
    let answer = upsert(&world).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.error(), "Two Factor Authentication Required");
    assert!(world.values().is_empty());
    let after = railway::error_after("Problem processing request", Some("FORBIDDEN"));
    world.railway.fault(Fault::next(after));
    let answer = upsert(&world).await.unwrap();
    assert_eq!(answer.code(), Some("FORBIDDEN"));
    assert_eq!(world.values()["A"], "1");
    // Data beside errors.
    let mut body = railway::error_body("Problem processing request", None);
    body["data"] = json!({ "variableCollectionUpsert": true });
    world.railway.fault(Fault::next(Action::json(200, &body)));
    let answer = upsert(&world).await.unwrap();
    assert_eq!(answer.body["data"]["variableCollectionUpsert"], true);
    assert_eq!(answer.error(), "Problem processing request");
}

#[tokio::test]
async fn a_body_is_cut_off_after_the_effect() {
    let world = World::starter().await;
    world.railway.fault(Fault::next(Action::TruncateBody));
    let answer = upsert(&world).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.is_string());
    assert_eq!(world.values()["A"], "1");
}

#[tokio::test]
async fn a_slow_call_is_under_way_until_it_ends() {
    let world = World::starter().await;
    world
        .railway
        .fault(Fault::next(Action::Delay { milliseconds: 1 }));
    upsert(&world).await.unwrap().data();
    world.railway.set(|options| options.latency_ms = 1);
    upsert(&world).await.unwrap().data();
    // One that gets no answer is never over, and changes nothing.
    world.railway.fault(Fault::next(Action::Hang));
    let before = world.railway.deployments().len();
    let (arrived, arrival) = tokio::sync::oneshot::channel();
    let arrived = std::sync::Mutex::new(Some(arrived));
    world.railway.observe(move |_| {
        let _ = arrived.lock().unwrap().take().unwrap().send(());
    });
    tokio::select! {
        answer = upsert(&world) => panic!("{answer:?}"),
        seen = arrival => seen.unwrap(),
    }
    assert_eq!(world.railway.deployments().len(), before);
}

#[tokio::test]
async fn the_log_names_the_operations() {
    let world = World::starter().await;
    upsert(&world).await.unwrap().data();
    world.read(true).await;
    let requests = world.railway.requests();
    let operations: Vec<_> = requests.iter().flat_map(|one| &one.operations).collect();
    assert_eq!(operations, ["variableCollectionUpsert", "variables"]);
    assert_eq!(requests[0].path, "/graphql/v2");
    assert_eq!(requests[0].family, "graphql");
    assert_eq!(requests[0].project.as_deref(), Some(world.project.as_str()));
    assert_eq!(requests[0].status, Some(200));
    assert_eq!(world.railway.calls(), 2);
    world.railway.reset_calls();
    assert_eq!(world.railway.calls(), 0);
}

#[tokio::test]
async fn its_own_calls_do_what_the_library_does() {
    let world = World::starter().await;
    let at = |path: &str| format!("{}/_simulator/{path}", world.railway.url());
    let get = async |path: &str| send(http().get(at(path))).await.unwrap();
    let post =
        async |path: &str, body: Value| send(http().post(at(path)).json(&body)).await.unwrap();
    let made = post(
        "projects",
        json!({ "name": "new", "environments": ["production"], "services": ["api"] }),
    )
    .await;
    let project = world.railway.project("new").unwrap();
    assert_eq!(made.body["id"], project.as_str());
    let target = json!({ "environment": made.body["environmentIds"][0],
        "service": made.body["serviceIds"][0] });
    let mut variable = target.clone();
    variable["name"] = json!("A");
    variable["value"] = json!("1");
    variable["sealed"] = json!(true);
    post("variables", variable).await;
    let target = serde_json::from_value(target).unwrap();
    assert!(world.railway.snapshot(&target)["A"].sealed);
    let shown = get("state").await.body.to_string();
    assert!(
        shown.contains("\"A\":{\"sealed\":true,\"value\":\"1\"}"),
        "{shown}"
    );

    let answer = post("settings", json!({ "sealedAsNull": true, "perHour": 7 })).await;
    assert_eq!(answer.status, 200);
    let settings = get("settings").await.body;
    assert_eq!(
        (&settings["sealedAsNull"], &settings["perHour"]),
        (&json!(true), &json!(7))
    );
    assert_eq!(settings["pageSize"], 20);
    let answer = post("settings", json!({ "sealed": true })).await;
    assert_eq!(answer.status, 422);

    let fault = json!({ "path": "variableCollectionUpsert",
        "action": { "kind": "respond", "status": 500 } });
    post("faults", fault).await;
    assert_eq!(upsert(&world).await.unwrap().status, 500);
    upsert(&world).await.unwrap().data();
    assert_eq!(world.railway.deployments()[0].cause, Cause::Upsert);
    let requests = get("requests").await.body;
    assert_eq!(requests["requests"].as_array().unwrap().len(), 2);
    assert_eq!(
        requests["requests"][0]["operations"][0],
        "variableCollectionUpsert"
    );
    send(http().delete(at("requests"))).await.unwrap();
    assert_eq!(world.railway.calls(), 0);
}
