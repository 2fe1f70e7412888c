//! Workers that seal everything with another key.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use keyway_shared::crypto::KeyRing;
use keyway_shared::domain::key_rotation::{KeyRotation, RotationState, SealFault};
use keyway_shared::store::{SEALED, Store};
use keyway_simulator::vercel::Preset;
use keyway_tests::database::{Profile, TEST_RING};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::world::World;

keyway_tests::on_both_profiles!(
    a_rotation_ends_when_nothing_is_left,
    a_dead_workers_rotation_is_taken_up_where_it_stopped,
    what_does_not_open_makes_it_partial,
    a_worker_of_other_keys_leaves_it_alone,
    a_copy_of_an_old_ciphertext_is_found_in_the_next_round,
);

/// The default.
const LEASE: Duration = Duration::from_secs(30);
const OLD: &str = "SELECT COUNT(*) FROM secrets WHERE key_id <> 'new'";

/// The world, from now on with a new key first.
async fn with_new_key_first(mut world: World) -> World {
    let keys = format!("new:{},{TEST_RING}", "ab".repeat(32));
    let ring = KeyRing::parse(&keys).unwrap();
    let options = world.database.options();
    let store = Store::connect(&options, ring, world.ambient.clone()).await;
    let before = std::mem::replace(&mut world.store, store.unwrap().with_manual_time());
    before.close().await;
    world
}

async fn start(profile: Profile) -> World {
    let world = World::start_manual(profile, Preset::Starter).await;
    world.store.unlock().await.unwrap();
    world.set_vault(&[("A", "1"), ("B", "2"), ("C", "3")]).await;
    world.set_vault(&[("A", "4"), ("B", "2"), ("C", "3")]).await;
    with_new_key_first(world).await
}

async fn ask(world: &World) -> Uuid {
    let id = world.ambient.new_id();
    let mut tx = world.store.begin().await.unwrap();
    let uses = tx.key_uses().await.unwrap();
    let others = uses.iter().filter(|held| held.key_id != "new");
    let total = others.map(|held| held.rows).sum();
    let asked = tx.insert_rotation(id, total, world.ambient.now()).await;
    assert!(asked.unwrap());
    tx.commit().await.unwrap();
    id
}

async fn rotation(world: &World, id: Uuid) -> KeyRotation {
    let mut tx = world.store.begin_read().await.unwrap();
    tx.find_rotation(id).await.unwrap().unwrap()
}

async fn a_rotation_ends_when_nothing_is_left(profile: Profile) {
    let world = start(profile).await;
    let worker = world.manual_worker("one").await;
    // Nobody has asked.
    worker.rotate().await.unwrap();
    assert_eq!(world.database.number(OLD).await, 3);
    let id = ask(&world).await;
    worker.rotate().await.unwrap();
    let seen = rotation(&world, id).await;
    assert_eq!(seen.state, RotationState::Running, "it looks once more");
    assert_eq!(seen.done, seen.total);
    worker.rotate().await.unwrap();
    let ended = rotation(&world, id).await;
    assert_eq!(ended.state, RotationState::Succeeded);
    assert_eq!((ended.failed, ended.failures.len()), (0, 0));
    assert_eq!(world.database.number(OLD).await, 0);
    assert_eq!(world.vault_values().await["A"], "4");
}

