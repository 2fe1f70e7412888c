//! How many calls a sync makes, exactly: a list, one batch for everything that gets a value, one for
//! everything that is deleted, two for each shared row, and one for each value that has to be read.

use std::time::Duration;

use keyway_shared::domain::gate::Budget;
use keyway_shared::domain::job::{JobKind, JobState};
use keyway_shared::providers::Descriptor;
use keyway_shared::providers::capabilities::Budgets;
use keyway_shared::sync::options::Direction;
use keyway_simulator::vercel::{EnvSeed, Preset};
use keyway_tests::database::Profile;
use serde_json::json;

use super::world::{PROJECT, World};

keyway_tests::on_both_profiles!(
    a_sync_makes_as_few_calls_as_there_can_be,
    each_page_of_the_list_is_a_call,
    a_pull_reads_each_value_once,
    verifying_reads_what_can_be_read,
    a_preview_tells_how_many_calls_a_sync_makes,
    more_calls_than_a_window_takes_are_told,
);

/// The calls of the next push, by what they are.
async fn calls(world: &World, delete: bool) -> Vec<&'static str> {
    world.vercel.reset_calls();
    let mut request = world.request(Direction::Push);
    request.allow_delete = delete;
    let pushed = world.run(JobKind::Sync, request).await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    let requests = world.vercel.requests();
    assert_eq!(pushed.result["providerCalls"], requests.len());
    let id = format!("{}.{}", pushed.job.id, pushed.job.run);
    assert!(
        requests
            .iter()
            .all(|request| request.request_id.as_ref() == Some(&id))
    );
    let names = requests.iter().map(|request| {
        let single = !request.path.ends_with("/env");
        match (request.method.as_str(), single) {
            ("GET", false) => "list",
            ("GET", true) => "read",
            ("POST", false) => "upsert",
            ("PATCH", true) => "take off",
            ("DELETE", false) => "delete",
            _ => panic!("{} {}", request.method, request.path),
        }
    });
    names.collect()
}

fn keys(count: usize, version: usize) -> Vec<(String, String)> {
    let key = |n: usize| (format!("KEY_{n:04}"), format!("{n} of {version}"));
    (0..count).map(key).collect()
}

async fn set(world: &World, secrets: &[(String, String)], more: &[(&str, &str)]) {
    let secrets = secrets
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let all: Vec<_> = secrets.chain(more.iter().copied()).collect();
    world.set_vault(&all).await;
}

async fn a_sync_makes_as_few_calls_as_there_can_be(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    for size in [1, 100, 500] {
        // New, unchanged, changed, and fewer with deletes: whatever the number of keys.
        set(&world, &keys(size, 1), &[]).await;
        let made = calls(&world, true).await;
        assert_eq!(made.first(), Some(&"list"));
        assert_eq!(made.iter().filter(|call| **call == "upsert").count(), 1);
        assert_eq!(calls(&world, true).await, ["list"]);
        set(&world, &keys(size, 2), &[]).await;
        assert_eq!(calls(&world, true).await, ["list", "upsert"]);
        set(&world, &keys(size, 3), &[("MORE", "1")]).await;
        assert_eq!(calls(&world, true).await, ["list", "upsert"]);
        set(&world, &keys(size, 3), &[]).await;
        assert_eq!(calls(&world, false).await, ["list"]);
        assert_eq!(calls(&world, true).await, ["list", "delete"]);
        set(&world, &keys(size, 4), &[("MORE", "1")]).await;
        assert_eq!(calls(&world, true).await, ["list", "upsert"]);
    }
    // Sensitive rows go with the rest, and are not read.
    for n in 0..3 {
        let seed = EnvSeed::new(&format!("SEALED_{n}"), "1", &["production"]);
        world.vercel.add_env(PROJECT, &seed.kind("sensitive"));
    }
    let sealed = [("SEALED_0", "2"), ("SEALED_1", "2"), ("SEALED_2", "2")];
    set(&world, &keys(500, 4), &sealed).await;
    assert_eq!(calls(&world, false).await, ["list", "upsert"]);
    assert_eq!(calls(&world, false).await, ["list"]);
    // Three shared rows: one that is equal is read and left as it is, two are taken apart, and the
    // creates share the batch. A fourth is deleted.
    for (key, value) in [
        ("SHARED_A", "1"),
        ("SHARED_B", "1"),
        ("SHARED_C", "1"),
        ("SHARED_D", "1"),
    ] {
        let seed = EnvSeed::new(key, value, &["production", "preview"]);
        world.vercel.add_env(PROJECT, &seed);
    }
    let shared = [("SHARED_A", "1"), ("SHARED_B", "2"), ("SHARED_C", "2")];
    set(&world, &keys(10, 5), &[&sealed[..], &shared[..]].concat()).await;
    assert_eq!(
        calls(&world, true).await,
        [
            "list", "read", "read", "read", "take off", "take off", "upsert", "take off", "delete"
        ]
    );
    assert_eq!(calls(&world, true).await, ["list"]);
    let preview = |key| world.vercel.value(PROJECT, key, "preview", None);
    for key in ["SHARED_A", "SHARED_B", "SHARED_C", "SHARED_D"] {
        assert_eq!(preview(key).as_deref(), Some("1"), "{key}");
    }
    world.stop().await;
}

