//! Leases: who holds one changes the machine, and nobody else. They are not in the description that we
//! have.

use std::time::Duration;

use keyway_simulator::fly::{LeaseForm, USER_TOKEN};
use serde_json::{Value, json};

use crate::support::{Answer, World, assert_refused, machine};

async fn call(world: &World, method: &str, action: &str, nonce: &str, body: Value) -> Answer {
    let path = machine(&world.machine(), action);
    let mut request = world.request(method, &format!("/v1{path}"));
    if !nonce.is_empty() {
        request = request.header("fly-machine-lease-nonce", nonce);
    }
    if method == "POST" && !body.is_null() {
        request = request.json(&body);
    }
    world.send(request).await
}

async fn take(world: &World, nonce: &str, body: Value) -> Answer {
    call(world, "POST", "lease", nonce, body).await
}

async fn update(world: &World, nonce: &str) -> Answer {
    let body = json!({ "config": { "image": "nginx" } });
    call(world, "POST", "", nonce, body).await
}

fn nonce(answer: &Answer) -> String {
    answer.body["data"]["nonce"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_the_holder_changes_a_machine() {
    let world = World::empty().await.undescribed();
    let lease = take(&world, "", json!({ "ttl": 60, "description": "rollout" })).await;
    assert_eq!(lease.status, 200);
    assert_eq!(lease.body["status"], "success");
    assert_eq!(lease.body["data"]["description"], "rollout");
    assert_eq!(lease.body["data"]["version"], world.running().instance_id);
    let held = nonce(&lease);
    for other in ["", "another"] {
        assert_refused(&update(&world, other).await, 409, "currently held");
        let restart = call(&world, "POST", "restart", other, Value::Null).await;
        assert_refused(&restart, 409, "currently held");
        assert_refused(&take(&world, other, json!({})).await, 409, "currently held");
        let release = call(&world, "DELETE", "lease", other, Value::Null).await;
        assert_refused(&release, 409, "currently held");
    }
    // Reads, and secrets, are free.
    let path = machine(&world.machine(), "");
    assert_eq!(world.get(&path).await.status, 200);
    world.write(json!({ "A": "1" })).await.ok();
    assert_eq!(update(&world, &held).await.status, 200);
    assert_eq!(world.runs("A").as_deref(), Some("1"));
    let shown = call(&world, "GET", "lease", "", Value::Null).await;
    assert_eq!(nonce(&shown), held);

    let release = call(&world, "DELETE", "lease", &held, Value::Null).await;
    assert_eq!(release.ok(), json!({ "ok": true }));
    assert_eq!(update(&world, "").await.status, 200);
    for method in ["GET", "DELETE"] {
        let none = call(&world, method, "lease", &held, Value::Null).await;
        assert_refused(&none, 404, "lease");
    }
}

#[tokio::test]
async fn a_lease_ends_by_itself_unless_its_holder_takes_it_again() {
    let world = World::empty().await.undescribed();
    let lease = take(&world, "", json!({ "ttl": 60 })).await;
    let held = nonce(&lease);
    world.fly.advance(Duration::from_secs(50));
    let again = take(&world, &held, json!({ "ttl": 60 })).await;
    assert_eq!(nonce(&again), held);
    assert!(again.body["data"]["expires_at"].as_u64() > lease.body["data"]["expires_at"].as_u64());
    world.fly.advance(Duration::from_secs(50));
    assert_eq!(update(&world, "").await.status, 409);
    world.fly.advance(Duration::from_secs(10));
    // What a nonce means after its lease is open.
    assert_eq!(update(&world, &held).await.status, 200);
    world.fly.set(|options| options.refuse_stale_nonce = true);
    assert_refused(&update(&world, &held).await, 409, "over");
    // One that says no time has one; a body is not needed.
    let short = take(&world, "", Value::Null).await;
    assert_eq!(short.status, 200);
    world.fly.advance(Duration::from_secs(30));
    assert_eq!(update(&world, "").await.status, 200);
}

#[tokio::test]
async fn an_update_may_take_a_lease() {
    let world = World::empty().await;
    let path = machine(&world.machine(), "");
    let body = json!({ "config": { "image": "nginx" }, "lease_ttl": 60 });
    let updated = world.post(&path, &body).await.ok();
    let held = updated["nonce"].as_str().unwrap();
    assert_eq!(update(&world, "").await.status, 409);
    assert_eq!(update(&world, held).await.status, 200);
}

#[tokio::test]
async fn a_lease_has_two_forms_and_names_its_holder() {
    let world = World::empty().await.undescribed();
    let world = world.with(&format!("Bearer {USER_TOKEN}"));
    world
        .fly
        .set(|options| options.lease_form = LeaseForm::Bare);
    let lease = take(&world, "", json!({})).await.ok();
    assert_eq!(lease["owner"], "ada@example.com");
    assert!(lease["nonce"].is_string() && lease.get("data").is_none());
    let refused = update(&world, "").await;
    assert_refused(&refused, 409, "ada@example.com");
}