async fn a_dead_workers_rotation_is_taken_up_where_it_stopped(profile: Profile) {
    let world = start(profile).await;
    let id = ask(&world).await;
    // It claims, seals one row, and is not heard of again.
    let lease_id = world.ambient.new_id();
    let mut tx = world.store.begin().await.unwrap();
    let claimed = tx.claim_rotation("dead", lease_id, LEASE).await.unwrap();
    assert!(claimed.is_some());
    let secrets = SEALED.iter().find(|column| column.table == "secrets");
    let batch = tx.reseal(secrets.unwrap(), Uuid::nil(), 1).await.unwrap();
    assert!(
        tx.advance_rotation(id, lease_id, LEASE, batch.rows)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    assert_eq!(world.database.number(OLD).await, 2);

    let worker = world.manual_worker("two").await;
    worker.rotate().await.unwrap();
    assert_eq!(world.database.number(OLD).await, 2, "it may live");
    world.advance(LEASE + Duration::from_secs(1));
    worker.rotate().await.unwrap();
    worker.rotate().await.unwrap();
    let ended = rotation(&world, id).await;
    assert_eq!(ended.state, RotationState::Succeeded);
    assert_eq!(ended.done, ended.total, "what the dead one did counts");
    assert_eq!(world.database.number(OLD).await, 0);
}

async fn what_does_not_open_makes_it_partial(profile: Profile) {
    let world = start(profile).await;
    let cut = "UPDATE secrets SET ciphertext = substr(ciphertext, 1, 20) WHERE key = 'B'";
    world.database.execute(cut).await;
    let worker = world.manual_worker("one").await;
    let id = ask(&world).await;
    worker.rotate().await.unwrap();
    worker.rotate().await.unwrap();
    let ended = rotation(&world, id).await;
    assert_eq!(ended.state, RotationState::Partial);
    assert_eq!((ended.done, ended.failed), (ended.total - 1, 1));
    let [row] = ended.failures.try_into().unwrap();
    assert_eq!(
        (row.table.as_str(), row.key_id.as_str()),
        ("secrets", "test")
    );
    assert_eq!(row.fault, SealFault::Damaged);
    assert_eq!(world.database.number(OLD).await, 1);
    // Written anew, it is in nobody's way.
    world.set_vault(&[("A", "4"), ("B", "5"), ("C", "3")]).await;
    assert_eq!(world.database.number(OLD).await, 0);
}

async fn a_worker_of_other_keys_leaves_it_alone(profile: Profile) {
    let mut world = start(profile).await;
    let id = ask(&world).await;
    let behind = world.database.open(world.ambient.clone()).await;
    let ahead = std::mem::replace(&mut world.store, behind.with_manual_time());
    let worker = world.manual_worker("behind").await;
    worker.rotate().await.unwrap();
    assert_eq!(world.database.number(OLD).await, 3);
    assert_eq!(rotation(&world, id).await.worker, None);
    let mut tx = ahead.begin().await.unwrap();
    assert!(tx.cancel_rotation(id, world.ambient.now()).await.unwrap());
    tx.commit().await.unwrap();
}

/// Whoever writes a secret keeps the value before as a version, with the ciphertext as it was read.
async fn a_copy_of_an_old_ciphertext_is_found_in_the_next_round(profile: Profile) {
    let world = start(profile).await;
    let kept = "CREATE TABLE kept AS SELECT * FROM secret_versions";
    world.database.execute(kept).await;
    let worker = world.manual_worker("one").await;
    let id = ask(&world).await;
    worker.rotate().await.unwrap();
    let restored = "DELETE FROM secret_versions";
    world.database.execute(restored).await;
    let restored = "INSERT INTO secret_versions SELECT * FROM kept";
    world.database.execute(restored).await;
    worker.rotate().await.unwrap();
    assert_eq!(rotation(&world, id).await.state, RotationState::Running);
    worker.rotate().await.unwrap();
    assert_eq!(rotation(&world, id).await.state, RotationState::Succeeded);
    let old = "SELECT COUNT(*) FROM secret_versions WHERE key_id <> 'new'";
    assert_eq!(world.database.number(old).await, 0);
}

/// A first look or a batch that takes longer than the lease: nobody else begins meanwhile, which would undo it.
/// Only where there can be another worker.
#[tokio::test]
async fn a_round_keeps_its_lease_however_long_it_takes() {
    let lease = Duration::from_millis(30);
    let world = start(Profile::Production).await;
    let worker = world.manual_worker_leasing("one", lease).await;
    let id = ask(&world).await;
    let mut slow = PgConnection::connect(world.database.url()).await.unwrap();
    let mut lock = slow.begin().await.unwrap();
    sqlx::query("LOCK TABLE secrets IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let watching = async {
        let held = async |until: DateTime<Utc>| {
            let until = until.to_rfc3339_opts(SecondsFormat::Micros, true);
            let held = format!("SELECT COUNT(*) FROM key_rotations WHERE lease_until >= '{until}'");
            while world.database.number(&held).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        held(world.ambient.now() + lease).await;
        for _ in 0..4 {
            world.advance(lease / 2);
            held(world.ambient.now() + lease).await;
        }
        let mut tx = world.store.begin().await.unwrap();
        let other = world.ambient.new_id();
        let claimed = tx.claim_rotation("two", other, lease).await.unwrap();
        assert_eq!(claimed, None);
        tx.commit().await.unwrap();
        lock.rollback().await.unwrap();
    };
    let (rotated, ()) = tokio::join!(worker.rotate(), watching);
    rotated.unwrap();
    let seen = rotation(&world, id).await;
    assert_eq!(seen.done, seen.total);
    assert_eq!(world.database.number(OLD).await, 0);
}
