//! The keys of an installation, its schema, and units of work themselves.

use futures::FutureExt;
use keyway_shared::crypto::KeyRing;
use keyway_shared::secret::Secret;
use keyway_shared::store::{Backend, Store, StoreError, StoreOptions};

use crate::world::World;

pub(crate) async fn the_fingerprint_key_is_made_once(world: &World) {
    let (one, two) = tokio::join!(world.store.unlock(), world.store.unlock());
    let (one, two) = (one.unwrap(), two.unwrap());
    let again = world.store.unlock().await.unwrap();
    let vault = world.ambient.new_id();
    let value = Secret::new("v");
    let mac = one.mac(vault, "p", "s", "K", &value);
    assert_eq!(two.mac(vault, "p", "s", "K", &value), mac);
    assert_eq!(again.mac(vault, "p", "s", "K", &value), mac);
    world.store.ping().await.unwrap();
}

pub(crate) async fn a_wrong_key_is_told_from_an_unknown_one(world: &World) {
    world.store.unlock().await.unwrap();
    let options = world.database.options();
    let wrong = KeyRing::parse(&format!("test:{}", "ab".repeat(32))).unwrap();
    let store = Store::connect(&options, wrong, world.ambient.clone())
        .await
        .unwrap();
    let error = store.unlock().await.unwrap_err();
    assert!(matches!(error, StoreError::WrongKey { key_id } if key_id == "test"));
    store.close().await;
    let unknown = KeyRing::parse(&format!("new:{}", "ab".repeat(32))).unwrap();
    let store = Store::connect(&options, unknown, world.ambient.clone())
        .await
        .unwrap();
    let error = store.unlock().await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownKey { key_id } if key_id == "test"));
    store.close().await;
}

pub(crate) async fn migrations_are_pending_until_run(world: &World) {
    assert!(world.store.pending_migrations().await.unwrap().is_empty());
    // A second run finds nothing to do.
    world.store.migrate().await.unwrap();
    if world.store.backend() == Backend::Sqlite {
        let fresh = StoreOptions {
            url: world
                .database
                .url()
                .replace("keyway.db", "deep/er/fresh.db"),
            ..world.database.options()
        };
        let ring = KeyRing::generate(&world.ambient).0;
        let store = Store::connect(&fresh, ring, world.ambient.clone())
            .await
            .unwrap();
        let pending = store.pending_migrations().await.unwrap();
        assert_eq!(pending.first().map(String::as_str), Some("0001_accounts"));
        store.migrate().await.unwrap();
        assert!(store.pending_migrations().await.unwrap().is_empty());
        store.close().await;
    }
}

pub(crate) async fn a_unit_of_work_not_committed_leaves_nothing(world: &World) {
    let acme = world.place("acme").await;
    let mut tx = world.tx().await;
    tx.set_operator(acme.user.id, true).await.unwrap();
    drop(tx);
    let mut tx = world.store.begin_read().await.unwrap();
    assert!(!tx.find_user(acme.user.id).await.unwrap().unwrap().operator);
}

pub(crate) async fn a_reader_cannot_write(world: &World) {
    let acme = world.place("acme").await;
    let mut tx = world.store.begin_read().await.unwrap();
    assert!(tx.find_user(acme.user.id).await.unwrap().is_some());
    let mut writer = world.tx().await;
    writer.set_operator(acme.user.id, true).await.unwrap();
    writer.commit().await.unwrap();
    // The reader goes on seeing the moment it began with.
    assert!(!tx.find_user(acme.user.id).await.unwrap().unwrap().operator);
    assert!(tx.set_operator(acme.user.id, false).await.is_err());
}

pub(crate) async fn time_is_the_databases_where_several_share_it(world: &World) {
    let options = world.database.options();
    let ring = KeyRing::generate(&world.ambient).0;
    let store = Store::connect(&options, ring, world.ambient.clone())
        .await
        .unwrap();
    let mut tx = store.begin_read().await.unwrap();
    let first = tx.now().await.unwrap();
    // One unit of work has one time.
    assert_eq!(tx.now().await.unwrap(), first);
    tx.commit().await.unwrap();
    let mut tx = store.begin_read().await.unwrap();
    let second = tx.now().await.unwrap();
    match store.backend() {
        Backend::Sqlite => assert_eq!(first, world.now()),
        Backend::Postgres => {
            assert_ne!(first, world.now());
            assert!(second > first);
            // In what a column can hold.
            assert_eq!(first.timestamp_subsec_nanos() % 1000, 0);
        }
    }
    drop(tx);
    store.close().await;
}

/// Its callers are cancelled: a request whose client went away, a lease that need not be renewed.
pub(crate) async fn a_beginning_that_is_given_up_leaves_no_transaction_open(world: &World) {
    let options = StoreOptions {
        max_connections: 1,
        ..world.database.options()
    };
    let ring = KeyRing::parse(&format!("test:{}", "ab".repeat(32))).unwrap();
    let store = Store::connect(&options, ring, world.ambient.clone())
        .await
        .unwrap();
    for (polls, kind) in (0..20).flat_map(|polls| (0..3).map(move |kind| (polls, kind))) {
        let mut beginning = match kind {
            0 => store.begin().boxed(),
            1 => store.begin_read().boxed(),
            _ => store.begin_fleeting().boxed(),
        };
        for _ in 0..polls {
            if futures::poll!(&mut beginning).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(beginning);
        // The one connection is back in order when somebody else gets it.
        store.ping().await.unwrap();
        let open = match store.backend() {
            Backend::Postgres => {
                let open = "SELECT COUNT(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND state = 'idle in transaction'";
                world.database.number(open).await
            }
            Backend::Sqlite => 0,
        };
        assert_eq!(open, 0, "kind {kind} after {polls} polls");
    }
    store.close().await;
}
