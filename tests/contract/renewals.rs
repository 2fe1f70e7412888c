//! Renewing tokens: the lease, and what is stored.

use chrono::TimeDelta;
use keyway_shared::domain::connection::{ReconnectReason, TokenPair};
use keyway_shared::secret::Secret;
use keyway_shared::store::renewals::Begun;
use uuid::Uuid;

use crate::world::{Place, World};

/// A token and what gives the next one.
pub(crate) fn pair(n: u32) -> TokenPair {
    TokenPair {
        access: Secret::new(format!("access-{n}")),
        refresh: Some(Secret::new(format!("refresh-{n}"))),
        expires_at: None,
    }
}

async fn place(world: &World) -> Place {
    let acme = world.place("acme").await;
    let mut tx = world.tx().await;
    let saved = tx.upsert_connection_with(&acme.connection, &pair(1)).await;
    assert!(saved.unwrap().token.renewable);
    tx.commit().await.unwrap();
    acme
}

async fn begin(world: &World, id: Uuid, version: i64, holder: Uuid) -> Begun {
    let mut tx = world.tx().await;
    let now = world.now();
    let until = now + TimeDelta::minutes(1);
    let begun = tx.begin_renewal(id, version, holder, now, until).await;
    tx.commit().await.unwrap();
    begun.unwrap()
}

async fn token(world: &World, acme: &Place) -> (String, i64) {
    let mut tx = world.tx().await;
    let found = tx.connection_credential(acme.user.id, acme.connection.id);
    let (connection, credential) = found.await.unwrap().unwrap();
    let token = credential.token.expose().to_owned();
    (token, connection.token.version)
}

async fn keep(world: &World, id: Uuid, holder: Uuid, pair: &TokenPair) -> bool {
    let mut tx = world.tx().await;
    let kept = tx.keep_renewed(id, holder, pair, world.now()).await;
    tx.commit().await.unwrap();
    kept.unwrap()
}

pub(crate) async fn one_renews_at_a_time_and_nobody_twice(world: &World) {
    let acme = place(world).await;
    let id = acme.connection.id;
    let (holder, other) = (world.ambient.new_id(), world.ambient.new_id());
    let (_, version) = token(world, &acme).await;
    let begun = begin(world, id, version, holder).await;
    assert!(matches!(&begun, Begun::Yes(refresh) if refresh.expose() == "refresh-1"));
    let busy = begin(world, id, version, other).await;
    assert!(matches!(busy, Begun::Busy));
    // Nobody else says that it was over.
    let mut tx = world.tx().await;
    tx.give_up_renewal(id, other).await.unwrap();
    tx.commit().await.unwrap();
    world.advance(61);
    let lost = begin(world, id, version, other).await;
    assert!(matches!(lost, Begun::Lost));
    // One that was given up did nothing.
    let mut tx = world.tx().await;
    tx.give_up_renewal(id, holder).await.unwrap();
    tx.commit().await.unwrap();
    let begun = begin(world, id, version, other).await;
    assert!(matches!(begun, Begun::Yes(_)));
    let stale = begin(world, id, version - 1, holder).await;
    assert!(matches!(stale, Begun::Moot));
}

pub(crate) async fn two_that_begin_at_once_are_one(world: &World) {
    let acme = place(world).await;
    let id = acme.connection.id;
    let (_, version) = token(world, &acme).await;
    let (one, two) = tokio::join!(
        begin(world, id, version, world.ambient.new_id()),
        begin(world, id, version, world.ambient.new_id())
    );
    let yes = [&one, &two].map(|begun| matches!(begun, Begun::Yes(_)));
    assert_ne!(yes[0], yes[1], "{one:?} {two:?}");
}

pub(crate) async fn a_new_token_is_stored_whole_and_the_one_before_until_it_works(world: &World) {
    let acme = place(world).await;
    let id = acme.connection.id;
    let (holder, stranger) = (world.ambient.new_id(), world.ambient.new_id());
    let (_, first) = token(world, &acme).await;
    begin(world, id, first, holder).await;
    assert!(!keep(world, id, stranger, &pair(9)).await);
    assert!(keep(world, id, holder, &pair(2)).await);
    // Once.
    assert!(!keep(world, id, holder, &pair(3)).await);
    assert_eq!(token(world, &acme).await, ("access-2".into(), first + 1));

    let mut tx = world.tx().await;
    let before = tx.previous_token(id, first + 1).await.unwrap();
    assert_eq!(before, Some(Secret::new("access-1")));
    assert!(!tx.restore_token(id, first, world.now()).await.unwrap());
    assert!(tx.restore_token(id, first + 1, world.now()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(token(world, &acme).await, ("access-1".into(), first + 2));
    // The refresh token is the newest, and when none comes it stays.
    let begun = begin(world, id, first + 2, holder).await;
    assert!(matches!(&begun, Begun::Yes(refresh) if refresh.expose() == "refresh-2"));
    let alone = TokenPair {
        refresh: None,
        ..pair(3)
    };
    assert!(keep(world, id, holder, &alone).await);
    let begun = begin(world, id, first + 3, holder).await;
    assert!(matches!(&begun, Begun::Yes(refresh) if refresh.expose() == "refresh-2"));
    let mut tx = world.tx().await;
    tx.prove_token(id, first + 3).await.unwrap();
    assert_eq!(tx.previous_token(id, first + 3).await.unwrap(), None);
    tx.commit().await.unwrap();
}

pub(crate) async fn what_failed_with_an_old_token_says_nothing_of_the_next(world: &World) {
    let acme = place(world).await;
    let (user, id) = (acme.user.id, acme.connection.id);
    let (_, version) = token(world, &acme).await;
    let mark = async |version| {
        let mut tx = world.tx().await;
        let reason = ReconnectReason::Refused;
        let marked = tx
            .mark_needs_reconnect(id, Some(version), reason, world.now())
            .await;
        tx.commit().await.unwrap();
        marked.unwrap()
    };
    assert!(!mark(version - 1).await);
    assert!(mark(version).await);
    let mut tx = world.tx().await;
    let found = tx.find_connection(user, id).await.unwrap().unwrap();
    assert_eq!(found.status_reason, Some(ReconnectReason::Refused));
    // What is left of a connection has no tokens.
    let link = world.link(&acme, "prj_1");
    tx.upsert_connection_with(&acme.connection, &pair(4))
        .await
        .unwrap();
    tx.upsert_link(&link, "vercel|x|prj_1").await.unwrap();
    tx.disconnect(user, id, world.now()).await.unwrap();
    let left = tx.connection_of_link(acme.vault.id, link.id).await;
    let left = left.unwrap().unwrap().token;
    assert!(!left.renewable && !left.unproven && left.version > version + 1);
    tx.commit().await.unwrap();
}
