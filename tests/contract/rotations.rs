//! Sealing everything with another key.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use keyway_shared::crypto::KeyRing;
use keyway_shared::domain::account::User;
use keyway_shared::domain::key_rotation::{RotationState, SealFault};
use keyway_shared::domain::webhook::{Event, EventType, OVERLAP, Webhook};
use keyway_shared::secret::Secret;
use keyway_shared::store::github::KeptToken;
use keyway_shared::store::renewals::Begun;
use keyway_shared::store::{
    Backend, KeyedRequest, PendingConnection, PutOutcome, RememberedRequests, Resealed, SEALED,
    Store, Tx,
};
use keyway_tests::database::TEST_RING;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::pending_connections;
use crate::renewals::pair;
use crate::world::{LEASE, Place, World};

/// Columns that name a key which has sealed nothing in their row, and why.
const NOT_SEALED: &[(&str, &str)] = &[
    ("activity", "api_key_id"),
    ("jobs", "api_key_id"),
    ("links", "api_key_id"),
    // A hash that cannot be made anew; it is forgotten after a day, and told by `remembered_requests`.
    ("idempotency_keys", "mac_key_id"),
    ("key_rotations", "key_id"),
    ("processes", "active_key_id"),
];

fn new_key() -> String {
    format!("new:{}", "ab".repeat(32))
}

/// The database, opened with other keys.
async fn with_keys(world: &World, keys: &str) -> Store {
    let ring = KeyRing::parse(keys).unwrap();
    let opened = Store::connect(&world.database.options(), ring, world.ambient.clone()).await;
    opened.unwrap().with_manual_time()
}

async fn with_new_key_first(world: &World) -> Store {
    with_keys(world, &format!("{},{TEST_RING}", new_key())).await
}

/// Everything that there is, in batches of `limit` rows.
async fn reseal_all(store: &Store, limit: i64) -> Resealed {
    let mut all = Resealed::default();
    for column in SEALED {
        let mut next = Some(Uuid::nil());
        while let Some(after) = next {
            let mut tx = store.begin().await.unwrap();
            let batch = tx.reseal(column, after, limit).await.unwrap();
            tx.commit().await.unwrap();
            all.rows += batch.rows;
            all.failures.extend(batch.failures);
            next = batch.next;
        }
    }
    all
}

async fn put(store: &Store, world: &World, place: &Place, key: &str, value: &str) -> Uuid {
    let mut tx = store.begin().await.unwrap();
    let value = Secret::new(value);
    let (vault, environment) = (place.vault.id, place.production.id);
    let by = Some(place.user.id);
    let put = tx.put_secret(vault, environment, key, &value, by, world.now());
    let outcome = put.await.unwrap();
    tx.commit().await.unwrap();
    match outcome {
        PutOutcome::Created(id) | PutOutcome::Updated(id) | PutOutcome::Unchanged(id) => id,
    }
}

/// Whatever can be sealed: a row at least in each of the columns.
struct Sealed {
    place: Place,
    plain: Uuid,
    renamed: Uuid,
    trashed: Uuid,
    job: Uuid,
    person: Uuid,
    pending: PendingConnection,
    /// A connection whose token was renewed.
    renewed: Uuid,
}

