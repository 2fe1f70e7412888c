//! What a sync costs in calls, told before and counted after.

use serde_json::{Value, json};

use crate::world::World;

crate::for_every_provider!(
    a_preview_tells_how_many_calls_a_push_makes,
    a_preview_tells_how_many_calls_a_pull_makes,
);

/// Previews, syncs, and holds the one against the other.
async fn costs(world: &World, fields: Value) -> u64 {
    let preview = world.preview(&fields).await;
    world.stage.reset_calls();
    let report = world.synced(&fields).await;
    assert_eq!(report["providerCalls"], world.stage.calls(), "{report}");
    assert_eq!(
        preview["providerCalls"], report["providerCalls"],
        "{preview}"
    );
    report["providerCalls"].as_u64().expect("a number")
}

async fn a_preview_tells_how_many_calls_a_push_makes(world: World) {
    let push = || json!({});
    let delete = || json!({ "allowDelete": true });
    world.set_vault(&[("ONE", "1"), ("TWO", "2")]).await;
    assert_eq!(costs(&world, push()).await, 2);
    assert_eq!(costs(&world, push()).await, 1);
    costs(&world, json!({ "verify": true })).await;
    world.stage.set("THREE", "theirs-3");
    world.stage.set("FOUR", "theirs-4");
    world.stage.set_unreadable("HIDDEN", "theirs-5");
    world.stage.set_next_door("NEW", "next-door");
    let shared = world.stage.set_shared("SHARED", "theirs-6");
    if shared {
        world.stage.set_shared("ANOTHER", "theirs-7");
    }
    // New, changed, equal, hidden, shared, and one that is only next door.
    let mut vault = vec![
        ("ONE", "1"),
        ("TWO", "two"),
        ("THREE", "3"),
        ("FOUR", "theirs-4"),
        ("HIDDEN", "5"),
        ("NEW", "6"),
        ("NEWER", "7"),
    ];
    if shared {
        vault.extend([("SHARED", "8"), ("ANOTHER", "theirs-7")]);
    }
    world.set_vault(&vault).await;
    costs(&world, push()).await;
    // Fewer, without which they are deleted: some that have others beside them, and some that have none.
    world.stage.set("THEIRS", "theirs-8");
    world.stage.set_next_door("THEIRS", "next-door");
    world.set_vault(&[("ONE", "one"), ("NEWEST", "9")]).await;
    costs(&world, push()).await;
    costs(&world, delete()).await;
    assert_eq!(costs(&world, delete()).await, 1);
}

async fn a_preview_tells_how_many_calls_a_pull_makes(world: World) {
    if world.capabilities().await["pull"] == false {
        return;
    }
    world.stage.set("ONE", "1");
    world.stage.set("TWO", "2");
    world.stage.set_unreadable("HIDDEN", "3");
    world.stage.set_shared("SHARED", "4");
    world.set_vault(&[("ONE", "another"), ("TWO", "2")]).await;
    let pull = || json!({ "direction": "pull" });
    costs(&world, pull()).await;
    assert_eq!(costs(&world, pull()).await, 1);
}
