//! What is paused is accepted and does not start.

use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::job::{JobClass, JobKind, NewJob};
use keyway_shared::store::{Claim, Pause};
use uuid::Uuid;

use crate::world::World;

const PROJECT: Option<&str> = Some("vercel|x|prj_1");

async fn pause(world: &World, provider: Option<ProviderName>) -> Uuid {
    let pause = Pause {
        id: world.ambient.new_id(),
        provider,
        user_id: None,
        created_at: world.now(),
    };
    let mut tx = world.tx().await;
    assert!(tx.insert_pause(&pause).await.unwrap());
    let again = Pause {
        id: world.ambient.new_id(),
        ..pause.clone()
    };
    assert!(!tx.insert_pause(&again).await.unwrap(), "once");
    assert_eq!(
        tx.list_pauses().await.unwrap(),
        std::slice::from_ref(&pause)
    );
    tx.commit().await.unwrap();
    pause.id
}

async fn resume(world: &World, id: Uuid) {
    let mut tx = world.tx().await;
    assert_eq!(tx.delete_pause(id).await.unwrap().unwrap().id, id);
    assert_eq!(tx.delete_pause(id).await.unwrap(), None);
    tx.commit().await.unwrap();
}

async fn is_paused(world: &World, id: Uuid) -> bool {
    let mut tx = world.tx().await;
    tx.is_job_paused(id).await.unwrap()
}

async fn due(world: &World) -> Vec<Uuid> {
    let mut tx = world.tx().await;
    let due = tx.due_jobs(JobClass::Background, 10).await.unwrap();
    assert_eq!(
        tx.oldest_unrung().await.unwrap(),
        None,
        "what is paused is not late, and the rest has been rung"
    );
    due
}

fn reader(world: &World, place: &crate::world::Place) -> NewJob {
    NewJob {
        kind: JobKind::Preview,
        ..world.new_job(place, None)
    }
}

pub(crate) async fn nothing_starts_while_all_is_paused(world: &World) {
    let acme = world.place("acme").await;
    let writer = world.queued(&acme, PROJECT).await;
    let reader = world.job(reader(world, &acme)).await;
    let running = world.queued(&acme, None).await;
    world.taken(running).await;
    let id = pause(world, None).await;
    world.advance(10);
    for job in [writer, reader] {
        assert_eq!(world.claim(job, "w").await, Claim::Busy);
        assert!(is_paused(world, job).await);
    }
    assert!(!is_paused(world, running).await, "it has started");
    world.advance(60);
    assert!(due(world).await.is_empty());
    let mut tx = world.tx().await;
    let [depth] = tx.queue_depth().await.unwrap().try_into().unwrap();
    assert_eq!((depth.depth, depth.oldest_due), (2, None), "not late");
    tx.commit().await.unwrap();
    resume(world, id).await;
    let mut both = due(world).await;
    both.sort_unstable();
    let mut expected = [writer, reader];
    expected.sort_unstable();
    assert_eq!(both, expected);
    for job in [writer, reader] {
        world.taken(job).await;
    }
}

pub(crate) async fn a_providers_pause_holds_its_jobs(world: &World) {
    let acme = world.place("acme").await;
    let id = world.job(reader(world, &acme)).await;
    let other = pause(world, Some(ProviderName::Netlify)).await;
    assert!(!is_paused(world, id).await);
    resume(world, other).await;
    let ours = pause(world, Some(ProviderName::Vercel)).await;
    assert!(is_paused(world, id).await);
    assert_eq!(world.claim(id, "w").await, Claim::Busy);
    resume(world, ours).await;
    world.taken(id).await;
}

pub(crate) async fn a_links_pause_holds_the_syncs_of_its_pair(world: &World) {
    let acme = world.place("acme").await;
    let link = world.link(&acme, "prj_1");
    let mut tx = world.tx().await;
    tx.upsert_link(&link, "vercel|x|prj_1").await.unwrap();
    assert!(tx.set_link_paused(link.id, true).await.unwrap());
    assert!(!tx.set_link_paused(acme.vault.id, true).await.unwrap());
    let shown = tx.find_link(acme.vault.id, link.id).await.unwrap();
    assert!(shown.unwrap().upkeep.is_held());
    tx.commit().await.unwrap();
    // By id, and by name while the id is not known.
    let by_id = world.queued(&acme, PROJECT).await;
    let mut named = world.new_job(&acme, None);
    named.request.project_id = "web".into();
    let named = world.job(named).await;
    let mut preview = world.new_job(&acme, PROJECT);
    preview.request.provider_environment = "preview".into();
    preview.project_key = None;
    let elsewhere = world.job(preview).await;
    let mut staging = world.new_job(&acme, None);
    staging.environment_id = acme.staging.id;
    let staging = world.job(staging).await;
    let looks = world.job(reader(world, &acme)).await;
    for id in [by_id, named] {
        assert!(is_paused(world, id).await);
        assert_eq!(world.claim(id, "w").await, Claim::Busy);
    }
    for id in [elsewhere, staging, looks] {
        assert!(!is_paused(world, id).await);
        world.taken(id).await;
    }
    let mut tx = world.tx().await;
    assert!(tx.set_link_paused(link.id, false).await.unwrap());
    tx.commit().await.unwrap();
    world.taken(by_id).await;
}

/// It does not stand in the way of what may start.
pub(crate) async fn a_paused_job_holds_nobody_up(world: &World) {
    let acme = world.place("acme").await;
    let link = world.link(&acme, "prj_1");
    let mut tx = world.tx().await;
    tx.upsert_link(&link, "vercel|x|prj_1").await.unwrap();
    tx.set_link_paused(link.id, true).await.unwrap();
    tx.commit().await.unwrap();
    let first = world.queued(&acme, PROJECT).await;
    world.advance(1);
    let mut second = world.new_job(&acme, PROJECT);
    second.request.provider_environment = "preview".into();
    let second = world.job(second).await;
    assert_eq!(world.claim(first, "w").await, Claim::Busy);
    let mut tx = world.tx().await;
    let now = tx.now().await.unwrap();
    let next = tx.next_in_project("vercel|x|prj_1", now).await.unwrap();
    assert_eq!(next, Some((second, JobClass::Background)));
    tx.commit().await.unwrap();
    world.taken(second).await;
}
