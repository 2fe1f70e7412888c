//! What is known of destinations: fingerprints, written keys, syncs, splits.

use std::collections::BTreeSet;

use keyway_shared::providers::Split;
use keyway_shared::store::{DestinationNews, KnownDestination, SplitRecord};
use keyway_shared::sync::options::Direction;
use keyway_shared::sync::remote::{Destination, Fingerprint};
use uuid::Uuid;

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

fn prints(fingerprints: &[Fingerprint]) -> DestinationNews {
    DestinationNews {
        fingerprints: fingerprints.to_vec(),
        ..DestinationNews::default()
    }
}

fn wrote(keys: &[String]) -> DestinationNews {
    DestinationNews {
        written: keys.to_vec(),
        ..DestinationNews::default()
    }
}

async fn note(world: &World, environment: Uuid, project: &str, news: &DestinationNews) {
    let mut tx = world.tx().await;
    tx.note_destination(environment, project, SLOT, news, world.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn known(world: &World, environment: Uuid, project: &str, slot: &str) -> KnownDestination {
    let mut tx = world.tx().await;
    let known = tx.known_destination(environment, project, slot).await;
    tx.commit().await.unwrap();
    known.unwrap()
}

async fn fingerprints(world: &World, environment: Uuid, project: &str) -> Vec<Fingerprint> {
    let known = known(world, environment, project, SLOT).await;
    known.fingerprints.into_values().collect()
}

async fn foreign(world: &World, slot: &str, not: Uuid) -> BTreeSet<String> {
    let mut tx = world.tx().await;
    let keys = tx.foreign_keys(PROJECT, slot, not).await;
    tx.commit().await.unwrap();
    keys.unwrap()
}

pub(crate) async fn a_thousand_fingerprints_are_saved_and_replaced(world: &World) {
    let acme = world.place("acme").await;
    let environment = acme.production.id;
    let all: Vec<Fingerprint> = (0..1000).map(|n| fingerprint(n, "1")).collect();
    note(world, environment, PROJECT, &prints(&all)).await;
    let changed: Vec<Fingerprint> = (500..1000).map(|n| fingerprint(n, "2")).collect();
    note(world, environment, PROJECT, &prints(&changed)).await;
    let found = fingerprints(world, environment, PROJECT).await;
    assert_eq!(found[..500], all[..500]);
    assert_eq!(found[500..], changed);
    let forgotten = DestinationNews {
        forgotten: all[1..].iter().map(|f| f.key.clone()).collect(),
        ..DestinationNews::default()
    };
    note(world, environment, PROJECT, &forgotten).await;
    let found = fingerprints(world, environment, PROJECT).await;
    assert_eq!(found, all[..1]);
    let nothing = KnownDestination::default();
    assert_eq!(known(world, acme.staging.id, PROJECT, SLOT).await, nothing);
    assert_eq!(
        known(world, environment, PROJECT, "|preview|").await,
        nothing
    );
}

pub(crate) async fn a_rollout_is_due_until_it_is_made(world: &World) {
    let acme = world.place("acme").await;
    let environment = acme.production.id;
    let is_due = async || known(world, environment, PROJECT, SLOT).await.rollout_due;
    let due = |due: bool| DestinationNews {
        rollout_due: Some(due),
        ..DestinationNews::default()
    };
    note(world, environment, PROJECT, &wrote(&["A".to_owned()])).await;
    assert!(!is_due().await);
    note(world, environment, PROJECT, &due(true)).await;
    note(world, environment, PROJECT, &wrote(&["B".to_owned()])).await;
    assert!(is_due().await);
    note(world, environment, PROJECT, &due(false)).await;
    assert!(!is_due().await);
    // Where nothing was noted before.
    note(world, acme.staging.id, PROJECT, &due(true)).await;
    let staging = known(world, acme.staging.id, PROJECT, SLOT).await;
    assert!(staging.rollout_due);
}

pub(crate) async fn suspicion_drops_the_fingerprints_of_a_project(world: &World) {
    let acme = world.place("acme").await;
    let news = DestinationNews {
        written: vec!["KEY_0001".to_owned()],
        ..prints(&[fingerprint(1, "1")])
    };
    for (environment, project) in [
        (acme.production.id, PROJECT),
        (acme.staging.id, PROJECT),
        (acme.staging.id, "another"),
    ] {
        note(world, environment, project, &news).await;
    }
    let mut tx = world.tx().await;
    tx.drop_project_fingerprints(PROJECT).await.unwrap();
    tx.commit().await.unwrap();
    for environment in [acme.production.id, acme.staging.id] {
        assert!(fingerprints(world, environment, PROJECT).await.is_empty());
    }
    let kept = fingerprints(world, acme.staging.id, "another").await;
    assert_eq!(kept, news.fingerprints);
    // What we wrote, we wrote.
    let known = known(world, acme.production.id, PROJECT, SLOT).await;
    assert_eq!(known.written.len(), 1);
}

pub(crate) async fn written_keys_protect_from_others(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let (mine, theirs) = (acme.production.id, other.production.id);
    let keys: Vec<String> = (0..700).map(|n| format!("K{n:03}")).collect();
    note(world, mine, PROJECT, &wrote(&keys)).await;
    note(world, mine, PROJECT, &wrote(&keys)).await;
    note(world, theirs, PROJECT, &wrote(&keys[..1])).await;
    let known = known(world, mine, PROJECT, SLOT).await;
    assert!(known.written.iter().eq(&keys));
    assert!(foreign(world, SLOT, mine).await.iter().eq(&keys[..1]));
    let removed = DestinationNews {
        removed: keys[..1].to_vec(),
        ..DestinationNews::default()
    };
    note(world, theirs, PROJECT, &removed).await;
    assert!(foreign(world, SLOT, mine).await.is_empty());
    assert_eq!(foreign(world, SLOT, theirs).await.len(), 700);
    assert!(foreign(world, "|preview|", theirs).await.is_empty());
}

pub(crate) async fn the_last_sync_is_remembered_by_direction(world: &World) {
    let acme = world.place("acme").await;
    let environment = acme.production.id;
    let first = world.now();
    let never = known(world, environment, PROJECT, SLOT).await;
    assert_eq!(never.synced_at(), None);
    for direction in [Direction::Push, Direction::Pull, Direction::Pull] {
        let news = DestinationNews {
            synced: Some(direction),
            ..DestinationNews::default()
        };
        note(world, environment, PROJECT, &news).await;
        world.advance(10);
    }
    let known = known(world, environment, PROJECT, SLOT).await;
    assert_eq!(known.pushed_at, Some(first));
    let last = first + std::time::Duration::from_secs(20);
    assert_eq!(known.pulled_at, Some(last));
    assert_eq!(known.synced_at(), Some(last));
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
                owner_id: None,
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
    let news = DestinationNews {
        written: vec!["A".to_owned()],
        ..prints(&[fingerprint(1, "1")])
    };
    let known = async || {
        let mut prints = 0;
        for environment in [acme.production.id, acme.staging.id] {
            prints += fingerprints(world, environment, PROJECT).await.len();
        }
        let foreign = foreign(world, SLOT, other.production.id).await;
        (foreign.len(), prints)
    };
    note(world, acme.production.id, PROJECT, &news).await;
    note(world, acme.staging.id, PROJECT, &news).await;
    assert_eq!(known().await, (1, 2));
    let mut tx = world.tx().await;
    let (user, vault) = (acme.user.id, acme.vault.id);
    assert!(tx.delete_environment(vault, acme.staging.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(known().await, (1, 1));
    // A job that ends later writes nothing for what is gone.
    note(world, acme.staging.id, PROJECT, &news).await;
    assert_eq!(known().await, (1, 1));
    let mut tx = world.tx().await;
    assert!(tx.delete_vault(user, vault).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(known().await, (0, 0));
}
