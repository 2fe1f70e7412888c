//! Links.

use keyway_shared::domain::link::Link;
use keyway_shared::store::{Backend, Constraint, StoreError};
use keyway_shared::sync::options::{DeleteScope, Direction};

use crate::world::World;

pub(crate) const PROJECT: &str = "vercel|https://api.vercel.com|prj_1";

pub(crate) async fn saving_the_same_destination_again_updates_the_link(world: &World) {
    let acme = world.place("acme").await;
    let link = world.link(&acme, "prj_1");
    let mut tx = world.tx().await;
    let saved = tx.upsert_link(&link, PROJECT).await.unwrap();
    assert_eq!(saved, (link.clone(), true));
    world.advance(10);
    let mut again = world.link(&acme, "prj_1");
    again.direction = Direction::Pull;
    again.allow_delete = true;
    again.delete_scope = DeleteScope::Managed;
    again.allow_references = true;
    again.rollout = true;
    again.api_key_id = Some(world.ambient.new_id());
    let (stored, new) = tx.upsert_link(&again, PROJECT).await.unwrap();
    assert!(!new);
    let expected = Link {
        id: link.id,
        created_at: link.created_at,
        ..again
    };
    assert_eq!(stored, expected);
    let mut branch = world.link(&acme, "prj_1");
    branch.git_branch = Some("main".to_owned());
    let (_, new) = tx.upsert_link(&branch, PROJECT).await.unwrap();
    assert!(new);
    assert_eq!(
        tx.list_links(acme.vault.id).await.unwrap(),
        [stored, branch]
    );
}

pub(crate) async fn links_are_scoped_to_their_vault(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let mut link = world.link(&acme, "prj_1");
    let mut tx = world.tx().await;
    tx.upsert_link(&link, PROJECT).await.unwrap();
    let (vault, foreign) = (acme.vault.id, other.vault.id);
    assert_eq!(tx.find_link(foreign, link.id).await.unwrap(), None);
    assert!(!tx.delete_link(foreign, link.id).await.unwrap());
    link.shared = true;
    link.project_name = None;
    link.allow_references = true;
    link.rollout = true;
    tx.update_link(&link).await.unwrap();
    assert_eq!(
        tx.find_link(vault, link.id).await.unwrap(),
        Some(link.clone())
    );
    let stolen = Link {
        vault_id: foreign,
        ..link.clone()
    };
    assert!(matches!(
        tx.update_link(&stolen).await.unwrap_err(),
        StoreError::RowsAffected { rows: 0, .. }
    ));
    tx.rename_environment(vault, acme.production.id, "live")
        .await
        .unwrap();
    let found = tx.find_link(vault, link.id).await.unwrap().unwrap();
    assert_eq!(found.keyway_environment, "live");
    assert!(tx.delete_link(vault, link.id).await.unwrap());
}

pub(crate) async fn unshared_links_of_other_vaults_are_found(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let mut link = world.link(&other, "prj_1");
    let mut tx = world.tx().await;
    tx.upsert_link(&link, PROJECT).await.unwrap();
    let at = ("production", None::<&str>);
    let mine = acme.vault.id;
    assert_eq!(
        tx.other_link_vaults(PROJECT, None, at.0, at.1, mine)
            .await
            .unwrap(),
        [other.vault.id]
    );
    let own = other.vault.id;
    assert!(
        tx.other_link_vaults(PROJECT, None, at.0, at.1, own)
            .await
            .unwrap()
            .is_empty()
    );
    let branch = Some("main");
    assert!(
        tx.other_link_vaults(PROJECT, None, at.0, branch, mine)
            .await
            .unwrap()
            .is_empty()
    );
    link.shared = true;
    tx.update_link(&link).await.unwrap();
    assert!(
        tx.other_link_vaults(PROJECT, None, at.0, at.1, mine)
            .await
            .unwrap()
            .is_empty()
    );
}

fn taken<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let error = result.unwrap_err();
    assert!(
        matches!(error, StoreError::Conflict(Constraint::LinksHolder)),
        "{error:?}"
    );
}

/// The one case that only the key decides: the second looks before the first is committed.
pub(crate) async fn two_vaults_link_a_destination_at_once_and_one_wins(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let (first, mut late) = (world.link(&acme, "prj_1"), world.link(&other, "prj_1"));
    // By another name: what counts is the provider's own.
    "prod".clone_into(&mut late.provider_environment);
    let save = async |link: &Link| {
        let mut tx = world.tx().await;
        let saved = tx.upsert_link(link, PROJECT).await;
        if saved.is_ok() {
            tx.commit().await.unwrap();
        }
        saved
    };
    let mut holder = world.tx().await;
    holder.upsert_link(&first, PROJECT).await.unwrap();
    if world.store.backend() == Backend::Sqlite {
        // There is one writer at a time.
        holder.commit().await.unwrap();
        taken(save(&late).await);
    } else {
        let (lost, ()) = tokio::join!(save(&late), async {
            world.somebody_waits_for_a_lock().await;
            holder.commit().await.unwrap();
        });
        taken(lost);
    }
    // What is shared takes nothing away, and cannot stop to be shared while the other is not.
    late.shared = true;
    save(&late).await.unwrap();
    late.shared = false;
    let mut tx = world.tx().await;
    taken(tx.update_link(&late).await);
    drop(tx);
    // A vault may have several.
    let mut second = world.link(&acme, "prj_1");
    second.environment_id = acme.staging.id;
    save(&second).await.unwrap();
    let mut tx = world.tx().await;
    assert!(tx.delete_link(acme.vault.id, first.id).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = world.tx().await;
    taken(tx.update_link(&late).await);
    drop(tx);
    // Once none is left, the next may have it, and so on when a vault goes.
    let mut tx = world.tx().await;
    assert!(tx.delete_link(acme.vault.id, second.id).await.unwrap());
    tx.update_link(&late).await.unwrap();
    tx.commit().await.unwrap();
    taken(save(&first).await);
    let mut tx = world.tx().await;
    let deleted = tx.delete_vault(other.user.id, other.vault.id).await;
    assert!(deleted.unwrap());
    tx.commit().await.unwrap();
    save(&first).await.unwrap();
}

pub(crate) async fn a_sync_touches_the_links_of_its_destination(world: &World) {
    let acme = world.place("acme").await;
    let link = world.link(&acme, "prj_1");
    let mut branch = world.link(&acme, "prj_1");
    branch.git_branch = Some("main".to_owned());
    let mut tx = world.tx().await;
    tx.upsert_link(&link, PROJECT).await.unwrap();
    tx.upsert_link(&branch, PROJECT).await.unwrap();
    world.advance(10);
    let (environment, at) = (acme.production.id, world.now());
    tx.touch_links(
        environment,
        PROJECT,
        None,
        &["env_1", "production"],
        None,
        at,
    )
    .await
    .unwrap();
    tx.touch_links(
        acme.staging.id,
        PROJECT,
        None,
        &["production"],
        Some("main"),
        at,
    )
    .await
    .unwrap();
    let links = tx.list_links(acme.vault.id).await.unwrap();
    assert_eq!(links[0].last_synced_at, Some(at));
    assert_eq!(links[1].last_synced_at, None);
}