impl Sealed {
    async fn new(world: &World) -> Self {
        world.store.unlock().await.unwrap();
        let place = world.place("acme").await;
        let store = &world.store;
        let plain = put(store, world, &place, "PLAIN", "1").await;
        put(store, world, &place, "PLAIN", "2").await;
        let renamed = put(store, world, &place, "BEFORE", "3").await;
        let trashed = put(store, world, &place, "TRASHED", "4").await;
        let vault = place.vault.id;
        let webhook = Webhook {
            id: world.ambient.new_id(),
            vault_id: vault,
            created_by: place.user.id,
            url: "https://example.com/hook".to_owned(),
            events: vec![EventType::SyncFailed],
            previous_until: None,
            failing_since: None,
            disabled: None,
            created_at: world.now(),
            updated_at: world.now(),
        };
        let token = KeptToken {
            access: Secret::new("access"),
            expires_at: None,
            refresh: Some(Secret::new("refresh")),
        };
        let event = Event {
            kind: EventType::SyncFailed,
            data: serde_json::json!({}),
        };
        let (by, now) = (Some(place.user.id), world.now());
        let mut tx = world.tx().await;
        tx.rename_secret(vault, renamed, "AFTER", by, now)
            .await
            .unwrap();
        tx.trash_secret(vault, trashed, now, now + OVERLAP)
            .await
            .unwrap();
        tx.insert_webhook(&webhook, &Secret::new("whsec_old"))
            .await
            .unwrap();
        tx.rotate_webhook_secret(webhook.id, &Secret::new("whsec_new"), now + OVERLAP, now)
            .await
            .unwrap();
        let job = tx.publish(vault, &event).await.unwrap()[0];
        let person = User {
            id: world.ambient.new_id(),
            username: "octo".to_owned(),
            operator: false,
            created_at: now,
        };
        tx.insert_github_user(&person, 7, "octo").await.unwrap();
        tx.set_github_token(person.id, Some(&token), now)
            .await
            .unwrap();
        let connection = world.connection(&place.user, "team_renewed");
        let saved = tx.upsert_connection_with(&connection, &pair(1)).await;
        let (renewed, holder) = (saved.unwrap().id, world.ambient.new_id());
        tx.begin_renewal(renewed, 0, holder, now, now + OVERLAP)
            .await
            .unwrap();
        let kept = tx.keep_renewed(renewed, holder, &pair(2), now).await;
        assert!(kept.unwrap());
        tx.commit().await.unwrap();
        Self {
            place,
            plain,
            renamed,
            trashed,
            job,
            person: person.id,
            pending: pending_connections::add(world, "tok-pending").await,
            renewed,
        }
    }

    /// Opens all of it.
    async fn opens(&self, store: &Store) {
        store.unlock().await.unwrap();
        let vault = self.place.vault.id;
        let mut tx = store.begin_read().await.unwrap();
        let value = async |tx: &mut Tx, id| {
            let value = tx.secret_value(vault, id).await.unwrap();
            value.unwrap().expose().to_owned()
        };
        assert_eq!(value(&mut tx, self.plain).await, "2");
        assert_eq!(value(&mut tx, self.renamed).await, "3");
        let versions = tx.list_versions(vault, self.plain).await.unwrap();
        let old = tx.version_value(vault, self.plain, versions[0].id).await;
        assert_eq!(old.unwrap().unwrap().0.expose(), "1");
        let (user, connection) = (self.place.user.id, self.place.connection.id);
        let credential = tx.connection_credential(user, connection).await.unwrap();
        assert_eq!(credential.unwrap().1.token.expose(), "tok-canary");
        let credential = tx.connection_credential(user, self.renewed).await.unwrap();
        assert_eq!(credential.unwrap().1.token.expose(), "access-2");
        let previous = tx.previous_token(self.renewed, 1).await.unwrap();
        assert_eq!(previous.unwrap().expose(), "access-1");
        let outgoing = tx.outgoing(self.job).await.unwrap().unwrap();
        let secrets: Vec<_> = outgoing.secrets.iter().map(Secret::expose).collect();
        assert_eq!(secrets, ["whsec_new", "whsec_old"]);
        let account = tx.github_account(self.person).await.unwrap().unwrap();
        let token = account.token.unwrap();
        assert_eq!(token.access.expose(), "access");
        assert_eq!(token.refresh.unwrap().expose(), "refresh");
        drop(tx);
        // Taken out of the trash for this look only.
        let mut tx = store.begin().await.unwrap();
        let restored = tx.restore_secret(vault, self.trashed, self.place.vault.updated_at);
        restored.await.unwrap();
        assert_eq!(value(&mut tx, self.trashed).await, "4");
        // So is this, which is taken once.
        let before = self.pending.expires_at - TimeDelta::seconds(1);
        let taken = tx.take_pending_connection(self.pending.id, before).await;
        assert_eq!(taken.unwrap().unwrap().1.expose(), "tok-pending");
        let (id, at) = (self.renewed, self.place.vault.updated_at);
        let begun = tx.begin_renewal(id, 1, id, at, at + OVERLAP).await;
        assert!(matches!(begun, Ok(Begun::Yes(refresh)) if refresh.expose() == "refresh-2"));
    }
}

