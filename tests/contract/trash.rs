//! The trash.

use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Constraint, PutOutcome, StoreError, Tx};
use uuid::Uuid;

use crate::world::{Place, World};

async fn put(tx: &mut Tx, place: &Place, key: &str, at: DateTime<Utc>) -> Uuid {
    let (vault, production) = (place.vault.id, place.production.id);
    let value = Secret::new("v");
    match tx
        .put_secret(vault, production, key, &value, None, at)
        .await
    {
        Ok(PutOutcome::Created(id)) => id,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_trashed_secret_can_be_restored(world: &World) {
    let acme = world.place("acme").await;
    let (vault, now) = (acme.vault.id, world.now());
    let until = now + Duration::from_mins(1);
    let mut tx = world.tx().await;
    let id = put(&mut tx, &acme, "A", now).await;
    assert!(tx.trash_secret(vault, id, now, until).await.unwrap());
    assert!(!tx.trash_secret(vault, id, now, until).await.unwrap());
    assert_eq!(tx.find_secret(vault, id).await.unwrap(), None);
    assert!(tx.secret_value(vault, id).await.unwrap().is_none());
    let (trash, total) = tx.list_trash(vault, 10, 0).await.unwrap();
    assert_eq!((trash[0].id, total), (id, 1));
    assert_eq!(trash[0].deleted_at, Some(now));
    assert_eq!(trash[0].expires_at, Some(until));
    tx.restore_secret(vault, id, now).await.unwrap();
    assert_eq!(
        tx.secret_value(vault, id).await.unwrap().unwrap().expose(),
        "v"
    );
    assert_eq!(tx.list_trash(vault, 10, 0).await.unwrap(), (vec![], 0));
    assert!(matches!(
        tx.restore_secret(vault, id, now).await.unwrap_err(),
        StoreError::RowsAffected { rows: 0, .. }
    ));
}

pub(crate) async fn a_name_that_lives_again_cannot_be_restored(world: &World) {
    let acme = world.place("acme").await;
    let (vault, now) = (acme.vault.id, world.now());
    let mut tx = world.tx().await;
    let old = put(&mut tx, &acme, "A", now).await;
    assert!(tx.trash_secret(vault, old, now, now).await.unwrap());
    let new = put(&mut tx, &acme, "A", now).await;
    assert_ne!(old, new);
    assert!(matches!(
        tx.restore_secret(vault, old, now).await.unwrap_err(),
        StoreError::Conflict(Constraint::SecretsKey)
    ));
}

pub(crate) async fn the_trash_is_emptied_and_forgets(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let (vault, now) = (acme.vault.id, world.now());
    let soon = now + Duration::from_mins(1);
    let mut tx = world.tx().await;
    let mut trashed = Vec::new();
    for key in ["A", "B", "C"] {
        let id = put(&mut tx, &acme, key, now).await;
        assert!(!tx.purge_secret(vault, id).await.unwrap(), "it lives");
        tx.trash_secret(vault, id, now, soon).await.unwrap();
        trashed.push(id);
    }
    let kept = put(&mut tx, &acme, "D", now).await;
    assert!(tx.purge_secret(vault, trashed[0]).await.unwrap());
    assert_eq!(tx.purge_trash(other.vault.id).await.unwrap(), 0);
    assert_eq!(tx.prune_trash(now, 10).await.unwrap(), 0);
    assert_eq!(tx.prune_trash(soon, 1).await.unwrap(), 1);
    assert_eq!(tx.purge_trash(vault).await.unwrap(), 1);
    assert!(tx.find_secret(vault, kept).await.unwrap().is_some());
}
