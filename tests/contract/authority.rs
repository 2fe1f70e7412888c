//! With what right jobs run, and who may use an environment.

use std::time::Duration;

use keyway_shared::crypto::tokens::new_api_key;
use keyway_shared::domain::access::EnvironmentRules;
use keyway_shared::domain::account::{ApiKey, KeyEnvironment, Scope};
use keyway_shared::domain::auto_sync::AutoSync;
use keyway_shared::domain::vault::{EnvironmentKind, Role};
use keyway_shared::store::{JobOwner, StoreError};
use uuid::Uuid;

use crate::links::PROJECT;
use crate::world::{Place, World};

fn owner(place: &Place, api_key_id: Option<Uuid>) -> JobOwner {
    JobOwner {
        user_id: place.user.id,
        vault_id: place.vault.id,
        environment_id: place.production.id,
        connection_id: place.connection.id,
        api_key_id,
    }
}

async fn key(world: &World, place: &Place, environment: KeyEnvironment) -> ApiKey {
    let new = new_api_key(&world.ambient, environment);
    let key = ApiKey {
        id: world.ambient.new_id(),
        user_id: place.user.id,
        name: "ci".to_owned(),
        environment,
        prefix: new.prefix,
        scopes: vec![Scope::ReadSecrets],
        allowed_ips: Vec::new(),
        expires_at: Some(world.now() + Duration::from_hours(1)),
        last_used_at: None,
        usage_count: 0,
        created_at: world.now(),
        revoked_at: None,
    };
    let mut tx = world.tx().await;
    tx.insert_api_key(&key, &new.hash).await.unwrap();
    tx.commit().await.unwrap();
    key
}

pub(crate) async fn rules_belong_to_their_environment(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let rules = EnvironmentRules {
        read: Role::Write,
        write: Role::Admin,
    };
    let mut tx = world.tx().await;
    let (vault, environment) = (acme.vault.id, acme.production.id);
    assert!(matches!(
        tx.set_environment_rules(other.vault.id, environment, rules)
            .await
            .unwrap_err(),
        StoreError::RowsAffected { rows: 0, .. }
    ));
    tx.set_environment_rules(vault, environment, rules)
        .await
        .unwrap();
    let found = tx.list_environments(vault).await.unwrap();
    assert_eq!(found[0].rules, rules);
    assert_eq!(found[1].rules, EnvironmentRules::default());
    tx.rename_environment(vault, environment, "live")
        .await
        .unwrap();
    let found = tx.find_environment(vault, "live").await.unwrap().unwrap();
    assert_eq!(found.rules, rules);
    let by_id = tx.find_environment_by_id(vault, environment).await;
    assert_eq!(by_id.unwrap(), Some(found));
}

pub(crate) async fn a_jobs_right_is_what_is_left_of_it(world: &World) {
    let acme = world.place("acme").await;
    let bob = world.user("bob").await;
    world.join(&acme, &bob, Role::Write).await;
    let now = world.now();
    let mut tx = world.tx().await;
    let all = tx.job_authority(owner(&acme, None), now).await.unwrap();
    let (asker, environment) = all.standing.unwrap();
    assert_eq!((asker.role, asker.key), (Role::Admin, None));
    assert_eq!(environment, acme.production);
    assert!(!all.key_ended);
    assert_eq!(all.connection.unwrap().0.id, acme.connection.id);
    // Another's connection is none, and another environment's id is no right.
    let theirs = JobOwner {
        user_id: bob.id,
        ..owner(&acme, None)
    };
    let theirs = tx.job_authority(theirs, now).await.unwrap();
    assert_eq!(theirs.standing.unwrap().0.role, Role::Write);
    assert!(theirs.connection.is_none());
    let elsewhere = JobOwner {
        environment_id: world.ambient.new_id(),
        ..owner(&acme, None)
    };
    let elsewhere = tx.job_authority(elsewhere, now).await.unwrap();
    assert!(elsewhere.standing.is_none() && elsewhere.connection.is_some());
    tx.remove_member(acme.vault.id, acme.user.id).await.unwrap();
    let gone = tx.job_authority(owner(&acme, None), now).await.unwrap();
    assert!(gone.standing.is_none());
}