/// A column of ciphertexts that the rotation does not know would keep the old key needed for ever, or be lost
/// with it.
pub(crate) async fn every_sealed_column_is_known(world: &World) {
    let found: Vec<(String, String)> = match world.store.backend() {
        Backend::Postgres => {
            let mut connection = PgConnection::connect(world.database.url()).await.unwrap();
            sqlx::query_as(
                "SELECT table_name::text, column_name::text FROM information_schema.columns
                 WHERE table_schema = 'public' AND column_name LIKE '%key_id'",
            )
            .fetch_all(&mut connection)
            .await
            .unwrap()
        }
        Backend::Sqlite => {
            let mut connection = SqliteConnection::connect(world.database.url())
                .await
                .unwrap();
            sqlx::query_as(
                "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND c.name LIKE '%key_id'",
            )
            .fetch_all(&mut connection)
            .await
            .unwrap()
        }
    };
    let found: BTreeSet<_> = found
        .iter()
        .map(|(table, column)| (table.as_str(), column.as_str()))
        .collect();
    let sealed = SEALED.iter().map(|column| (column.table, column.key_id));
    let known: BTreeSet<_> = sealed.chain(NOT_SEALED.iter().copied()).collect();
    assert_eq!(found, known);
}

pub(crate) async fn everything_is_sealed_again(world: &World) {
    let sealed = Sealed::new(world).await;
    let both = with_new_key_first(world).await;
    let revision = "SELECT MAX(revision) FROM environments";
    let before = world.database.number(revision).await;
    let uses = async |store: &Store| {
        let mut tx = store.begin_read().await.unwrap();
        let uses = tx.key_uses().await.unwrap();
        let columns: BTreeSet<_> = uses
            .iter()
            .map(|held| (held.table.clone(), held.column.clone()))
            .collect();
        assert_eq!(columns.len(), SEALED.len(), "{uses:?}");
        uses
    };
    let old = uses(&both).await;
    assert!(old.iter().all(|held| held.key_id == "test"));
    let rows: i64 = old.iter().map(|held| held.rows).sum();
    // Batches of two, so that each column has several or ends within one.
    let done = reseal_all(&both, 2).await;
    assert_eq!((done.rows, done.failures), (rows, Vec::new()));
    let new = uses(&both).await;
    assert!(new.iter().all(|held| held.key_id == "new"));
    sealed.opens(&both).await;
    assert_eq!(reseal_all(&both, 2).await.rows, 0);
    // Nobody is to sync because of it.
    assert_eq!(world.database.number(revision).await, before);
    both.close().await;
    let alone = with_keys(world, &new_key()).await;
    sealed.opens(&alone).await;
    alone.close().await;
}

pub(crate) async fn what_does_not_open_is_named_and_left(world: &World) {
    let sealed = Sealed::new(world).await;
    let (store, place) = (&world.store, &sealed.place);
    let moved = put(store, world, place, "MOVED", "5").await;
    let cut = put(store, world, place, "CUT", "6").await;
    let lost = put(store, world, place, "LOST", "7").await;
    let copy = "UPDATE secrets SET ciphertext =
        (SELECT s.ciphertext FROM secrets s WHERE s.id = $2) WHERE id = $1";
    world.meddle(copy, &[moved, sealed.plain]).await;
    let shorten = "UPDATE secrets SET ciphertext = substr(ciphertext, 1, 20) WHERE id = $1";
    world.meddle(shorten, &[cut]).await;
    let rename = "UPDATE secrets SET key_id = 'gone' WHERE id = $1";
    world.meddle(rename, &[lost]).await;
    let connection = place.connection.id;
    let alter = "UPDATE connections SET token_ciphertext = secret_ciphertext
        FROM webhooks WHERE connections.id = $1";
    world.meddle(alter, &[connection]).await;

    let both = with_new_key_first(world).await;
    let done = reseal_all(&both, 2).await;
    let named: BTreeSet<_> = done
        .failures
        .iter()
        .map(|row| (row.table.as_str(), row.id.clone(), row.fault))
        .collect();
    let expected = [
        ("secrets", moved.to_string(), SealFault::Damaged),
        ("secrets", cut.to_string(), SealFault::Damaged),
        ("secrets", lost.to_string(), SealFault::UnknownKey),
        ("connections", connection.to_string(), SealFault::Damaged),
    ];
    assert_eq!(named, BTreeSet::from(expected));
    // As they were: put back into its place, what was moved opens.
    let old = "SELECT COUNT(*) FROM secrets WHERE key_id <> 'new'";
    assert_eq!(world.database.number(old).await, 3);
    let again = "UPDATE secrets SET key_id = 'test' WHERE id = $1";
    world.meddle(again, &[lost]).await;
    assert_eq!(reseal_all(&both, 2).await.rows, 1);
    let mut tx = both.begin_read().await.unwrap();
    let value = tx.secret_value(place.vault.id, lost).await.unwrap();
    assert_eq!(value.unwrap().expose(), "7");
    drop(tx);
    both.close().await;
}

