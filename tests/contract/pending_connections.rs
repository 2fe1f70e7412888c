//! Connections that wait for a user's word.

use chrono::TimeDelta;
use keyway_shared::domain::connection::{InstallSource, ProviderAccount, ProviderName};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Kept, PendingConnection, StoreError};

use crate::world::World;

/// One that lasts for a minute, with a token.
pub(crate) async fn add(world: &World, token: &str) -> PendingConnection {
    let pending = PendingConnection {
        id: world.ambient.new_id(),
        browser_hash: [7; 32],
        provider: ProviderName::Vercel,
        account: ProviderAccount {
            user_id: "usr_1".to_owned(),
            username: "ada".to_owned(),
            email: None,
            team_id: Some("team_1".to_owned()),
            team_name: Some("Acme".to_owned()),
            token_kind: None,
        },
        installation_id: Some("icfg_1".to_owned()),
        source: Some(InstallSource::DeployButton),
        next: Some("https://vercel.com/done".to_owned()),
        expires_at: world.now() + TimeDelta::minutes(1),
    };
    let mut tx = world.tx().await;
    tx.insert_pending_connection(&pending, &Secret::new(token))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    pending
}

pub(crate) async fn a_pending_connection_is_taken_once(world: &World) {
    let pending = add(world, "tok-pending").await;
    let mut tx = world.tx().await;
    let found = tx.find_pending_connection(pending.id, world.now()).await;
    assert_eq!(found.unwrap().as_ref(), Some(&pending));
    let taken = tx.take_pending_connection(pending.id, world.now()).await;
    let (taken, token) = taken.unwrap().unwrap();
    assert_eq!(taken, pending);
    assert_eq!(token.expose(), "tok-pending");
    let again = tx.take_pending_connection(pending.id, world.now()).await;
    assert!(again.unwrap().is_none());
    let again = tx.find_pending_connection(pending.id, world.now()).await;
    assert!(again.unwrap().is_none());
    tx.commit().await.unwrap();
}

pub(crate) async fn a_pending_connection_expires_and_is_removed(world: &World) {
    let old = add(world, "tok-old").await;
    world.advance(30);
    let young = add(world, "tok-young").await;
    world.advance(30);
    let mut tx = world.tx().await;
    let now = world.now();
    assert!(
        tx.find_pending_connection(old.id, now)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        tx.find_pending_connection(young.id, now)
            .await
            .unwrap()
            .is_some()
    );
    tx.commit().await.unwrap();
    world.advance(1);
    let mut tx = world.tx().await;
    let pruned = tx.prune(Kept::PendingConnections, world.now(), 9).await;
    assert_eq!(pruned.unwrap(), 1);
    let pruned = tx.prune(Kept::PendingConnections, world.now(), 9).await;
    assert_eq!(pruned.unwrap(), 0);
    world.advance(60);
    // One that nobody has removed yet is as good as none, and goes with its token.
    let taken = tx.take_pending_connection(young.id, world.now()).await;
    assert!(taken.unwrap().is_none());
    let pruned = tx.prune(Kept::PendingConnections, world.now(), 9).await;
    assert_eq!(pruned.unwrap(), 0);
    tx.commit().await.unwrap();
}

pub(crate) async fn a_pending_token_opens_in_its_row_only(world: &World) {
    let (one, other) = (add(world, "tok-one").await, add(world, "tok-other").await);
    let copy = "UPDATE pending_connections SET token_ciphertext =
        (SELECT c.token_ciphertext FROM pending_connections c WHERE c.id = $2) WHERE id = $1";
    world.meddle(copy, &[one.id, other.id]).await;
    let mut tx = world.tx().await;
    let taken = tx.take_pending_connection(one.id, world.now()).await;
    assert!(matches!(
        taken.unwrap_err(),
        StoreError::Corrupt {
            table: "pending_connections",
            ..
        }
    ));
}
