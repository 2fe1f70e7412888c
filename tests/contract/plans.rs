//! Saved plans, and what readers learn of jobs that write.

use chrono::TimeDelta;
use keyway_shared::domain::job::JobState;
use keyway_shared::secret::Secret;
use keyway_shared::store::{Settlement, StoredPlan};
use keyway_shared::sync::options::{Direction, SyncRequest};
use keyway_shared::sync::plan::{Action, Reason};
use keyway_shared::sync::saved::{SavedKey, SavedPlan};
use uuid::Uuid;

use crate::world::{Place, World};

const PROJECT: Option<&str> = Some("vercel|x|prj_1");

fn plan(world: &World, place: &Place) -> StoredPlan {
    StoredPlan {
        id: world.ambient.new_id(),
        user_id: place.user.id,
        vault_id: place.vault.id,
        environment_id: place.production.id,
        connection_id: place.connection.id,
        request: SyncRequest {
            include: Some(vec!["A_*".into()]),
            ..SyncRequest::new("prj_1", "production", "preview", Direction::Push)
        },
        plan: SavedPlan {
            keys: vec![SavedKey {
                key: "A_1".into(),
                action: Action::Update,
                reason: Reason::Changed,
                vault: Some("ab".into()),
                remote: None,
            }],
        },
        created_at: world.now(),
        expires_at: world.now() + TimeDelta::minutes(15),
        job_id: None,
    }
}

async fn saved(world: &World, place: &Place) -> StoredPlan {
    let plan = plan(world, place);
    let mut tx = world.tx().await;
    tx.insert_plan(&plan).await.unwrap();
    tx.commit().await.unwrap();
    plan
}

async fn used(world: &World, plan: Uuid, job: Uuid) -> bool {
    let mut tx = world.tx().await;
    let used = tx.use_plan(plan, job, world.now()).await.unwrap();
    tx.commit().await.unwrap();
    used
}

/// Ends a running job.
async fn end(world: &World, job: Uuid, lease_id: Uuid) {
    let mut tx = world.tx().await;
    let settlement = Settlement {
        id: job,
        lease_id,
        state: JobState::Succeeded,
        error_code: None,
        error: None,
        provider_calls_add: 0,
        rate_limited_ms_add: 0,
        progress_done: 0,
        progress_total: 0,
    };
    assert!(tx.settle_job(&settlement).await.unwrap().is_some());
    tx.commit().await.unwrap();
}

pub(crate) async fn a_plan_is_its_users_and_is_used_once(world: &World) {
    let (acme, other) = (world.place("acme").await, world.place("other").await);
    let plan = saved(world, &acme).await;
    let mut tx = world.tx().await;
    let found = tx.find_plan(acme.user.id, plan.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&plan));
    assert_eq!(tx.find_plan(other.user.id, plan.id).await.unwrap(), None);
    tx.commit().await.unwrap();
    let (first, second) = (world.ambient.new_id(), world.ambient.new_id());
    assert!(used(world, plan.id, first).await);
    assert!(!used(world, plan.id, second).await);
    let mut tx = world.tx().await;
    let found = tx.find_plan(acme.user.id, plan.id).await.unwrap();
    assert_eq!(found.unwrap().job_id, Some(first));
    tx.commit().await.unwrap();
}

pub(crate) async fn an_expired_plan_cannot_be_used_and_is_pruned(world: &World) {
    let acme = world.place("acme").await;
    let (unused, running) = (saved(world, &acme).await, saved(world, &acme).await);
    let job = world.queued(&acme, PROJECT).await;
    assert!(used(world, running.id, job).await);
    world.advance(15 * 60);
    assert!(!used(world, unused.id, job).await);
    let fresh = saved(world, &acme).await;
    let prune = async |limit| {
        let mut tx = world.tx().await;
        let before = world.now() + TimeDelta::seconds(1);
        let pruned = tx.prune_plans(before, limit).await.unwrap();
        tx.commit().await.unwrap();
        pruned
    };
    // The plan of a job that has not ended stays, and so does one that has not expired.
    assert_eq!(prune(10).await, 1);
    let (_, lease_id) = world.taken(job).await;
    end(world, job, lease_id).await;
    assert_eq!(prune(0).await, 0);
    assert_eq!(prune(10).await, 1);
    let mut tx = world.tx().await;
    let found = tx.find_plan(acme.user.id, fresh.id).await.unwrap();
    assert!(found.is_some());
    tx.commit().await.unwrap();
}

pub(crate) async fn a_plan_goes_with_its_connection(world: &World) {
    let acme = world.place("acme").await;
    let plan = saved(world, &acme).await;
    let gone = async |plan| {
        let (user, connection) = (acme.user.id, acme.connection.id);
        let mut tx = world.tx().await;
        tx.disconnect(user, connection, world.now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = world.tx().await;
        assert_eq!(tx.find_plan(user, plan).await.unwrap(), None);
        tx.commit().await.unwrap();
    };
    // Also when links keep what is left of the connection.
    let link = world.link(&acme, "prj_1");
    let mut tx = world.tx().await;
    tx.upsert_link(&link, "vercel|x|prj_1").await.unwrap();
    tx.commit().await.unwrap();
    gone(plan.id).await;
    let mut tx = world.tx().await;
    assert!(tx.delete_link(acme.vault.id, link.id).await.unwrap());
    tx.upsert_connection(&acme.connection, &Secret::new("t"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let plan = saved(world, &acme).await;
    gone(plan.id).await;
}

pub(crate) async fn readers_learn_of_writers(world: &World) {
    let acme = world.place("acme").await;
    let key = PROJECT.unwrap_or_default();
    let look = async |since| {
        let mut tx = world.tx().await;
        let now = tx.is_project_written(key).await.unwrap();
        let lately = tx.was_project_written(key, since).await.unwrap();
        tx.commit().await.unwrap();
        (now, lately)
    };
    let start = world.now();
    world.advance(10);
    let job = world.queued(&acme, PROJECT).await;
    assert_eq!(look(start).await, (false, false));
    let (_, lease_id) = world.taken(job).await;
    assert_eq!(look(start).await, (true, true));
    world.advance(10);
    end(world, job, lease_id).await;
    let ended = world.now();
    assert_eq!(look(start).await, (false, true));
    assert_eq!(look(ended).await, (false, true));
    world.advance(10);
    assert_eq!(look(world.now()).await, (false, false));
}