/// A user who writes waits for the rotation at most, and never the other way round.
pub(crate) async fn what_is_being_written_is_not_touched(world: &World) {
    let sealed = Sealed::new(world).await;
    let both = with_new_key_first(world).await;
    let (vault, environment) = (sealed.place.vault.id, sealed.place.production.id);
    let mut writer = both.begin().await.unwrap();
    let value = Secret::new("written");
    let by = Some(sealed.place.user.id);
    writer
        .put_secret(vault, environment, "PLAIN", &value, by, world.now())
        .await
        .unwrap();
    // SQLite has one writer at a time.
    if both.backend() == Backend::Postgres {
        let done = reseal_all(&both, 100).await;
        assert!(done.rows > 0 && done.failures.is_empty());
        let left = "SELECT COUNT(*) FROM secrets WHERE key_id = 'test'";
        assert_eq!(world.database.number(left).await, 1);
    }
    writer.commit().await.unwrap();
    reseal_all(&both, 100).await;
    let mut tx = both.begin_read().await.unwrap();
    assert!(
        tx.key_uses()
            .await
            .unwrap()
            .iter()
            .all(|held| held.key_id == "new")
    );
    let held = tx.secret_value(vault, sealed.plain).await.unwrap();
    assert_eq!(held.unwrap().expose(), "written");
    let versions = tx.list_versions(vault, sealed.plain).await.unwrap();
    let mut old = Vec::new();
    for version in &versions {
        let value = tx.version_value(vault, sealed.plain, version.id).await;
        old.push(value.unwrap().unwrap().0.expose().to_owned());
    }
    old.sort();
    assert_eq!(old, ["1", "2"]);
    drop(tx);
    both.close().await;
}

