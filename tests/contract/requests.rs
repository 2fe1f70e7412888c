//! Asking for jobs more than once, and taking it back.

use std::time::Duration;

use keyway_shared::domain::job::{ErrorCode, JobClass, JobState, NewJob};
use keyway_shared::store::{Accepted, Cancelled, Claim};
use keyway_shared::sync::options::Direction;
use uuid::Uuid;

use crate::world::World;

const PROJECT: Option<&str> = Some("vercel|x|prj_1");

async fn ask(world: &World, job: &NewJob) -> Accepted {
    let mut tx = world.tx().await;
    let accepted = tx.accept_job(job).await.unwrap();
    tx.commit().await.unwrap();
    accepted
}

async fn cancel(world: &World, id: Uuid, for_all: bool) -> Cancelled {
    let mut tx = world.tx().await;
    let cancelled = tx.cancel_job(id, for_all, world.now()).await.unwrap();
    tx.commit().await.unwrap();
    cancelled
}

/// The same request once more.
fn again(world: &World, job: &NewJob) -> NewJob {
    NewJob {
        id: world.ambient.new_id(),
        created_at: world.now(),
        ..job.clone()
    }
}

pub(crate) async fn an_equal_job_that_has_not_started_is_joined(world: &World) {
    let acme = world.place("acme").await;
    let first = world.new_job(&acme, PROJECT);
    assert_eq!(ask(world, &first).await, Accepted::New);
    world.advance(1);
    let second = again(world, &first);
    assert_eq!(ask(world, &second).await, Accepted::Joined(first.id));
    let mut tx = world.tx().await;
    assert_eq!(tx.job_snapshot(second.id).await.unwrap(), None);
    let view = tx.find_job(acme.user.id, first.id).await.unwrap().unwrap();
    assert_eq!(view.requests, 2);
    assert_eq!(view.job.created_at, first.created_at, "its turn stays");
}

pub(crate) async fn what_differs_is_not_joined(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let first = world.new_job(&acme, PROJECT);
    assert_eq!(ask(world, &first).await, Accepted::New);
    let mut pull = again(world, &first);
    pull.request.direction = Direction::Pull;
    let mut verified = again(world, &first);
    verified.request.verify = true;
    let mut planned = again(world, &first);
    planned.request.plan_id = Some(world.ambient.new_id());
    let mut staging = again(world, &first);
    staging.environment_id = acme.staging.id;
    let mut connection = again(world, &first);
    connection.connection_id = other.connection.id;
    let mut user = again(world, &first);
    user.user_id = other.user.id;
    for job in [pull, verified, planned, staging, connection, user] {
        assert_eq!(ask(world, &job).await, Accepted::New, "{job:?}");
    }
    // Nor is what was never meant to be.
    let alone = again(world, &first);
    world.job(alone).await;
    assert_eq!(
        ask(world, &again(world, &first)).await,
        Accepted::Joined(first.id)
    );
}

pub(crate) async fn joining_raises_the_class_and_brings_it_forward(world: &World) {
    let acme = world.place("acme").await;
    let mut first = world.new_job(&acme, PROJECT);
    first.created_at = world.now() + Duration::from_mins(1);
    assert_eq!(ask(world, &first).await, Accepted::New);
    let mut second = again(world, &first);
    second.class = JobClass::Interactive;
    assert_eq!(ask(world, &second).await, Accepted::Joined(first.id));
    let job = world.snapshot(first.id).await;
    assert_eq!(
        (job.class, job.due_at),
        (JobClass::Interactive, world.now())
    );
    // A later request of a lower class takes nothing back.
    world.advance(1);
    let third = again(world, &first);
    assert_eq!(ask(world, &third).await, Accepted::Joined(first.id));
    let same = world.snapshot(first.id).await;
    assert_eq!((same.class, same.due_at), (job.class, job.due_at));
}

