//! Taking jobs and keeping them.

use keyway_shared::domain::job::{JobClass, JobState};
use keyway_shared::store::{Backend, Claim, Renewal};

use crate::world::{LEASE, World};

const PROJECT: Option<&str> = Some("vercel|x|prj_1");

pub(crate) async fn a_job_is_claimed_once(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    let (job, lease_id) = world.taken(id).await;
    assert_eq!(job.state, JobState::Running);
    assert_eq!((job.attempt, job.run, job.takeovers), (1, 1, 0));
    assert_eq!(job.worker.as_deref(), Some("worker-1"));
    assert_eq!(job.lease_id, Some(lease_id));
    assert_eq!(job.lease_until, Some(world.now() + LEASE));
    assert_eq!(job.started_at, Some(world.now()));
    assert_eq!(world.snapshot(id).await, job);
    assert_eq!(world.claim(id, "worker-2").await, Claim::Gone);
    assert_eq!(world.snapshot(id).await, job);
    let nothing = world.ambient.new_id();
    assert_eq!(world.claim(nothing, "worker-2").await, Claim::Gone);
}

pub(crate) async fn two_claimers_at_once_and_one_wins(world: &World) {
    let acme = world.place("acme").await;
    for _ in 0..10 {
        let id = world.queued(&acme, None).await;
        let claims = tokio::join!(world.claim(id, "a"), world.claim(id, "b"));
        assert!(
            matches!(
                claims,
                (Claim::Taken(_), Claim::Gone) | (Claim::Gone, Claim::Taken(_))
            ),
            "{claims:?}"
        );
    }
}

pub(crate) async fn one_job_of_a_project_runs_at_a_time(world: &World) {
    let acme = world.place("acme").await;
    let first = world.queued(&acme, PROJECT).await;
    world.advance(1);
    let second = world.queued(&acme, PROJECT).await;
    let elsewhere = world.queued(&acme, Some("vercel|x|prj_2")).await;
    assert_eq!(world.claim(second, "w").await, Claim::Busy, "not its turn");
    world.taken(first).await;
    assert_eq!(world.claim(second, "w").await, Claim::Busy, "project runs");
    world.taken(elsewhere).await;
    assert_eq!(world.snapshot(second).await.state, JobState::Queued);
}

/// The one case that only the unique index decides: the second looks before the first is committed.
pub(crate) async fn two_claimers_of_one_project_and_one_wins(world: &World) {
    let acme = world.place("acme").await;
    let first = world.queued(&acme, PROJECT).await;
    let mut late = world.new_job(&acme, PROJECT);
    late.class = JobClass::Interactive;
    let mut holder = world.tx().await;
    let lease_id = world.ambient.new_id();
    let claim = holder.claim_job(first, "a", lease_id, LEASE).await.unwrap();
    assert!(matches!(claim, Claim::Taken(_)));
    let claim = if world.store.backend() == Backend::Sqlite {
        // There is one writer at a time.
        holder.commit().await.unwrap();
        world.claim(world.job(late.clone()).await, "b").await
    } else {
        world.job(late.clone()).await;
        let (claim, ()) = tokio::join!(world.claim(late.id, "b"), async {
            world.somebody_waits_for_a_lock().await;
            holder.commit().await.unwrap();
        });
        claim
    };
    assert_eq!(claim, Claim::Busy);
    let job = world.snapshot(late.id).await;
    assert_eq!((job.state, job.run), (JobState::Queued, 0));
    // The violation spoilt the loser's transaction on Postgres, and yet its ring was put off.
    world.advance(2);
    let mut tx = world.tx().await;
    let settled = tx.release_worker_leases(None).await.unwrap();
    assert_eq!(settled, 1);
    let due = tx.due_jobs(JobClass::Interactive, 10).await.unwrap();
    assert_eq!(due, [late.id]);
}

