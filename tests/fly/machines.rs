//! Machines, as far as a rollout of secrets goes.

use std::time::Duration;

use keyway_simulator::fly::{APP, MachineSeed};
use serde_json::{Value, json};

use crate::support::{Answer, World, assert_refused, machine};

fn ids(list: &Answer) -> Vec<&str> {
    let machines = list.body.as_array().unwrap().iter();
    machines.map(|one| one["id"].as_str().unwrap()).collect()
}

async fn list(world: &World, query: &str) -> Answer {
    world.get(&format!("/apps/{APP}/machines{query}")).await
}

async fn update(world: &World, body: &Value) -> Answer {
    world.post(&machine(&world.machine(), ""), body).await
}

#[tokio::test]
async fn a_rollout_takes_the_staged_secrets_and_keeps_the_rest() {
    let world = World::lived_in().await;
    let version = world.write(json!({ "NEW": "1" })).await.ok()["version"].clone();
    let before: Vec<_> = world
        .fly
        .machines(APP)
        .iter()
        .map(|id| world.fly.running(id))
        .collect();
    for id in world.fly.machines(APP) {
        let path = machine(&id, "");
        let shown = world.get(&path).await.ok();
        let body = json!({ "config": shown["config"], "min_secrets_version": version,
            "skip_launch": shown["state"] != "started" });
        let updated = world.post(&path, &body).await.ok();
        assert_eq!(updated["config"], shown["config"]);
        assert_ne!(updated["instance_id"], shown["instance_id"]);
        assert_eq!(updated["state"], shown["state"]);
    }
    for (id, before) in world.fly.machines(APP).iter().zip(before) {
        let (before, after) = (before.unwrap(), world.fly.running(id).unwrap());
        assert_eq!(after.config, before.config);
        assert_eq!(after.state, before.state);
        assert_ne!(after.instance_id, before.instance_id);
        assert_eq!(json!(after.secrets_version), version);
        assert_eq!(after.secrets["NEW"], "1");
        // What others had staged comes along.
        assert_eq!(after.secrets["LOG_LEVEL"], "warn");
        assert_eq!(before.secrets["LOG_LEVEL"], "debug");
        assert!(before.secrets.contains_key("OLD_FLAG"));
        assert!(!after.secrets.contains_key("OLD_FLAG"));
    }
}

#[tokio::test]
async fn a_config_is_replaced_and_not_merged() {
    let world = World::empty().await;
    let config = json!({ "image": "nginx", "env": { "A": null } });
    let updated = update(&world, &json!({ "config": config })).await.ok();
    assert_eq!(updated["config"], config);
    assert_eq!(world.running().config, config);
    for body in [
        json!({}),
        json!({ "config": null }),
        json!({ "config": {} }),
        json!({ "config": [] }),
        json!({ "config": { "image": "" }, "min_secrets_version": "1" }),
    ] {
        assert_eq!(update(&world, &body).await.status, 400, "{body}");
    }
    assert_eq!(world.running().config, config);
}

#[tokio::test]
async fn an_update_names_what_it_expects() {
    let world = World::empty().await;
    world.write(json!({ "A": "1" })).await.ok();
    let before = world.running();
    let with = |name: &str, value: Value| {
        let mut body = json!({ "config": before.config });
        body[name] = value;
        body
    };
    for (name, value, status) in [
        ("min_secrets_version", json!(2), 412),
        ("current_version", json!("another"), 412),
        ("region", json!("nrt"), 400),
    ] {
        let answer = update(&world, &with(name, value)).await;
        assert_refused(&answer, status, "");
        assert_eq!(world.running(), before);
    }
    let kept = with("skip_secrets", json!(true));
    let updated = update(&world, &kept).await.ok();
    assert_eq!(world.runs("A"), None);
    let mut body = with("current_version", updated["instance_id"].clone());
    body["name"] = json!("renamed");
    body["region"] = json!("fra");
    let updated = update(&world, &body).await.ok();
    assert_eq!(updated["name"], "renamed");
    assert_eq!(world.runs("A").as_deref(), Some("1"));
}

