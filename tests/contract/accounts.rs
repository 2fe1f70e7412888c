//! Users and API keys.

use keyway_shared::crypto::tokens;
use keyway_shared::domain::account::{ApiKey, KeyEnvironment, Scope, User};
use keyway_shared::store::{Constraint, StoreError};

use crate::world::World;

fn key(world: &World, user: &User, prefix: &str) -> ApiKey {
    ApiKey {
        id: world.ambient.new_id(),
        user_id: user.id,
        name: "laptop".to_owned(),
        environment: KeyEnvironment::Live,
        prefix: prefix.to_owned(),
        scopes: vec![Scope::ReadSecrets, Scope::AdminApiKeys],
        allowed_ips: Vec::new(),
        expires_at: None,
        last_used_at: None,
        usage_count: 0,
        created_at: world.now(),
        revoked_at: None,
    }
}

pub(crate) async fn names_of_users_are_unique_in_any_case(world: &World) {
    let mut tx = world.tx().await;
    assert!(!tx.any_user().await.unwrap());
    drop(tx);
    let ann = world.user("Ann").await;
    let mut tx = world.tx().await;
    assert!(tx.any_user().await.unwrap());
    assert_eq!(tx.find_user(ann.id).await.unwrap(), Some(ann.clone()));
    assert_eq!(
        tx.find_user_by_name("aNN").await.unwrap(),
        Some(ann.clone())
    );
    assert_eq!(tx.find_user_by_name("bob").await.unwrap(), None);
    let twin = User {
        id: world.ambient.new_id(),
        username: "ANN".to_owned(),
        ..ann
    };
    let error = tx.insert_user(&twin).await.unwrap_err();
    assert!(matches!(
        error,
        StoreError::Conflict(Constraint::UsersUsername)
    ));
}

pub(crate) async fn operators_are_made_and_unmade(world: &World) {
    let ann = world.user("ann").await;
    let mut tx = world.tx().await;
    tx.set_operator(ann.id, true).await.unwrap();
    assert!(tx.find_user(ann.id).await.unwrap().unwrap().operator);
    tx.set_operator(ann.id, false).await.unwrap();
    assert!(!tx.find_user(ann.id).await.unwrap().unwrap().operator);
    let nobody = world.ambient.new_id();
    assert!(matches!(
        tx.set_operator(nobody, true).await.unwrap_err(),
        StoreError::RowsAffected {
            table: "users",
            rows: 0,
            ..
        }
    ));
}

pub(crate) async fn keys_are_found_by_hash_and_scoped_to_their_user(world: &World) {
    let ann = world.user("ann").await;
    let bob = world.user("bob").await;
    let made = tokens::new_api_key(&world.ambient, KeyEnvironment::Live);
    let mut stored = key(world, &ann, &made.prefix);
    let mut tx = world.tx().await;
    tx.insert_api_key(&stored, &made.hash).await.unwrap();
    let found = tx.find_api_key_by_hash(&made.hash).await.unwrap();
    assert_eq!(found, Some((stored.clone(), ann.clone())));
    assert_eq!(tx.find_api_key_by_hash(&[0; 32]).await.unwrap(), None);
    assert_eq!(tx.find_api_key(bob.id, stored.id).await.unwrap(), None);
    assert_eq!(tx.list_api_keys(bob.id).await.unwrap(), []);

    world.advance(60);
    tx.touch_api_key(stored.id, world.now()).await.unwrap();
    stored.last_used_at = Some(world.now());
    stored.usage_count = 1;
    assert_eq!(tx.list_api_keys(ann.id).await.unwrap(), [stored.clone()]);
    assert_eq!(
        tx.list_all_api_keys().await.unwrap(),
        [(stored.clone(), "ann".to_owned())]
    );

    let twin = key(world, &bob, &made.prefix);
    assert!(matches!(
        tx.insert_api_key(&twin, &made.hash).await.unwrap_err(),
        StoreError::Conflict(Constraint::ApiKeysToken)
    ));
}

pub(crate) async fn a_key_is_revoked_once(world: &World) {
    let ann = world.user("ann").await;
    let bob = world.user("bob").await;
    let stored = key(world, &ann, "kw_live_abc");
    let mut tx = world.tx().await;
    tx.insert_api_key(&stored, &[1; 32]).await.unwrap();
    let at = world.now();
    assert!(!tx.revoke_api_key(bob.id, stored.id, at).await.unwrap());
    assert!(tx.revoke_api_key(ann.id, stored.id, at).await.unwrap());
    assert!(!tx.revoke_api_key(ann.id, stored.id, at).await.unwrap());
    let (revoked, _) = tx.find_api_key_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(at));
}
