//! Secrets: what is staged, what is shown of it, and what runs.

use std::collections::BTreeMap;
use std::time::Duration;

use keyway_simulator::fly::{APP, BARE_APP, STAGING_APP};
use serde_json::json;

use crate::support::{World, assert_refused, machine, secrets};

#[tokio::test]
async fn a_write_stages_and_changes_nothing_that_runs() {
    let world = World::lived_in().await;
    let machines = world.fly.machines(APP);
    let running = || {
        let each = machines.iter().map(|id| world.fly.running(id).unwrap());
        each.collect::<Vec<_>>()
    };
    let before = running();
    let version = world.fly.secrets_version(APP).unwrap();
    let written = world
        .write(json!({ "DATABASE_URL": "postgres://new", "SENTRY_DSN": null }))
        .await;
    assert_eq!(
        (&written.body["version"], &written.body["Version"]),
        (&json!(version + 1), &json!(version + 1))
    );
    assert_eq!(
        world.fly.value(APP, "DATABASE_URL").as_deref(),
        Some("postgres://new")
    );
    assert_eq!(world.fly.value(APP, "SENTRY_DSN"), None);
    assert_eq!(running(), before);
    assert_eq!(
        world.runs("DATABASE_URL").as_deref(),
        Some("postgres://app:hunter2@my-app-db.flycast:5432/app")
    );
    world.fly.roll_out(APP);
    assert_eq!(
        world.runs("DATABASE_URL").as_deref(),
        Some("postgres://new")
    );
    assert_eq!(world.running().secrets_version, version + 1);
}

#[tokio::test]
async fn one_call_sets_and_unsets() {
    let world = World::empty().await;
    world.write(json!({ "A": "1", "OLD": "x" })).await.ok();
    let written = world
        .write(json!({ "A": "2", "B": "3", "OLD": null, "UNKNOWN": null }))
        .await;
    assert_eq!(written.names(), ["A", "B"]);
    assert_eq!(written.body["version"], 2);
    assert_eq!(world.read().await.digests(), written.digests());
    let staged = world.fly.snapshot(APP);
    let staged: BTreeMap<_, _> = staged.iter().map(|(k, v)| (&**k, &*v.value)).collect();
    assert_eq!(staged, BTreeMap::from([("A", "2"), ("B", "3")]));
}

#[tokio::test]
async fn to_unset_what_is_not_there_tells_the_version_that_is() {
    let world = World::empty().await;
    let unset = world.write(json!({ "UNKNOWN": null })).await.ok();
    assert_eq!(
        (&unset["version"], &unset["secrets"]),
        (&json!(0), &json!([]))
    );
    world.write(json!({ "A": "1" })).await.ok();
    let unset = world.write(json!({ "UNKNOWN": null })).await.ok();
    assert_eq!(unset["version"], 1);
    // Nothing at all is no change either.
    assert_eq!(world.write(json!({})).await.ok()["version"], 1);
}