#[tokio::test]
async fn an_update_starts_what_was_stopped_unless_it_is_told_not_to() {
    let world = World::empty().await;
    let config = json!({ "image": "nginx" });
    let seed = MachineSeed::new("standby", config.clone()).state("stopped");
    let id = world.fly.add_machine(APP, &seed).unwrap();
    let path = machine(&id, "");
    let body = json!({ "config": config, "skip_launch": true });
    assert_eq!(world.post(&path, &body).await.ok()["state"], "stopped");
    let body = json!({ "config": config });
    assert_eq!(world.post(&path, &body).await.ok()["state"], "started");
}

#[tokio::test]
async fn a_list_shows_what_is_asked_for() {
    let world = World::lived_in().await;
    let all = world.fly.machines(APP);
    assert_eq!(ids(&list(&world, "").await), all);
    assert_eq!(ids(&list(&world, "?include_deleted=true").await).len(), 5);
    assert_eq!(ids(&list(&world, "?region=ams").await), [&all[1]]);
    assert_eq!(ids(&list(&world, "?state=stopped").await), [&all[3]]);
    let states = list(&world, "?state=stopped,started").await;
    assert_eq!(ids(&states), all);
    let summary = list(&world, "?summary=true").await;
    assert_eq!(ids(&summary), all);
    assert!(summary.body[0].get("config").is_none());
    let whole = world.get(&machine(&all[0], "")).await.ok();
    assert_eq!(list(&world, "").await.body[0], whole);
    // A field of the config that nobody knows, and one without a value, are there.
    assert_eq!(
        whole["config"]["an_option_that_nobody_knows"]["kept"],
        json!([1, null, 2.5])
    );
    let service = whole["config"]["services"][0].as_object().unwrap();
    assert!(service.contains_key("force_instance_key"));
    assert_refused(&world.get(&machine("none", "")).await, 404, "machine");
}

#[tokio::test]
async fn a_restart_takes_the_staged_secrets_or_not_and_a_start_does() {
    let world = World::empty().await.undescribed();
    world.write(json!({ "A": "1" })).await.ok();
    let act = async |action: &str| {
        let answer = world
            .post(&machine(&world.machine(), action), &json!({}))
            .await;
        assert_eq!(answer.ok(), json!({ "ok": true }));
    };
    act("restart").await;
    // A start of what is started does nothing.
    act("start").await;
    assert_eq!(world.runs("A"), None);
    act("stop").await;
    assert_eq!(world.running().state, "stopped");
    assert_eq!(world.runs("A"), None);
    act("start").await;
    assert_eq!(world.runs("A").as_deref(), Some("1"));
    world.write(json!({ "A": "2" })).await.ok();
    world
        .fly
        .set(|options| options.restart_takes_secrets = true);
    act("restart").await;
    assert_eq!(world.runs("A").as_deref(), Some("2"));
}

#[tokio::test]
async fn a_machine_takes_its_time_to_start() {
    let world = World::empty().await.undescribed();
    world.fly.set(|options| options.start_ms = 60_000);
    let config = json!({ "image": "nginx" });
    let updated = update(&world, &json!({ "config": config })).await.ok();
    assert_eq!(updated["state"], "starting");
    let version = updated["instance_id"].as_str().unwrap();
    let wait = async |query: &str| {
        let path = machine(&world.machine(), "wait");
        world.get(&format!("{path}?{query}")).await
    };
    let of_version = format!("instance_id={version}&state=started");
    assert_refused(&wait(&of_version).await, 408, "not reached");
    world.fly.advance(Duration::from_mins(1));
    assert_eq!(wait(&of_version).await.ok(), json!({ "ok": true }));
    assert_eq!(wait("").await.status, 200);
    assert_eq!(wait("state=stopped").await.status, 408);
    assert_eq!(wait("instance_id=another").await.status, 408);
}
