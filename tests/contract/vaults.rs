//! Vaults, members and environments.

use keyway_shared::domain::vault::{EnvironmentKind, Role};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Constraint, StoreError};

use crate::world::World;

pub(crate) async fn a_vault_belongs_to_its_members(world: &World) {
    let acme = world.place("acme").await;
    let other = world.user("other").await;
    let mut tx = world.tx().await;
    let found = tx.find_vault(acme.user.id, "ACME", "App").await.unwrap();
    let access = found.unwrap();
    assert_eq!(access.vault, acme.vault);
    assert_eq!(access.role, Role::Admin);
    let id = acme.vault.id;
    assert!(
        tx.find_vault_by_id(acme.user.id, id)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(tx.find_vault(other.id, "acme", "app").await.unwrap(), None);
    assert_eq!(tx.find_vault_by_id(other.id, id).await.unwrap(), None);
    assert_eq!(tx.vault_summary(other.id, id).await.unwrap(), None);
    assert!(!tx.delete_vault(other.id, id).await.unwrap());
    assert!(tx.delete_vault(acme.user.id, id).await.unwrap());
    assert_eq!(tx.find_vault_by_id(acme.user.id, id).await.unwrap(), None);
    assert_eq!(tx.list_environments(id).await.unwrap(), []);
}

pub(crate) async fn a_repository_has_one_vault_in_any_case(world: &World) {
    let acme = world.place("acme").await;
    let twin = world.vault(&acme.user, "Acme", "APP");
    let mut tx = world.tx().await;
    assert!(matches!(
        tx.insert_vault(&twin, &[]).await.unwrap_err(),
        StoreError::Conflict(Constraint::VaultsRepo)
    ));
}

pub(crate) async fn summaries_count_and_page(world: &World) {
    let acme = world.place("acme").await;
    world.advance(1);
    let second = world.vault(&acme.user, "acme", "second");
    let mut tx = world.tx().await;
    tx.insert_vault(&second, &[]).await.unwrap();
    let (production, at) = (acme.production.id, world.now());
    let value = Secret::new("v");
    for key in ["A", "B"] {
        tx.put_secret(acme.vault.id, production, key, &value, None, at)
            .await
            .unwrap();
    }
    let link = world.link(&acme, "prj_1");
    tx.upsert_link(&link, "vercel|x|prj_1").await.unwrap();
    world.advance(1);
    tx.touch_vault(second.id, world.now()).await.unwrap();

    let (page, total) = tx.list_vaults(acme.user.id, 1, 0).await.unwrap();
    assert_eq!((page.len(), total), (1, 2));
    assert_eq!(page[0].access.vault.id, second.id);
    assert_eq!(page[0].secret_count, 0);
    let (page, total) = tx.list_vaults(acme.user.id, 10, 1).await.unwrap();
    assert_eq!((page.len(), total), (1, 2));
    assert_eq!(page[0].access.vault.id, acme.vault.id);
    assert_eq!(page[0].secret_count, 2);
    let names: Vec<&str> = page[0].environments.iter().map(|e| &*e.name).collect();
    assert_eq!(names, ["production", "staging"]);
    assert_eq!(page[0].links, [link]);
    let (page, total) = tx.list_vaults(world.ambient.new_id(), 10, 0).await.unwrap();
    assert_eq!((page.len(), total), (0, 0));
}

pub(crate) async fn members_change_roles_and_leave(world: &World) {
    let acme = world.place("acme").await;
    let bob = world.user("bob").await;
    world.advance(1);
    world.join(&acme, &bob, Role::Read).await;
    world.join(&acme, &bob, Role::Admin).await;
    let mut tx = world.tx().await;
    let members = tx.list_members(acme.vault.id).await.unwrap();
    let seen: Vec<(&str, Role)> = members.iter().map(|m| (&*m.username, m.role)).collect();
    assert_eq!(seen, [("acme", Role::Admin), ("bob", Role::Admin)]);
    assert_eq!(tx.count_admins(acme.vault.id).await.unwrap(), 2);
    assert!(tx.remove_member(acme.vault.id, bob.id).await.unwrap());
    assert!(!tx.remove_member(acme.vault.id, bob.id).await.unwrap());
    assert_eq!(tx.count_admins(acme.vault.id).await.unwrap(), 1);
}

pub(crate) async fn environments_keep_their_names_apart(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let vault = acme.vault.id;
    let mut tx = world.tx().await;
    tx.rename_environment(vault, acme.staging.id, "preview")
        .await
        .unwrap();
    tx.set_environment_kind(vault, acme.staging.id, EnvironmentKind::Protected)
        .await
        .unwrap();
    let found = tx
        .find_environment(vault, "preview")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.id, acme.staging.id);
    assert_eq!(found.kind, EnvironmentKind::Protected);
    assert_eq!(tx.find_environment(vault, "staging").await.unwrap(), None);
    let foreign = other.production.id;
    assert_eq!(
        tx.find_environment_by_id(vault, foreign).await.unwrap(),
        None
    );
    assert!(!tx.delete_environment(vault, foreign).await.unwrap());
    assert!(matches!(
        tx.rename_environment(vault, foreign, "mine")
            .await
            .unwrap_err(),
        StoreError::RowsAffected { rows: 0, .. }
    ));
    assert!(tx.delete_environment(vault, acme.staging.id).await.unwrap());
    let twin = world.environment(&acme.vault, "production", 5);
    assert!(matches!(
        tx.insert_environment(&twin).await.unwrap_err(),
        StoreError::Conflict(Constraint::EnvironmentsName)
    ));
}
