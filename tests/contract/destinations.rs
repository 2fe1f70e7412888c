//! What is known of destinations: fingerprints, written keys, syncs, splits.

use keyway_shared::providers::Split;
use keyway_shared::store::SplitRecord;
use keyway_shared::sync::options::Direction;
use keyway_shared::sync::remote::{Destination, Fingerprint};

use crate::world::World;

const PROJECT: &str = "vercel|https://api.vercel.com|prj_1";
const SLOT: &str = "|production|";

fn fingerprint(n: usize, stamp: &str) -> Fingerprint {
    Fingerprint {
        key: format!("KEY_{n:04}"),
        remote_id: format!("env_{n}"),
        stamp: stamp.to_owned(),
        mac: vec![n as u8; 32],
    }
}

pub(crate) async fn a_thousand_fingerprints_are_saved_and_replaced(world: &World) {
    let acme = world.place("acme").await;
    let (vault, environment, at) = (acme.vault.id, acme.production.id, world.now());
    let all: Vec<Fingerprint> = (0..1000).map(|n| fingerprint(n, "1")).collect();
    let mut tx = world.tx().await;
    tx.put_fingerprints(vault, environment, PROJECT, SLOT, &all, at)
        .await
        .unwrap();
    let changed: Vec<Fingerprint> = (500..1000).map(|n| fingerprint(n, "2")).collect();
    tx.put_fingerprints(vault, environment, PROJECT, SLOT, &changed, at)
        .await
        .unwrap();
    let found = tx.fingerprints(environment, PROJECT, SLOT).await.unwrap();
    assert_eq!(found[..500], all[..500]);
    assert_eq!(found[500..], changed);
    let keys: Vec<String> = all[1..].iter().map(|f| f.key.clone()).collect();
    tx.delete_fingerprints(environment, PROJECT, SLOT, &keys)
        .await
        .unwrap();
    let found = tx.fingerprints(environment, PROJECT, SLOT).await.unwrap();
    assert_eq!(found, all[..1]);
    assert!(
        tx.fingerprints(acme.staging.id, PROJECT, SLOT)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        tx.fingerprints(environment, PROJECT, "|preview|")
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn suspicion_drops_the_fingerprints_of_a_project(world: &World) {
    let acme = world.place("acme").await;
    let (vault, at) = (acme.vault.id, world.now());
    let one = [fingerprint(1, "1")];
    let keys = ["KEY_0001".to_owned()];
    let mut tx = world.tx().await;
    for (environment, project) in [
        (acme.production.id, PROJECT),
        (acme.staging.id, PROJECT),
        (acme.staging.id, "another"),
    ] {
        tx.put_fingerprints(vault, environment, project, SLOT, &one, at)
            .await
            .unwrap();
        tx.mark_written(vault, environment, project, SLOT, &keys, at)
            .await
            .unwrap();
    }
    tx.drop_project_fingerprints(PROJECT).await.unwrap();
    assert!(
        tx.fingerprints(acme.production.id, PROJECT, SLOT)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        tx.fingerprints(acme.staging.id, PROJECT, SLOT)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        tx.fingerprints(acme.staging.id, "another", SLOT)
            .await
            .unwrap(),
        one
    );
    // What we wrote, we wrote.
    let written = tx
        .written_keys(acme.production.id, PROJECT, SLOT)
        .await
        .unwrap();
    assert_eq!(written.len(), 1);
}

pub(crate) async fn written_keys_protect_from_others(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let (mine, theirs, at) = (acme.production.id, other.production.id, world.now());
    let keys: Vec<String> = (0..700).map(|n| format!("K{n:03}")).collect();
    let mut tx = world.tx().await;
    tx.mark_written(acme.vault.id, mine, PROJECT, SLOT, &keys, at)
        .await
        .unwrap();
    tx.mark_written(acme.vault.id, mine, PROJECT, SLOT, &keys, at)
        .await
        .unwrap();
    tx.mark_written(other.vault.id, theirs, PROJECT, SLOT, &keys[..1], at)
        .await
        .unwrap();
    let written = tx.written_keys(mine, PROJECT, SLOT).await.unwrap();
    assert!(written.iter().eq(&keys));
    let foreign = tx.foreign_keys(PROJECT, SLOT, mine).await.unwrap();
    assert!(foreign.iter().eq(&keys[..1]));
    tx.unmark_written(theirs, PROJECT, SLOT, &keys[..1])
        .await
        .unwrap();
    assert!(
        tx.foreign_keys(PROJECT, SLOT, mine)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        tx.foreign_keys(PROJECT, SLOT, theirs).await.unwrap().len(),
        700
    );
    assert!(
        tx.foreign_keys(PROJECT, "|preview|", theirs)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn the_last_sync_is_remembered_by_direction(world: &World) {
    let acme = world.place("acme").await;
    let (environment, job) = (acme.production.id, world.ambient.new_id());
    let first = world.now();
    let mut tx = world.tx().await;
    assert_eq!(
        tx.last_sync(environment, PROJECT, SLOT, None)
            .await
            .unwrap(),
        None
    );
    for direction in [Direction::Push, Direction::Pull, Direction::Pull] {
        tx.record_sync(environment, PROJECT, SLOT, direction, 3, job, world.now())
            .await
            .unwrap();
        world.advance(10);
    }
    let push = Some(Direction::Push);
    let push = tx
        .last_sync(environment, PROJECT, SLOT, push)
        .await
        .unwrap();
    assert_eq!(push, Some(first));
    let last = first + std::time::Duration::from_secs(20);
    let either = tx
        .last_sync(environment, PROJECT, SLOT, None)
        .await
        .unwrap();
    assert_eq!(either, Some(last));
}

pub(crate) async fn splits_stay_open_until_closed(world: &World) {
    let acme = world.place("acme").await;
    let record = SplitRecord {
        split: Split {
            id: world.ambient.new_id(),
            key: "A".to_owned(),
            row_id: "env_1".to_owned(),
            destination: Destination {
                project_id: "prj_1".to_owned(),
                service_id: None,
                scope: "production".to_owned(),
                custom: false,
                branch: None,
            },
            kind: "encrypted".to_owned(),
            prior: serde_json::json!(["production", "preview"]),
        },
        project_key: PROJECT.to_owned(),
        job_id: world.ambient.new_id(),
        user_id: acme.user.id,
        vault_id: acme.vault.id,
        environment_id: acme.production.id,
        connection_id: acme.connection.id,
    };
    let mut tx = world.tx().await;
    tx.open_split(&record, world.now()).await.unwrap();
    let [open] = tx.open_splits(PROJECT).await.unwrap().try_into().unwrap();
    assert_eq!(open, record);
    assert!(tx.open_splits("another").await.unwrap().is_empty());
    tx.close_split(record.split.id, world.now()).await.unwrap();
    tx.close_split(record.split.id, world.now()).await.unwrap();
    assert!(tx.open_splits(PROJECT).await.unwrap().is_empty());
}

pub(crate) async fn what_is_known_goes_with_the_environment(world: &World) {
    let (acme, other) = (world.place("acme").await, world.place("other").await);
    let (vault, at) = (acme.vault.id, world.now());
    let keys = ["A".to_owned()];
    let print = [fingerprint(1, "1")];
    let write = async |environment| {
        let mut tx = world.tx().await;
        tx.mark_written(vault, environment, PROJECT, SLOT, &keys, at)
            .await
            .unwrap();
        tx.put_fingerprints(vault, environment, PROJECT, SLOT, &print, at)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    let known = async || {
        let mut tx = world.tx().await;
        let keys = tx.foreign_keys(PROJECT, SLOT, other.production.id).await;
        let mut prints = Vec::new();
        for environment in [acme.production.id, acme.staging.id] {
            prints.extend(tx.fingerprints(environment, PROJECT, SLOT).await.unwrap());
        }
        tx.commit().await.unwrap();
        (keys.unwrap().len(), prints.len())
    };
    write(acme.production.id).await;
    write(acme.staging.id).await;
    assert_eq!(known().await, (1, 2));
    let mut tx = world.tx().await;
    assert!(tx.delete_environment(vault, acme.staging.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(known().await, (1, 1));
    // A job that ends later writes nothing for what is gone.
    write(acme.staging.id).await;
    assert_eq!(known().await, (1, 1));
    let mut tx = world.tx().await;
    assert!(tx.delete_vault(acme.user.id, vault).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(known().await, (0, 0));
}
