//! Secrets and their versions.

use std::collections::BTreeMap;

use keyway_shared::crypto::KeyRing;
use keyway_shared::secret::Secret;
use keyway_shared::store::{Backend, Constraint, PutOutcome, Store, StoreError};
use uuid::Uuid;

use crate::world::{Place, World};

async fn put(world: &World, place: &Place, key: &str, value: &str) -> Uuid {
    let mut tx = world.tx().await;
    let outcome = tx
        .put_secret(
            place.vault.id,
            place.production.id,
            key,
            &Secret::new(value),
            Some(place.user.id),
            world.now(),
        )
        .await
        .unwrap();
    tx.commit().await.unwrap();
    match outcome {
        PutOutcome::Created(id) | PutOutcome::Updated(id) | PutOutcome::Unchanged(id) => id,
    }
}

pub(crate) fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Secret::new(*value)))
        .collect()
}

pub(crate) async fn values_come_back_and_are_never_stored_in_clear(world: &World) {
    let acme = world.place("acme").await;
    let id = put(world, &acme, "A", "canary-4711\nü").await;
    let mut tx = world.store.begin_read().await.unwrap();
    let value = tx.secret_value(acme.vault.id, id).await.unwrap().unwrap();
    assert_eq!(value.expose(), "canary-4711\nü");
    let info = tx.find_secret(acme.vault.id, id).await.unwrap().unwrap();
    assert_eq!((&*info.key, info.version), ("A", 1));
    assert_eq!(info.updated_by.as_deref(), Some("acme"));
    assert_eq!(info.environment, "production");
    let by_key = tx
        .find_secret_by_key(acme.vault.id, acme.production.id, "A")
        .await
        .unwrap();
    assert_eq!(by_key, Some(info));
    drop(tx);
    if world.store.backend() == Backend::Sqlite {
        let path = world.database.url().strip_prefix("sqlite://").unwrap();
        for file in [path.to_owned(), format!("{path}-wal")] {
            let bytes = std::fs::read(&file).unwrap();
            for canary in [&b"canary-4711"[..], b"tok-canary"] {
                assert!(!bytes.windows(canary.len()).any(|window| window == canary));
            }
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &std::fs::metadata(&file).unwrap().permissions(),
            );
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
}

pub(crate) async fn an_equal_value_is_not_written_again(world: &World) {
    let acme = world.place("acme").await;
    let id = put(world, &acme, "A", "").await;
    let before = acme.vault.id;
    let mut tx = world.tx().await;
    let outcome = tx
        .put_secret(
            before,
            acme.production.id,
            "A",
            &Secret::new(""),
            None,
            world.now(),
        )
        .await
        .unwrap();
    assert_eq!(outcome, PutOutcome::Unchanged(id));
    let info = tx.find_secret(before, id).await.unwrap().unwrap();
    assert_eq!(info.version, 1);
    assert_eq!(tx.list_versions(before, id).await.unwrap(), []);
    let snapshot = tx
        .read_environment(before, acme.production.id)
        .await
        .unwrap();
    assert_eq!(snapshot.revision, 1);
}

pub(crate) async fn old_values_stay_as_versions(world: &World) {
    let acme = world.place("acme").await;
    let first_at = world.now();
    let id = put(world, &acme, "A", "one").await;
    world.advance(10);
    put(world, &acme, "A", "two").await;
    world.advance(10);
    assert_eq!(put(world, &acme, "A", "three").await, id);
    let vault = acme.vault.id;
    let mut tx = world.tx().await;
    let versions = tx.list_versions(vault, id).await.unwrap();
    let numbers: Vec<i64> = versions.iter().map(|v| v.version).collect();
    assert_eq!(numbers, [2, 1]);
    assert_eq!(versions[1].created_at, first_at);
    assert_eq!(versions[1].created_by.as_deref(), Some("acme"));
    let (value, number) = tx
        .version_value(vault, id, versions[1].id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((value.expose(), number), ("one", 1));
    let other = world.ambient.new_id();
    assert!(
        tx.version_value(other, id, versions[1].id)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        tx.version_value(vault, other, versions[1].id)
            .await
            .unwrap()
            .is_none()
    );
}

pub(crate) async fn a_renamed_secret_keeps_value_and_history(world: &World) {
    let acme = world.place("acme").await;
    let vault = acme.vault.id;
    let id = put(world, &acme, "OLD", "one").await;
    world.advance(10);
    let written_at = world.now();
    put(world, &acme, "OLD", "two").await;
    put(world, &acme, "TAKEN", "x").await;
    world.advance(10);
    let mut tx = world.tx().await;
    tx.rename_secret(vault, id, "NEW", None, world.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.advance(10);
    put(world, &acme, "NEW", "three").await;
    let mut tx = world.tx().await;
    assert_eq!(
        tx.secret_value(vault, id).await.unwrap().unwrap().expose(),
        "three"
    );
    let versions = tx.list_versions(vault, id).await.unwrap();
    assert_eq!(versions[0].created_at, written_at);
    for (version, expected) in versions.iter().zip(["two", "one"]) {
        let (value, _) = tx
            .version_value(vault, id, version.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(value.expose(), expected);
    }
    let nobody = world.ambient.new_id();
    assert!(matches!(
        tx.rename_secret(vault, nobody, "X", None, world.now())
            .await
            .unwrap_err(),
        StoreError::RowsAffected { rows: 0, .. }
    ));
    assert!(matches!(
        tx.rename_secret(vault, id, "TAKEN", None, world.now())
            .await
            .unwrap_err(),
        StoreError::Conflict(Constraint::SecretsKey)
    ));
}

pub(crate) async fn secrets_of_another_vault_are_not_found(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let id = put(world, &acme, "A", "1").await;
    let (foreign, production, now) = (other.vault.id, acme.production.id, world.now());
    let mut tx = world.tx().await;
    assert_eq!(tx.find_secret(foreign, id).await.unwrap(), None);
    assert!(tx.secret_value(foreign, id).await.unwrap().is_none());
    assert_eq!(
        tx.find_secret_by_key(foreign, production, "A")
            .await
            .unwrap(),
        None
    );
    assert_eq!(tx.list_versions(foreign, id).await.unwrap(), []);
    assert!(!tx.trash_secret(foreign, id, now, now).await.unwrap());
    assert!(!tx.purge_secret(foreign, id).await.unwrap());
    assert!(tx.read_environment(foreign, production).await.is_err());
    let value = Secret::new("2");
    let put = tx
        .put_secret(foreign, production, "A", &value, None, now)
        .await;
    assert!(matches!(
        put.unwrap_err(),
        StoreError::RowsAffected { rows: 0, .. }
    ));
    let keys = ["A".to_owned()];
    assert!(
        tx.delete_keys(foreign, production, &keys, now, now)
            .await
            .is_err()
    );
    let listed = tx
        .list_secrets(foreign, Some(production), 10, 0)
        .await
        .unwrap();
    assert_eq!(listed, (vec![], 0));
}

pub(crate) async fn damaged_rows_are_named(world: &World) {
    let acme = world.place("acme").await;
    let (vault, production) = (acme.vault.id, acme.production.id);
    let altered = put(world, &acme, "ALTERED", "1").await;
    let truncated = put(world, &acme, "TRUNCATED", "2").await;
    let moved = put(world, &acme, "MOVED", "3").await;
    let rewound = put(world, &acme, "REWOUND", "4").await;
    let good = put(world, &acme, "GOOD", "5").await;
    let copy = "UPDATE secrets SET ciphertext =
        (SELECT s.ciphertext FROM secrets s WHERE s.id = $2) WHERE id = $1";
    world.meddle(copy, &[altered, good]).await;
    let cut = "UPDATE secrets SET ciphertext = substr(ciphertext, 1, 27) WHERE id = $1";
    world.meddle(cut, &[truncated]).await;
    let shift = "UPDATE secrets SET environment_id = $2 WHERE id = $1";
    world.meddle(shift, &[moved, acme.staging.id]).await;
    let bump = "UPDATE secrets SET version = 7 WHERE id = $1";
    world.meddle(bump, &[rewound]).await;

    let mut tx = world.tx().await;
    let snapshot = tx.read_environment(vault, production).await.unwrap();
    assert_eq!(snapshot.corrupt, ["ALTERED", "REWOUND", "TRUNCATED"]);
    assert_eq!(snapshot.values, values(&[("GOOD", "5")]));
    let snapshot = tx.read_environment(vault, acme.staging.id).await.unwrap();
    assert_eq!(snapshot.corrupt, ["MOVED"]);
    assert!(snapshot.values.is_empty());
    let error = tx.secret_value(vault, truncated).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Corrupt { table: "secrets", key, .. } if key == "TRUNCATED")
    );
    drop(tx);
    // Writing the value again heals the row.
    put(world, &acme, "TRUNCATED", "2").await;
    let mut tx = world.tx().await;
    let value = tx.secret_value(vault, truncated).await.unwrap().unwrap();
    assert_eq!(value.expose(), "2");
}

pub(crate) async fn a_row_of_an_unknown_key_is_a_matter_of_configuration(world: &World) {
    let acme = world.place("acme").await;
    let id = put(world, &acme, "A", "1").await;
    let (ring, _) = KeyRing::generate(&world.ambient);
    let options = world.database.options();
    let other = Store::connect(&options, ring, world.ambient.clone())
        .await
        .unwrap();
    let mut tx = other.begin_read().await.unwrap();
    let error = tx.secret_value(acme.vault.id, id).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownKey { key_id } if key_id == "test"));
    let read = tx.read_environment(acme.vault.id, acme.production.id).await;
    assert!(matches!(read.unwrap_err(), StoreError::UnknownKey { .. }));
    drop(tx);
    other.close().await;
}

pub(crate) async fn every_change_raises_the_revision(world: &World) {
    let acme = world.place("acme").await;
    let (vault, production) = (acme.vault.id, acme.production.id);
    world.advance(1);
    let id = put(world, &acme, "A", "1").await;
    put(world, &acme, "A", "2").await;
    let (now, mut tx) = (world.now(), world.tx().await);
    tx.rename_secret(vault, id, "B", None, now).await.unwrap();
    assert!(tx.trash_secret(vault, id, now, now).await.unwrap());
    tx.restore_secret(vault, id, now).await.unwrap();
    let keys = ["B".to_owned()];
    tx.delete_keys(vault, production, &keys, now, now)
        .await
        .unwrap();
    tx.delete_keys(vault, production, &keys, now, now)
        .await
        .unwrap();
    let environment = tx.find_environment_by_id(vault, production).await.unwrap();
    assert_eq!(environment.unwrap().revision, 6);
    assert_eq!(tx.bump_revision(production).await.unwrap(), 7);
    let access = tx.find_vault_by_id(acme.user.id, vault).await.unwrap();
    assert_eq!(access.unwrap().vault.updated_at, now);
}