pub(crate) async fn class_goes_before_arrival(world: &World) {
    let acme = world.place("acme").await;
    let background = world.queued(&acme, PROJECT).await;
    world.advance(1);
    let mut job = world.new_job(&acme, PROJECT);
    job.class = JobClass::Interactive;
    let interactive = world.job(job).await;
    assert_eq!(world.claim(background, "w").await, Claim::Busy);
    let mut tx = world.tx().await;
    let now = tx.now().await.unwrap();
    let next = tx.next_in_project("vercel|x|prj_1", now).await.unwrap();
    assert_eq!(next, Some((interactive, JobClass::Interactive)));
    assert_eq!(tx.next_in_project("another", now).await.unwrap(), None);
    tx.commit().await.unwrap();
    world.taken(interactive).await;
    let mut tx = world.tx().await;
    let now = tx.now().await.unwrap();
    let next = tx.next_in_project("vercel|x|prj_1", now).await.unwrap();
    assert_eq!(next, Some((background, JobClass::Background)));
}

pub(crate) async fn readers_need_no_project(world: &World) {
    let acme = world.place("acme").await;
    let writer = world.queued(&acme, PROJECT).await;
    let first = world.queued(&acme, None).await;
    let second = world.queued(&acme, None).await;
    for id in [second, writer, first] {
        world.taken(id).await;
    }
}

pub(crate) async fn a_job_that_is_not_due_waits(world: &World) {
    let acme = world.place("acme").await;
    let mut job = world.new_job(&acme, PROJECT);
    job.created_at = world.now() + LEASE;
    let later = world.job(job).await;
    assert_eq!(world.claim(later, "w").await, Claim::Busy);
    let now = world.queued(&acme, PROJECT).await;
    world.taken(now).await;
    world.advance(30);
    let mut tx = world.tx().await;
    let due = tx.due_jobs(JobClass::Background, 10).await.unwrap();
    assert!(due.is_empty(), "its project runs");
}

pub(crate) async fn a_project_is_taken_once_its_id_is_known(world: &World) {
    let acme = world.place("acme").await;
    let named = world.queued(&acme, None).await;
    let holder = world.queued(&acme, PROJECT).await;
    let (_, named_lease) = world.taken(named).await;
    let (_, holder_lease) = world.taken(holder).await;
    let key = PROJECT.unwrap();
    let mut tx = world.tx().await;
    assert!(!tx.take_project(named, named_lease, key).await.unwrap());
    // The unit of work goes on.
    tx.set_progress(named, named_lease, 0, 3).await.unwrap();
    assert!(
        tx.take_project(holder, holder_lease, key).await.unwrap(),
        "its own"
    );
    assert!(
        !tx.take_project(named, holder_lease, "free").await.unwrap(),
        "not its lease"
    );
    assert!(tx.take_project(named, named_lease, "free").await.unwrap());
    tx.commit().await.unwrap();
    let job = world.snapshot(named).await;
    assert_eq!(job.project_key.as_deref(), Some("free"));
    assert_eq!(job.progress_total, 3);
}

pub(crate) async fn a_lease_is_renewed_until_it_is_lost(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    let (_, lease_id) = world.taken(id).await;
    world.advance(20);
    let mut tx = world.tx().await;
    let held = tx.renew_lease(id, lease_id, LEASE).await.unwrap();
    assert_eq!(
        held,
        Renewal::Held {
            cancel_requested: false
        }
    );
    tx.commit().await.unwrap();
    let job = world.snapshot(id).await;
    assert_eq!(job.lease_until, Some(world.now() + LEASE));
    let mut tx = world.tx().await;
    tx.cancel_connection_jobs(acme.connection.id, world.now())
        .await
        .unwrap();
    let held = tx.renew_lease(id, lease_id, LEASE).await.unwrap();
    assert_eq!(
        held,
        Renewal::Held {
            cancel_requested: true
        }
    );
    let stranger = world.ambient.new_id();
    let lost = tx.renew_lease(id, stranger, LEASE).await.unwrap();
    assert_eq!(lost, Renewal::Lost);
}
