//! Replacing the secrets of an environment at once.

use std::collections::BTreeMap;
use std::time::Duration;

use keyway_shared::domain::names::MAX_SECRETS;
use keyway_shared::secret::Secret;
use keyway_shared::store::{PushStats, StoreError};

use crate::secrets::values;
use crate::world::{Place, World};

async fn replace(
    world: &World,
    place: &Place,
    values: &BTreeMap<String, Secret>,
    allow_delete: bool,
) -> Result<PushStats, StoreError> {
    let mut tx = world.tx().await;
    let stats = tx
        .replace_secrets(
            place.vault.id,
            place.production.id,
            values,
            allow_delete,
            Some(place.user.id),
            world.now(),
            world.now() + Duration::from_mins(1),
        )
        .await?;
    tx.commit().await?;
    Ok(stats)
}

pub(crate) async fn a_replacement_writes_the_difference(world: &World) {
    let acme = world.place("acme").await;
    let (vault, production) = (acme.vault.id, acme.production.id);
    let first = values(&[("A", "1"), ("B", "2"), ("C", "3")]);
    let stats = replace(world, &acme, &first, true).await.unwrap();
    assert_eq!((stats.created, stats.updated, stats.deleted), (3, 0, 0));
    world.advance(10);
    let second = values(&[("A", "1"), ("B", "two"), ("D", "4")]);
    let stats = replace(world, &acme, &second, false).await.unwrap();
    assert_eq!((stats.created, stats.updated), (1, 1));
    assert_eq!((stats.deleted, stats.unchanged), (0, 1));
    let stats = replace(world, &acme, &second, true).await.unwrap();
    assert_eq!((stats.created, stats.updated), (0, 0));
    assert_eq!((stats.deleted, stats.unchanged), (1, 3));

    let mut tx = world.tx().await;
    let snapshot = tx.read_environment(vault, production).await.unwrap();
    assert_eq!(snapshot.values, second);
    assert_eq!(snapshot.revision, 3);
    let b = tx
        .find_secret_by_key(vault, production, "B")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(b.version, 2);
    let versions = tx.list_versions(vault, b.id).await.unwrap();
    let (old, _) = tx
        .version_value(vault, b.id, versions[0].id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(old.expose(), "2");
    let (trash, _) = tx.list_trash(vault, 10, 0).await.unwrap();
    assert_eq!(trash[0].key, "C");
    let keys = ["A".to_owned(), "NONE".to_owned()];
    let now = world.now();
    assert_eq!(
        tx.delete_keys(vault, production, &keys, now, now)
            .await
            .unwrap(),
        1
    );
    assert_eq!(tx.count_secrets(production).await.unwrap(), 2);
    let (page, total) = tx.list_secrets(vault, None, 1, 1).await.unwrap();
    assert_eq!((page.len(), total), (1, 2));
}

pub(crate) async fn a_thousand_secrets_and_no_more(world: &World) {
    let acme = world.place("acme").await;
    let mut all: BTreeMap<String, Secret> = (0..MAX_SECRETS)
        .map(|n| (format!("KEY_{n}"), Secret::new(format!("value {n}"))))
        .collect();
    let stats = replace(world, &acme, &all, false).await.unwrap();
    assert_eq!(stats.created, 1000);
    let mut tx = world.tx().await;
    let one_more = tx
        .put_secret(
            acme.vault.id,
            acme.production.id,
            "ONE_MORE",
            &Secret::new("x"),
            None,
            world.now(),
        )
        .await;
    assert!(matches!(
        one_more.unwrap_err(),
        StoreError::TooMany { limit: 1000 }
    ));
    drop(tx);
    let more = replace(world, &acme, &values(&[("ONE_MORE", "x")]), false).await;
    assert!(matches!(
        more.unwrap_err(),
        StoreError::TooMany { limit: 1000 }
    ));
    for value in all.values_mut() {
        *value = Secret::new("changed");
    }
    let stats = replace(world, &acme, &all, false).await.unwrap();
    assert_eq!(stats.updated, 1000);
    let stats = replace(world, &acme, &BTreeMap::new(), true).await.unwrap();
    assert_eq!(stats.deleted, 1000);
}