pub(crate) async fn a_right_ends_with_its_key(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let test = key(world, &acme, KeyEnvironment::Test).await;
    let live = key(world, &acme, KeyEnvironment::Live).await;
    let foreign = key(world, &other, KeyEnvironment::Live).await;
    let mut tx = world.tx().await;
    let mut of = async |id: Uuid, at| {
        let authority = tx.job_authority(owner(&acme, Some(id)), at).await.unwrap();
        (authority.standing.unwrap().0.key, authority.key_ended)
    };
    let (test_key, live_key) = (Some(KeyEnvironment::Test), Some(KeyEnvironment::Live));
    assert_eq!(of(test.id, world.now()).await, (test_key, false));
    assert_eq!(of(live.id, world.now()).await, (live_key, false));
    let late = world.now() + Duration::from_hours(1);
    assert_eq!(of(live.id, late).await, (live_key, true), "it has expired");
    // What nobody knows anything of counts for the one that may less.
    assert_eq!(of(foreign.id, world.now()).await, (test_key, true));
    tx.revoke_api_key(acme.user.id, live.id, world.now())
        .await
        .unwrap();
    let mut of = async |id: Uuid| {
        let owner = owner(&acme, Some(id));
        let authority = tx.job_authority(owner, world.now()).await.unwrap();
        (authority.standing.unwrap().0.key, authority.key_ended)
    };
    assert_eq!(of(live.id).await, (live_key, true));
}

pub(crate) async fn a_run_of_a_link_bears_its_key(world: &World) {
    let acme = world.place("acme").await;
    let saved_with = key(world, &acme, KeyEnvironment::Test).await.id;
    let mut links = Vec::new();
    for (project, api_key_id) in [("prj_1", Some(saved_with)), ("prj_2", None)] {
        let mut link = world.link(&acme, project);
        link.auto_sync = AutoSync::OnChange;
        link.api_key_id = api_key_id;
        links.push(link);
    }
    let mut tx = world.tx().await;
    for link in &links {
        let (saved, _) = tx.upsert_link(link, PROJECT).await.unwrap();
        assert_eq!(saved.api_key_id, link.api_key_id);
    }
    tx.commit().await.unwrap();
    world.advance(60);
    let mut tx = world.tx().await;
    let started = tx
        .start_due_links(10, Duration::from_hours(1))
        .await
        .unwrap();
    assert_eq!(started.jobs.len(), 2);
    for id in started.jobs {
        let job = tx.job_snapshot(id).await.unwrap().unwrap();
        let link = links
            .iter()
            .find(|link| job.request.link_id == Some(link.id));
        assert_eq!(job.api_key_id, link.unwrap().api_key_id);
    }
    // Whoever changes it last is who answers for it.
    let mut link = links.swap_remove(0);
    link.api_key_id = None;
    tx.update_link(&link).await.unwrap();
    let found = tx.find_link(link.vault_id, link.id).await.unwrap();
    assert_eq!(found.unwrap().api_key_id, None);
}

pub(crate) async fn what_a_connection_is_used_for_is_known(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let mut link = world.link(&acme, "prj_1");
    "preview".clone_into(&mut link.provider_environment);
    let mut ended = world.new_job(&acme, None);
    "development".clone_into(&mut ended.request.provider_environment);
    let ended = world.job(ended).await;
    let mut open = world.new_job(&acme, None);
    open.environment_id = acme.staging.id;
    "qa".clone_into(&mut open.request.provider_environment);
    world.job(open).await;
    let mut tx = world.tx().await;
    tx.upsert_link(&link, PROJECT).await.unwrap();
    tx.cancel_job(ended, true, world.now()).await.unwrap();
    let mut uses = tx.connection_uses(acme.connection.id).await.unwrap();
    uses.sort();
    assert_eq!(
        uses,
        [
            (EnvironmentKind::Standard, "qa".to_owned()),
            (EnvironmentKind::Protected, "preview".to_owned()),
        ]
    );
    let none = tx.connection_uses(other.connection.id).await.unwrap();
    assert_eq!(none, []);
}