pub(crate) async fn a_rotation_is_one_workers_at_a_time(world: &World) {
    let both = with_new_key_first(world).await;
    let (id, ambient) = (world.ambient.new_id(), &world.ambient);
    let mut tx = both.begin().await.unwrap();
    assert!(tx.insert_rotation(id, 5, world.now()).await.unwrap());
    let second = tx.insert_rotation(ambient.new_id(), 5, world.now()).await;
    assert!(!second.unwrap(), "one at a time");
    tx.commit().await.unwrap();

    // Whoever seals with another key does not see it.
    let mut tx = world.tx().await;
    assert!(!tx.rotation_runs().await.unwrap());
    let other = tx.claim_rotation("old", ambient.new_id(), LEASE).await;
    assert_eq!(other.unwrap(), None);
    drop(tx);

    let (one, two) = (ambient.new_id(), ambient.new_id());
    let mut tx = both.begin().await.unwrap();
    assert!(tx.rotation_runs().await.unwrap());
    let claimed = tx.claim_rotation("one", one, LEASE).await.unwrap();
    assert_eq!(claimed.unwrap().id, id);
    assert_eq!(tx.claim_rotation("two", two, LEASE).await.unwrap(), None);
    assert!(tx.advance_rotation(id, one, LEASE, 3).await.unwrap());
    assert!(!tx.advance_rotation(id, two, LEASE, 3).await.unwrap());
    tx.commit().await.unwrap();

    // One has died.
    world.advance(LEASE.as_secs() + 1);
    let mut tx = both.begin().await.unwrap();
    let claimed = tx.claim_rotation("two", two, LEASE).await.unwrap();
    assert_eq!(claimed.unwrap().done, 3);
    assert!(!tx.advance_rotation(id, one, LEASE, 1).await.unwrap());
    assert!(!tx.settle_rotation(id, one, 0, &[]).await.unwrap());
    assert!(tx.release_rotation(Some(two)).await.unwrap());
    let three = ambient.new_id();
    let claimed = tx.claim_rotation("three", three, LEASE).await.unwrap();
    assert!(claimed.is_some(), "given back");
    assert!(tx.settle_rotation(id, three, 0, &[]).await.unwrap());
    let ended = tx.find_rotation(id).await.unwrap().unwrap();
    assert_eq!(ended.state, RotationState::Succeeded);
    assert_eq!((ended.done, ended.finished_at), (3, Some(world.now())));

    // Another one may be asked for, and given up.
    world.advance(1);
    let next = ambient.new_id();
    assert!(tx.insert_rotation(next, 1, world.now()).await.unwrap());
    assert_eq!(tx.last_rotation().await.unwrap().unwrap().id, next);
    let four = ambient.new_id();
    assert!(
        tx.claim_rotation("four", four, LEASE)
            .await
            .unwrap()
            .is_some()
    );
    assert!(tx.cancel_rotation(next, world.now()).await.unwrap());
    assert!(!tx.advance_rotation(next, four, LEASE, 1).await.unwrap());
    assert!(!tx.rotation_runs().await.unwrap());
    tx.commit().await.unwrap();
    both.close().await;
}

pub(crate) async fn processes_tell_their_keys(world: &World) {
    let both = with_new_key_first(world).await;
    let start = world.now();
    let mut tx = world.tx().await;
    tx.beat("old", "worker", start).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = both.begin().await.unwrap();
    tx.beat("new", "api", start).await.unwrap();
    tx.commit().await.unwrap();
    // As a version before wrote it.
    world
        .database
        .execute(
            "INSERT INTO processes (id, role, started_at, heartbeat_at, active_key_id)
             SELECT 'older', 'worker', started_at, heartbeat_at, 'test' FROM processes WHERE id = 'old'",
        )
        .await;
    let mut tx = world.tx().await;
    let holders = tx.key_holders(start).await.unwrap();
    let told: Vec<_> = holders
        .iter()
        .map(|held| {
            (
                held.id.as_str(),
                held.active_key_id.as_str(),
                held.key_ids.join(","),
            )
        })
        .collect();
    let expected = [
        ("new", "new", "new,test".to_owned()),
        ("old", "test", "test".to_owned()),
        ("older", "test", String::new()),
    ];
    assert_eq!(told, expected);
    let later = start + Duration::from_secs(1);
    assert!(tx.key_holders(later).await.unwrap().is_empty());
    drop(tx);
    both.close().await;
}

/// What was sent with an `Idempotency-Key` is recognised by the key of that time.
pub(crate) async fn requests_are_counted_by_the_key_they_are_recognised_by(world: &World) {
    let user = world.user("ada").await;
    let request = KeyedRequest {
        id: world.ambient.new_id(),
        user_id: user.id,
        method: "POST",
        path: "/x",
        key: "k",
        content: [b"body", b""],
        lock: Duration::from_mins(1),
        keep: Duration::from_hours(24),
    };
    let mut tx = world.tx().await;
    tx.begin_keyed(&request).await.unwrap();
    let now = world.now();
    let remembered = tx.remembered_requests(now).await.unwrap();
    let until = now + Duration::from_hours(24);
    let expected = RememberedRequests {
        key_id: "test".to_owned(),
        count: 1,
        until,
    };
    assert_eq!(remembered, [expected]);
    assert!(tx.remembered_requests(until).await.unwrap().is_empty());
}
