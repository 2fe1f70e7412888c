//! Connections and authorizations.

use std::time::Duration;

use keyway_shared::domain::connection::{
    AuthMethod, ConnectionStatus, ProviderName, ReconnectReason,
};
use keyway_shared::secret::Secret;
use keyway_shared::store::{OAuthState, StoreError};

use crate::world::World;

pub(crate) async fn connecting_again_updates_the_row(world: &World) {
    let acme = world.place("acme").await;
    let user = acme.user.id;
    let mut tx = world.tx().await;
    tx.mark_needs_reconnect(
        acme.connection.id,
        None,
        ReconnectReason::Refused,
        world.now(),
    )
    .await
    .unwrap();
    let [stale] = tx.list_connections(user).await.unwrap().try_into().unwrap();
    assert_eq!(stale.status, ConnectionStatus::NeedsReconnect);
    world.advance(10);
    let mut again = world.connection(&acme.user, "team_acme");
    again.auth_method = AuthMethod::OAuth;
    again.account_name.push_str(" Inc.");
    let stored = tx
        .upsert_connection(&again, &Secret::new("tok-2"))
        .await
        .unwrap();
    assert_eq!(stored.id, acme.connection.id);
    assert_eq!(stored.created_at, world.now());
    assert_eq!(stored.status, ConnectionStatus::Active);
    let [listed] = tx.list_connections(user).await.unwrap().try_into().unwrap();
    assert_eq!(listed, stored);
    let found = tx.connection_credential(user, stored.id).await.unwrap();
    let (connection, credential) = found.unwrap();
    assert_eq!(connection, stored);
    assert_eq!(credential.token.expose(), "tok-2");
    assert_eq!(credential.team_id.as_deref(), Some("team_acme"));
}

pub(crate) async fn a_credential_belongs_to_its_user(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let (stranger, id) = (other.user.id, acme.connection.id);
    let mut tx = world.tx().await;
    assert_eq!(tx.find_connection(stranger, id).await.unwrap(), None);
    assert!(
        tx.connection_credential(stranger, id)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        tx.disconnect(stranger, id, world.now())
            .await
            .unwrap()
            .is_none()
    );
    // Two users may connect the same account.
    let same = world.connection(&other.user, "team_acme");
    let stored = tx
        .upsert_connection(&same, &Secret::new("t"))
        .await
        .unwrap();
    assert_eq!(stored.id, same.id);
    let links = tx.disconnect(acme.user.id, id, world.now()).await;
    assert_eq!(links.unwrap(), Some(0));
    assert_eq!(tx.find_connection(acme.user.id, id).await.unwrap(), None);
}

pub(crate) async fn a_token_moved_to_another_row_does_not_open(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let copy = "UPDATE connections SET token_ciphertext =
        (SELECT c.token_ciphertext FROM connections c WHERE c.id = $2) WHERE id = $1";
    world
        .meddle(copy, &[acme.connection.id, other.connection.id])
        .await;
    let mut tx = world.tx().await;
    let opened = tx
        .connection_credential(acme.user.id, acme.connection.id)
        .await;
    assert!(matches!(
        opened.unwrap_err(),
        StoreError::Corrupt {
            table: "connections",
            ..
        }
    ));
    let rename = "UPDATE connections SET provider = 'heroku' WHERE id = $1";
    drop(tx);
    world.meddle(rename, &[other.connection.id]).await;
    let mut tx = world.tx().await;
    let listed = tx.list_connections(other.user.id).await;
    assert!(matches!(
        listed.unwrap_err(),
        StoreError::Inconsistent { table: "connections", column: "provider", id }
            if id == other.connection.id.to_string()
    ));
}

pub(crate) async fn an_oauth_state_works_once(world: &World) {
    let acme = world.user("acme").await;
    let state = OAuthState {
        state_hash: [1; 32],
        user_id: acme.id,
        provider: ProviderName::Vercel,
        redirect_uri: Some("https://app.example/done".to_owned()),
        browser_hash: [2; 32],
        expires_at: world.now() + Duration::from_mins(10),
    };
    let late = OAuthState {
        state_hash: [3; 32],
        ..state.clone()
    };
    let mut tx = world.tx().await;
    tx.insert_oauth_state(&state).await.unwrap();
    tx.insert_oauth_state(&late).await.unwrap();
    let taken = tx.take_oauth_state(&[1; 32], world.now()).await.unwrap();
    assert_eq!(taken, Some(state));
    assert_eq!(
        tx.take_oauth_state(&[1; 32], world.now()).await.unwrap(),
        None
    );
    world.advance(600);
    assert_eq!(
        tx.take_oauth_state(&[3; 32], world.now()).await.unwrap(),
        None
    );
    tx.insert_oauth_state(&late).await.unwrap();
    assert_eq!(tx.prune_oauth_states(world.now()).await.unwrap(), 1);
}