pub(crate) async fn a_job_that_has_started_is_not_joined(world: &World) {
    let acme = world.place("acme").await;
    let first = world.new_job(&acme, PROJECT);
    ask(world, &first).await;
    let (_, lease_id) = world.taken(first.id).await;
    let second = again(world, &first);
    assert_eq!(ask(world, &second).await, Accepted::New);
    // Back in the queue it stands beside the other, and the other is the one to join.
    let mut tx = world.tx().await;
    let handback = crate::handbacks::handback(world, first.id, lease_id, false);
    let queued = keyway_shared::store::Handback {
        state: JobState::Queued,
        ..handback
    };
    assert!(tx.wait_job(&queued).await.unwrap().is_some());
    tx.commit().await.unwrap();
    assert_eq!(world.snapshot(first.id).await.attempt, 0);
    let third = again(world, &first);
    assert_eq!(ask(world, &third).await, Accepted::Joined(second.id));
}

/// It is claimed between the look and the write of the one who would join it.
pub(crate) async fn a_job_that_starts_meanwhile_is_not_joined(world: &World) {
    let acme = world.place("acme").await;
    for _ in 0..10 {
        let first = world.new_job(&acme, None);
        ask(world, &first).await;
        let second = again(world, &first);
        let (accepted, claim) =
            tokio::join!(ask(world, &second), world.claim(first.id, "worker-1"));
        assert!(matches!(claim, Claim::Taken(_)), "{claim:?}");
        if accepted == Accepted::New {
            // It lost the race, and waits for its own start.
            assert_eq!(world.snapshot(second.id).await.state, JobState::Queued);
            world.taken(second.id).await;
        } else {
            assert_eq!(accepted, Accepted::Joined(first.id));
        }
    }
}

pub(crate) async fn two_equal_requests_at_once_are_one_job(world: &World) {
    let acme = world.place("acme").await;
    for _ in 0..10 {
        let first = world.new_job(&acme, None);
        let second = again(world, &first);
        let accepted = tokio::join!(ask(world, &first), ask(world, &second));
        let id = match accepted {
            (Accepted::New, Accepted::Joined(id)) => {
                assert_eq!(id, first.id);
                id
            }
            (Accepted::Joined(id), Accepted::New) => {
                assert_eq!(id, second.id);
                id
            }
            other => panic!("{other:?}"),
        };
        world.taken(id).await;
    }
}

pub(crate) async fn the_last_request_taken_back_ends_the_job(world: &World) {
    let acme = world.place("acme").await;
    let first = world.new_job(&acme, PROJECT);
    ask(world, &first).await;
    ask(world, &again(world, &first)).await;
    assert_eq!(cancel(world, first.id, false).await, Cancelled::Detached);
    let job = world.snapshot(first.id).await;
    assert_eq!((job.state, job.cancel_requested), (JobState::Queued, false));
    assert_eq!(cancel(world, first.id, false).await, Cancelled::Ended);
    let job = world.snapshot(first.id).await;
    assert_eq!(job.state, JobState::Cancelled);
    assert_eq!(job.error_code, Some(ErrorCode::Cancelled));
    assert_eq!(job.finished_at, Some(world.now()));
    assert_eq!(cancel(world, first.id, false).await, Cancelled::TooLate);
    // A cancelled job is not joined either.
    assert_eq!(ask(world, &again(world, &first)).await, Accepted::New);
}

pub(crate) async fn a_job_is_cancelled_for_all(world: &World) {
    let acme = world.place("acme").await;
    let first = world.new_job(&acme, PROJECT);
    ask(world, &first).await;
    ask(world, &again(world, &first)).await;
    assert_eq!(cancel(world, first.id, true).await, Cancelled::Ended);
    let nothing = world.ambient.new_id();
    assert_eq!(cancel(world, nothing, true).await, Cancelled::TooLate);
}

pub(crate) async fn a_running_job_is_asked_to_stop(world: &World) {
    let acme = world.place("acme").await;
    let first = world.new_job(&acme, PROJECT);
    ask(world, &first).await;
    world.taken(first.id).await;
    for _ in 0..2 {
        assert_eq!(cancel(world, first.id, false).await, Cancelled::Asked);
    }
    let job = world.snapshot(first.id).await;
    assert_eq!((job.state, job.cancel_requested), (JobState::Running, true));
}

pub(crate) async fn a_retry_names_the_job_before(world: &World) {
    let acme = world.place("acme").await;
    let first = world.queued(&acme, PROJECT).await;
    let mut retry = world.new_job(&acme, PROJECT);
    retry.retry_of = Some(first);
    ask(world, &retry).await;
    assert_eq!(world.snapshot(retry.id).await.retry_of, Some(first));
}