async fn each_page_of_the_list_is_a_call(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    set(&world, &keys(45, 1), &[]).await;
    assert_eq!(calls(&world, false).await, ["list", "upsert"]);
    // 45 and the two of the other environments, 20 a page, whatever the client asks for.
    world.vercel.set(|options| options.page_size = Some(20));
    let pages = calls(&world, false).await;
    assert!(pages.iter().all(|call| *call == "list"), "{pages:?}");
    world.stop().await;
}

async fn a_pull_reads_each_value_once(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    for (key, value) in keys(30, 1) {
        let seed = EnvSeed::new(&key, &value, &["production"]);
        world.vercel.add_env(PROJECT, &seed);
    }
    let plain = EnvSeed::new("PLAIN", "1", &["production"]).kind("plain");
    world.vercel.add_env(PROJECT, &plain);
    let pull = || world.run(JobKind::Sync, world.request(Direction::Pull));
    world.vercel.reset_calls();
    let pulled = pull().await;
    assert_eq!(pulled.result["created"], 31, "{}", pulled.result);
    assert_eq!(world.vercel.calls(), 31);
    world.vercel.reset_calls();
    assert_eq!(pull().await.result["skipped"], 31);
    assert_eq!(world.vercel.calls(), 1);
    // What was read is known to a push as well.
    assert_eq!(calls(&world, false).await, ["list"]);
    world.stop().await;
}

async fn verifying_reads_what_can_be_read(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    let sealed = EnvSeed::new("SEALED", "1", &["production"]);
    world.vercel.add_env(PROJECT, &sealed.kind("sensitive"));
    set(&world, &keys(3, 1), &[("SEALED", "2")]).await;
    assert_eq!(calls(&world, false).await, ["list", "upsert"]);
    let mut request = world.request(Direction::Push);
    request.verify = true;
    world.vercel.reset_calls();
    let verified = world.run(JobKind::Sync, request).await;
    assert_eq!(verified.result["skipped"], 4, "{}", verified.result);
    assert_eq!(world.vercel.calls(), 4);
    world.stop().await;
}

/// What a preview says of the next push, and what that makes.
async fn costs(world: &World, delete: bool) -> usize {
    let mut request = world.request(Direction::Push);
    request.allow_delete = delete;
    let preview = world.run(JobKind::Preview, request).await;
    let told = preview.result["providerCalls"].as_u64().unwrap() as usize;
    assert_eq!(calls(world, delete).await.len(), told);
    told
}

async fn a_preview_tells_how_many_calls_a_sync_makes(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    // Each round of rows that are taken apart has a batch of its own.
    for n in 0..30 {
        let seed = EnvSeed::new(&format!("KEY_{n:04}"), "1", &["production", "preview"]);
        world.vercel.add_env(PROJECT, &seed);
    }
    set(&world, &keys(40, 2), &[]).await;
    assert_eq!(costs(&world, false).await, 1 + 30 + 2);
    assert_eq!(costs(&world, false).await, 1);
    for n in 0..3 {
        let seed = EnvSeed::new(&format!("SHARED_{n}"), "1", &["production", "preview"]);
        world.vercel.add_env(PROJECT, &seed);
    }
    set(&world, &keys(10, 3), &[]).await;
    assert_eq!(costs(&world, true).await, 1 + 1 + 3 + 1);
    // Each page of the list counts.
    world.vercel.set(|options| options.page_size = Some(5));
    assert!(costs(&world, true).await > 2);
    world.stop().await;
}

async fn more_calls_than_a_window_takes_are_told(profile: Profile) {
    let small = |provider: &mut Descriptor| {
        let budget = Budget {
            calls: 3,
            window: Duration::from_hours(1),
        };
        provider.budgets = Budgets::Together(Some(budget));
    };
    let (world, _) = World::start_posing(profile, Preset::Starter, small).await;
    let warnings = async |vault: &[(&str, &str)]| {
        world.set_vault(vault).await;
        let request = world.request(Direction::Push);
        let preview = world.run(JobKind::Preview, request).await;
        preview.result["warnings"].clone()
    };
    assert_eq!(warnings(&[("A", "1")]).await, json!([]));
    for key in ["A", "B"] {
        let seed = EnvSeed::new(key, "1", &["production", "preview"]).kind("sensitive");
        world.vercel.add_env(PROJECT, &seed);
    }
    let told = warnings(&[("A", "2"), ("B", "2")]).await;
    assert_eq!(told[0]["code"], "budget");
    let message = told[0]["message"].as_str().unwrap();
    assert!(message.contains("about 4 calls"), "{message}");
    assert!(message.contains("3 in an hour"), "{message}");
    world.stop().await;
}
