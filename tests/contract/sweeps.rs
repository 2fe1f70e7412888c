//! What the sweeper finds.

use std::time::Duration;

use keyway_shared::domain::job::{ErrorCode, JobClass, JobState};
use keyway_shared::store::{Claim, Handback, QueueDepth};
use uuid::Uuid;

use crate::world::{MARGIN, World};

const PROJECT: Option<&str> = Some("vercel|x|prj_1");

async fn due(world: &World) -> Vec<Uuid> {
    let mut tx = world.tx().await;
    let due = tx.due_jobs(JobClass::Background, 10).await.unwrap();
    tx.commit().await.unwrap();
    due
}

async fn expire(world: &World) -> Vec<(Uuid, JobState)> {
    let mut tx = world.tx().await;
    let returned = tx.expired_jobs(10, MARGIN).await.unwrap();
    tx.commit().await.unwrap();
    returned
        .into_iter()
        .map(|job| (job.id, job.state))
        .collect()
}

pub(crate) async fn due_jobs_ring_with_growing_pauses(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, None).await;
    assert!(due(world).await.is_empty(), "the bell comes first");
    world.advance(2);
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(due(world).await, [id]);
        assert!(due(world).await.is_empty());
        world.advance(pause - 1);
        assert!(due(world).await.is_empty(), "before {pause} s");
        world.advance(1);
    }
    let mut tx = world.tx().await;
    assert!(
        tx.due_jobs(JobClass::Interactive, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let second = world.new_job(&acme, None);
    tx.insert_job(&second).await.unwrap();
    world.advance(60);
    let one = tx.due_jobs(JobClass::Background, 1).await.unwrap();
    assert_eq!(one, [id], "the longest unrung first");
}

pub(crate) async fn jobs_of_a_busy_project_are_left_out(world: &World) {
    let acme = world.place("acme").await;
    let running = world.queued(&acme, PROJECT).await;
    world.queued(&acme, PROJECT).await;
    let free = world.queued(&acme, None).await;
    world.taken(running).await;
    world.advance(10);
    assert_eq!(due(world).await, [free]);
    let mut tx = world.tx().await;
    assert_eq!(tx.oldest_unrung().await.unwrap(), None);
}

pub(crate) async fn a_claim_that_fails_puts_the_ring_off(world: &World) {
    let acme = world.place("acme").await;
    let first = world.queued(&acme, PROJECT).await;
    world.advance(1);
    let second = world.queued(&acme, PROJECT).await;
    world.advance(10);
    for _ in 0..3 {
        assert_eq!(world.claim(second, "w").await, Claim::Busy);
    }
    world.advance(3);
    assert_eq!(due(world).await, [first]);
    world.advance(1);
    assert_eq!(due(world).await, [first, second]);
}

pub(crate) async fn whose_turn_it_is_is_found_however_long_it_was_put_off(world: &World) {
    let acme = world.place("acme").await;
    let first = world.queued(&acme, PROJECT).await;
    world.advance(1);
    let second = world.queued(&acme, PROJECT).await;
    world.advance(10);
    let (job, lease_id) = world.taken(first).await;
    for _ in 0..6 {
        assert_eq!(world.claim(second, "w").await, Claim::Busy);
    }
    // The first is handed back, and waits for something else.
    let mut tx = world.tx().await;
    let now = tx.now().await.unwrap();
    let handback = Handback {
        id: job.id,
        lease_id,
        due_at: now + Duration::from_mins(5),
        reason: "limited",
        counts: false,
        provider_calls_add: 0,
        rate_limited_ms_add: 0,
        state: JobState::Waiting,
        error_code: None,
        project_key: None,
    };
    assert!(tx.wait_job(&handback).await.unwrap().is_some());
    let next = tx.next_in_project(PROJECT.unwrap(), now).await.unwrap();
    assert_eq!(next, Some((second, JobClass::Background)));
    tx.commit().await.unwrap();
    assert!(due(world).await.is_empty(), "the bell comes first");
    world.advance(1);
    assert_eq!(due(world).await, [second], "and then the sweeper");
    world.advance(1);
    assert_eq!(due(world).await, [second], "soon again");
}

pub(crate) async fn expired_leases_are_taken_over(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    let waiting = world.queued(&acme, PROJECT).await;
    let (_, lease_id) = world.taken(id).await;
    let claimed_at = world.now();
    world.advance(34);
    assert!(expire(world).await.is_empty(), "within the margin");
    world.advance(1);
    assert_eq!(expire(world).await, [(id, JobState::Queued)]);
    assert!(expire(world).await.is_empty());
    let job = world.snapshot(id).await;
    assert_eq!(
        (job.state, job.takeovers, job.attempt),
        (JobState::Queued, 1, 1)
    );
    assert_eq!((job.lease_id, job.due_at), (None, world.now()));
    assert_eq!(due(world).await.len(), 2, "at once");
    assert_eq!(
        world.claim(waiting, "w").await,
        Claim::Busy,
        "it still goes first"
    );
    let (job, new) = world.taken(id).await;
    assert_ne!(new, lease_id);
    assert_eq!(job.run, 2);
    let mut tx = world.tx().await;
    let [attempt] = tx.list_attempts(id).await.unwrap().try_into().unwrap();
    assert_eq!(
        (&*attempt.outcome, attempt.started_at),
        ("lost", claimed_at)
    );
    assert_eq!(&*attempt.worker, "worker-1");
}

pub(crate) async fn a_lease_from_the_future_counts_as_expired(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    world.taken(id).await;
    // As if the clock had been set back by an hour since.
    let ahead = match world.store.backend() {
        keyway_shared::store::Backend::Postgres => {
            "UPDATE jobs SET leased_at = leased_at + interval '1 hour',
                 lease_until = lease_until + interval '1 hour' WHERE id = $1"
        }
        keyway_shared::store::Backend::Sqlite => {
            "UPDATE jobs SET leased_at = replace(leased_at, 'T12:', 'T13:'),
                 lease_until = replace(lease_until, 'T12:', 'T13:') WHERE id = $1"
        }
    };
    world.meddle(ahead, &[id]).await;
    assert_eq!(expire(world).await, [(id, JobState::Queued)]);
    assert_eq!(world.snapshot(id).await.takeovers, 0, "nobody died");
}

pub(crate) async fn a_living_process_is_not_blamed(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    world.taken(id).await;
    world.advance(36);
    let mut tx = world.tx().await;
    tx.beat("worker-1", "worker", world.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(expire(world).await, [(id, JobState::Queued)]);
    assert_eq!(world.snapshot(id).await.takeovers, 0);
    world.taken(id).await;
    world.advance(36);
    assert_eq!(expire(world).await, [(id, JobState::Queued)]);
    assert_eq!(
        world.snapshot(id).await.takeovers,
        1,
        "its heart has stopped"
    );
}

pub(crate) async fn progress_forgives_takeovers(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    for _ in 0..2 {
        world.taken(id).await;
        world.advance(36);
        expire(world).await;
    }
    let (job, lease_id) = world.taken(id).await;
    assert_eq!(job.takeovers, 2);
    let mut tx = world.tx().await;
    tx.set_progress(id, lease_id, 0, 5).await.unwrap();
    assert_eq!(tx.job_snapshot(id).await.unwrap().unwrap().takeovers, 2);
    tx.set_progress(id, lease_id, 1, 5).await.unwrap();
    assert_eq!(tx.job_snapshot(id).await.unwrap().unwrap().takeovers, 0);
}

pub(crate) async fn a_cancelled_job_is_not_taken_over(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    world.taken(id).await;
    let mut tx = world.tx().await;
    tx.cancel_connection_jobs(acme.connection.id, world.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.advance(36);
    assert_eq!(expire(world).await, [(id, JobState::Cancelled)]);
    let job = world.snapshot(id).await;
    assert_eq!(job.error_code, Some(ErrorCode::Cancelled));
    assert_eq!(job.finished_at, Some(world.now()));
}

pub(crate) async fn overdue_jobs_fail(world: &World) {
    let acme = world.place("acme").await;
    let mut short = world.new_job(&acme, PROJECT);
    short.deadline_at = world.now() + Duration::from_mins(1);
    let mut running = short.clone();
    running.id = world.ambient.new_id();
    running.project_key = None;
    let short = world.job(short).await;
    let running = world.job(running).await;
    world.queued(&acme, None).await;
    world.taken(running).await;
    world.advance(59);
    let mut tx = world.tx().await;
    assert!(tx.overdue_jobs(10).await.unwrap().is_empty());
    world.advance(1);
    let overdue = tx.overdue_jobs(10).await.unwrap();
    assert_eq!(overdue, [short]);
    let job = tx.job_snapshot(short).await.unwrap().unwrap();
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.error_code, Some(ErrorCode::Deadline));
    assert_eq!(job.finished_at, Some(world.now()));
    assert!(job.error.is_some());
}

pub(crate) async fn depth_and_lateness_are_told(world: &World) {
    let acme = world.place("acme").await;
    let first = world.now();
    world.queued(&acme, None).await;
    world.advance(1);
    world.queued(&acme, None).await;
    let mut later = world.new_job(&acme, None);
    later.created_at = world.now() + Duration::from_mins(1);
    world.job(later).await;
    let mut tx = world.tx().await;
    assert_eq!(tx.oldest_unrung().await.unwrap(), None);
    let depth = tx.queue_depth().await.unwrap();
    assert_eq!(
        depth,
        [QueueDepth {
            class: JobClass::Background,
            depth: 2,
            oldest_due: Some(first)
        }]
    );
    world.advance(5);
    let oldest = tx.oldest_unrung().await.unwrap();
    assert_eq!(oldest, Some(first + Duration::from_secs(2)));
}

pub(crate) async fn running_jobs_are_released_at_start(world: &World) {
    let acme = world.place("acme").await;
    let mine = world.queued(&acme, PROJECT).await;
    let theirs = world.queued(&acme, None).await;
    world.taken(mine).await;
    assert!(matches!(
        world.claim(theirs, "host-9").await,
        Claim::Taken(_)
    ));
    let mut tx = world.tx().await;
    assert_eq!(tx.release_worker_leases(Some("host_")).await.unwrap(), 0);
    assert_eq!(tx.release_worker_leases(Some("worker-")).await.unwrap(), 1);
    assert_eq!(tx.release_worker_leases(None).await.unwrap(), 1);
    tx.commit().await.unwrap();
    for id in [mine, theirs] {
        let job = world.snapshot(id).await;
        assert_eq!((job.state, job.takeovers), (JobState::Queued, 1));
        world.taken(id).await;
    }
}