#[tokio::test]
async fn no_read_shows_a_value() {
    let world = World::lived_in().await;
    world.write(json!({ "A": "in clear" })).await.ok();
    for path in [
        secrets(""),
        secrets("?show_secrets=true").replace("/?", "?"),
        secrets("A"),
        secrets("A?show_secrets=true"),
        format!("/apps/{APP}/machines"),
        machine(&world.machine(), ""),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text.contains("\"value\""), "{answer:?}");
        for value in ["in clear", "hunter2", "LS0tLS1C"] {
            assert!(!answer.text.contains(value), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_secret_has_its_times() {
    let world = World::empty().await;
    let made = world.write(json!({ "A": "1" })).await.ok();
    let made = &made["secrets"][0];
    assert_eq!(made["created_at"], made["updated_at"]);
    let set = world.write(json!({ "A": "2" })).await.ok();
    let set = &set["secrets"][0];
    assert_eq!(set["created_at"], made["created_at"]);
    assert!(set["updated_at"].as_str() > made["updated_at"].as_str());
    chrono::DateTime::parse_from_rfc3339(set["updated_at"].as_str().unwrap()).unwrap();
    assert_eq!(world.get(&secrets("A")).await.ok(), *set);
}

#[tokio::test]
async fn a_digest_is_of_a_value_in_a_name_in_an_app() {
    let world = World::lived_in().await;
    let digest = async |app: &str, name: &str, value: &str| {
        let body = json!({ "values": { name: value } });
        let answer = world.post(&format!("/apps/{app}/secrets"), &body).await;
        answer.digests().remove(name).unwrap()
    };
    let first = digest(APP, "A", "1").await;
    assert!(first.len() == 16 && first.bytes().all(|c| c.is_ascii_hexdigit()));
    for (app, name, value, same) in [
        (APP, "A", "2", false),
        (APP, "A", "1", true),
        (APP, "B", "1", false),
        (STAGING_APP, "A", "1", false),
        (BARE_APP, "A", "1", false),
    ] {
        let other = digest(app, name, value).await;
        assert_eq!(other == first, same, "{app} {name} {value}");
    }
    assert_eq!(world.fly.snapshot(APP)["A"].digest, first);
    // Both lengths were seen; a new one is of the same value.
    world.fly.set(|options| options.digest_length = 32);
    let long = digest(APP, "A", "1").await;
    assert!(long.len() == 32 && long.starts_with(&first));
}

#[tokio::test]
async fn one_secret_is_set_read_and_deleted_by_calls_of_its_own() {
    let world = World::empty().await;
    let set = world.post(&secrets("A"), &json!({ "value": "1" })).await;
    assert_eq!(set.status, 201);
    assert_eq!(
        (
            &set.body["name"],
            &set.body["version"],
            &set.body["Version"]
        ),
        (&json!("A"), &json!(1), &json!(1))
    );
    assert_eq!(world.fly.value(APP, "A").as_deref(), Some("1"));
    let shown = world.get(&secrets("A")).await.ok();
    assert_eq!(shown["digest"], set.body["digest"]);
    assert_refused(&world.get(&secrets("B")).await, 404, "not found");
    let gone = world.delete(&secrets("A")).await.ok();
    assert_eq!(gone, json!({ "version": 2, "Version": 2 }));
    assert_eq!(world.fly.value(APP, "A"), None);
    assert_refused(&world.delete(&secrets("A")).await, 404, "not found");
}

#[tokio::test]
async fn a_name_in_a_path_is_decoded() {
    let world = World::empty().await;
    world.fly.set(|options| options.safe_names = false);
    let path = secrets("a%2Fb%20%C3%A9");
    let set = world.post(&path, &json!({ "value": "1" })).await;
    assert_eq!(set.body["name"], "a/b é");
    assert_eq!(world.get(&path).await.status, 200);
    assert_eq!(world.delete(&path).await.status, 200);
}

#[tokio::test]
async fn a_version_is_waited_for() {
    let world = World::empty().await;
    world.write(json!({ "A": "1" })).await.ok();
    let read = async |query: &str| world.get(&format!("/apps/{APP}/secrets?{query}")).await;
    assert_eq!(read("min_version=1").await.names(), ["A"]);
    assert_eq!(read("min_version=0").await.status, 200);
    assert_refused(&read("min_version=2").await, 412, "version");
    assert_refused(&read("min_version=new").await, 400, "number");
    let one = world.get(&secrets("A?min_version=2")).await;
    assert_refused(&one, 412, "version");
}

#[tokio::test]
async fn a_write_takes_its_time_to_reach_those_who_name_no_version() {
    let world = World::empty().await;
    world.fly.set(|options| options.lag_ms = 60_000);
    let (id, read) = (
        world.machine(),
        secrets("?min_version=2").replace("/?", "?"),
    );
    world.write(json!({ "A": "1" })).await.ok();
    world.fly.advance(Duration::from_secs(30));
    world.write(json!({ "B": "2" })).await.ok();
    assert_eq!(world.read().await.names(), [""; 0]);
    assert_eq!(world.get(&read).await.names(), ["A", "B"]);
    let config = world.running().config;
    let behind = json!({ "config": config, "min_secrets_version": 2 });
    let path = machine(&id, "");
    assert_refused(&world.post(&path, &behind).await, 412, "version");

    world.fly.advance(Duration::from_secs(30));
    assert_eq!(world.read().await.names(), ["A"]);
    // Who names no version gets what has come, and no error.
    world.post(&path, &json!({ "config": config })).await.ok();
    assert_eq!(world.running().secrets_version, 1);
    assert_refused(&world.post(&path, &behind).await, 412, "version");

    world.fly.advance(Duration::from_secs(30));
    assert_eq!(world.read().await.names(), ["A", "B"]);
    world.post(&path, &behind).await.ok();
    assert_eq!(world.running().secrets_version, 2);
}
