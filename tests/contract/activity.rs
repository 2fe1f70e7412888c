//! The activity log, and the processes.

use keyway_shared::domain::account::User;
use keyway_shared::domain::activity::{Action, Activity, Platform};
use keyway_shared::domain::vault::Role;
use keyway_shared::store::Backend;
use uuid::Uuid;

use crate::world::World;

fn entry(world: &World, user: &User, vault: Option<Uuid>) -> Activity {
    Activity {
        id: world.ambient.new_id(),
        at: world.now(),
        action: Action::SecretsPushed,
        user_id: Some(user.id),
        username: user.username.clone(),
        vault_id: vault,
        repo_full_name: Some("acme/app".to_owned()),
        platform: Platform::Cli,
        ip: Some("192.0.2.1".to_owned()),
        api_key_id: None,
        session_id: None,
        request_id: Some("req_1".to_owned()),
        metadata: serde_json::json!({"created": 3}),
    }
}

pub(crate) async fn activity_is_seen_by_author_and_members(world: &World) {
    let acme = world.place("acme").await;
    let bob = world.user("bob").await;
    let in_vault = entry(world, &acme.user, Some(acme.vault.id));
    world.advance(1);
    let own = entry(world, &bob, None);
    let mut tx = world.tx().await;
    tx.insert_activity(&in_vault).await.unwrap();
    tx.insert_activity(&own).await.unwrap();
    let (seen, total) = tx.list_activity(bob.id, None, None, 10, 0).await.unwrap();
    assert_eq!((seen, total), (vec![own.clone()], 1));
    tx.commit().await.unwrap();
    world.join(&acme, &bob, Role::Read).await;
    let mut tx = world.tx().await;
    let (seen, total) = tx.list_activity(bob.id, None, None, 10, 0).await.unwrap();
    assert_eq!((seen, total), (vec![own, in_vault.clone()], 2));
    let vault = Some(acme.vault.id);
    let (seen, total) = tx.list_activity(bob.id, vault, None, 10, 0).await.unwrap();
    assert_eq!((seen, total), (vec![in_vault.clone()], 1));
    // An entry outlives its vault.
    tx.delete_vault(acme.user.id, acme.vault.id).await.unwrap();
    let (seen, _) = tx
        .list_activity(acme.user.id, None, None, 10, 0)
        .await
        .unwrap();
    assert_eq!(seen, [in_vault]);
}

pub(crate) async fn the_database_keeps_entries_as_they_are(world: &World) {
    let ann = world.user("ann").await;
    let mut tx = world.tx().await;
    let kept = entry(world, &ann, None);
    tx.insert_activity(&kept).await.unwrap();
    tx.commit().await.unwrap();
    // Past the program, with all the rights that it has itself.
    let mut statements = vec![
        "UPDATE activity SET username = 'eve'".to_owned(),
        "UPDATE activity SET at = '2020-01-01T00:00:00+00:00'".to_owned(),
        "DELETE FROM activity".to_owned(),
        "DELETE FROM activity WHERE at < '2100-01-01T00:00:00+00:00'".to_owned(),
        "INSERT INTO activity SELECT * FROM activity".to_owned(),
    ];
    statements.extend(match world.store.backend() {
        Backend::Postgres => vec![
            "TRUNCATE activity".to_owned(),
            "TRUNCATE activity CASCADE".to_owned(),
            "INSERT INTO activity SELECT * FROM activity
             ON CONFLICT (id) DO UPDATE SET username = 'eve'"
                .to_owned(),
        ],
        Backend::Sqlite => vec![
            "REPLACE INTO activity SELECT * FROM activity".to_owned(),
            "UPDATE OR REPLACE activity SET username = 'eve'".to_owned(),
        ],
    });
    for statement in statements {
        let refused = world.database.attempt(&statement).await;
        assert!(refused.is_err(), "{statement}");
    }
    // A pruning takes what is older than it says, and nothing else.
    let announced = format!(
        "BEGIN; INSERT INTO activity_pruning VALUES ({}, '{}'); DELETE FROM activity; COMMIT",
        match world.store.backend() {
            Backend::Postgres => format!("'{}'", Uuid::nil()),
            Backend::Sqlite => "x'00'".to_owned(),
        },
        kept.at.to_rfc3339()
    );
    assert!(world.database.attempt(&announced).await.is_err());
    let mut tx = world.tx().await;
    let (seen, _) = tx.list_activity(ann.id, None, None, 10, 0).await.unwrap();
    assert_eq!(seen, [kept]);
    tx.commit().await.unwrap();
    assert_eq!(
        world
            .database
            .number("SELECT COUNT(*) FROM activity_pruning")
            .await,
        0
    );
}

pub(crate) async fn activity_pages_by_cursor(world: &World) {
    let ann = world.user("ann").await;
    let mut tx = world.tx().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        world.advance(1);
        let entry = entry(world, &ann, None);
        tx.insert_activity(&entry).await.unwrap();
        ids.push(entry.id);
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let (page, total) = tx.list_activity(ann.id, None, cursor, 2, 0).await.unwrap();
        assert_eq!(total, 5);
        let Some(last) = page.last() else { break };
        cursor = Some(last.id);
        seen.extend(page.into_iter().map(|entry| entry.id));
    }
    assert_eq!(seen, ids);
    let (page, _) = tx.list_activity(ann.id, None, None, 2, 4).await.unwrap();
    assert_eq!(page[0].id, ids[4]);
}

pub(crate) async fn processes_show_themselves(world: &World) {
    let first = world.now();
    let mut tx = world.tx().await;
    tx.beat("w1", "worker", first).await.unwrap();
    tx.beat("a1", "api", first).await.unwrap();
    world.advance(10);
    let second = world.now();
    tx.beat("w1", "worker", second).await.unwrap();
    assert_eq!(tx.live_processes("worker", second).await.unwrap(), 1);
    assert_eq!(tx.live_processes("api", second).await.unwrap(), 0);
    assert!(tx.process_alive("w1", second).await.unwrap());
    assert!(!tx.process_alive("a1", second).await.unwrap());
    assert_eq!(tx.prune_processes(second).await.unwrap(), 1);
    // Its worker has ended, and the rest of it has not.
    tx.beat("w1", "api", second).await.unwrap();
    assert_eq!(tx.live_processes("worker", second).await.unwrap(), 0);
    assert_eq!(tx.live_processes("api", second).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(world.store.running_processes().await.unwrap(), 1);
    let mut tx = world.tx().await;
    tx.forget_process("w1").await.unwrap();
    assert!(!tx.process_alive("w1", first).await.unwrap());
}

/// The time is the database's: that of whoever asks may be another.
pub(crate) async fn running_processes_are_those_seen_lately(world: &World) {
    let mut tx = world.tx().await;
    tx.beat("w1", "worker", world.now()).await.unwrap();
    tx.commit().await.unwrap();
    world.advance(30);
    assert_eq!(world.store.running_processes().await.unwrap(), 1);
    world.advance(1);
    assert_eq!(world.store.running_processes().await.unwrap(), 0);
}
