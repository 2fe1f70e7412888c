//! Pulls, where values can be read, and the refusal of them where they cannot.

use serde_json::json;

use crate::world::{SYNC, World};

crate::for_every_provider!(
    a_pull_brings_what_can_be_read_and_a_push_then_does_nothing,
    a_pull_leaves_unreadable_values_alone,
    a_pull_writes_nothing_at_the_provider,
);

/// Whether values can be pulled. Where they cannot, that is what a request is told.
async fn pulls(world: &World) -> bool {
    let can = world.capabilities().await["pull"] == true;
    if !can {
        let refused = world
            .me
            .post(SYNC, world.fields(&json!({ "direction": "pull" })));
        let refused = refused.await;
        refused.refuses(&["direction"]);
        let message = refused.json["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("never shows values"), "{message}");
        assert_eq!(world.stage.calls(), 0);
    }
    can
}

async fn a_pull_brings_what_can_be_read_and_a_push_then_does_nothing(world: World) {
    if !pulls(&world).await {
        return;
    }
    world.stage.set("ONE", "theirs-one");
    world.stage.set("TWO", "");
    world.stage.set_next_door("THREE", "next-door-3");
    world
        .set_vault(&[("ONE", "ours-before"), ("MINE", "ours-only")])
        .await;
    let report = world.synced(&json!({ "direction": "pull" })).await;
    assert_eq!(
        (&report["created"], &report["updated"]),
        (&json!(1), &json!(1))
    );
    let vault = world.vault().await;
    assert_eq!(vault["ONE"], "theirs-one");
    assert_eq!(vault["TWO"], "");
    assert_eq!(vault["MINE"], "ours-only");
    assert!(!vault.contains_key("THREE"));
    let report = world.synced(&json!({ "include": ["ONE", "TWO"] })).await;
    assert_eq!(
        (&report["skipped"], &report["stats"]["total"]),
        (&json!(2), &json!(0))
    );
}

async fn a_pull_leaves_unreadable_values_alone(world: World) {
    if !pulls(&world).await {
        return;
    }
    world.stage.set_unreadable("HIDDEN", "nobody-reads-this");
    world.stage.set("ONE", "theirs-one");
    world.set_vault(&[("HIDDEN", "ours-hidden")]).await;
    let job = world.sync(&json!({ "direction": "pull" })).await;
    let outcomes = job["outcomes"].as_array().unwrap().iter();
    let hidden = outcomes.clone().find(|outcome| outcome["key"] == "HIDDEN");
    assert_eq!(hidden.unwrap()["reason"], "unreadable");
    let vault = world.vault().await;
    assert_eq!(vault["HIDDEN"], "ours-hidden");
    assert_eq!(vault["ONE"], "theirs-one");
}

async fn a_pull_writes_nothing_at_the_provider(world: World) {
    if !pulls(&world).await {
        return;
    }
    world.stage.set("ONE", "theirs-one");
    world.set_vault(&[("TWO", "ours-two")]).await;
    let before = (world.stage.here(), world.stage.elsewhere());
    world
        .synced(&json!({ "direction": "pull", "allowDelete": true }))
        .await;
    assert_eq!((world.stage.here(), world.stage.elsewhere()), before);
    assert_eq!(world.vault().await.into_keys().collect::<Vec<_>>(), ["ONE"]);
}
