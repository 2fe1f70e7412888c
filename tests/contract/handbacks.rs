//! Ending runs.

use std::time::Duration;

use keyway_shared::domain::job::{ErrorCode, JobState};
use keyway_shared::store::{Claim, Handback, Settlement};
use serde_json::json;
use uuid::Uuid;

use crate::world::{LEASE, MARGIN, World};

const PROJECT: Option<&str> = Some("vercel|x|prj_1");

fn settlement(id: Uuid, lease_id: Uuid) -> Settlement {
    Settlement {
        id,
        lease_id,
        state: JobState::Partial,
        error_code: Some(ErrorCode::Rejected),
        error: Some("1 of 2 keys failed.".to_owned()),
        provider_calls_add: 4,
        rate_limited_ms_add: 250,
        progress_done: 2,
        progress_total: 2,
    }
}

pub(crate) fn handback(world: &World, id: Uuid, lease_id: Uuid, counts: bool) -> Handback<'static> {
    Handback {
        id,
        lease_id,
        due_at: world.now() + Duration::from_mins(1),
        reason: "rate-limited",
        counts,
        provider_calls_add: 1,
        rate_limited_ms_add: 60_000,
        state: JobState::Waiting,
        error_code: Some(ErrorCode::RateLimited),
        project_key: None,
    }
}

pub(crate) async fn settling_ends_a_job_and_keeps_its_history(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    let (_, lease_id) = world.taken(id).await;
    let claimed_at = world.now();
    world.advance(3);
    let mut tx = world.tx().await;
    let ended = tx.settle_job(&settlement(id, lease_id)).await.unwrap();
    assert_eq!(ended, Some(world.now()));
    let again = tx.settle_job(&settlement(id, lease_id)).await.unwrap();
    assert_eq!(again, None, "once");
    let (outcomes, result) = (json!(["outcome"]), json!({"status": "partial"}));
    tx.write_report(id, Some(&outcomes), Some(&result))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let job = world.snapshot(id).await;
    assert_eq!(job.state, JobState::Partial);
    assert_eq!(job.error_code, Some(ErrorCode::Rejected));
    assert_eq!((job.provider_calls, job.rate_limited_ms), (4, 250));
    assert_eq!((job.progress_done, job.progress_total), (2, 2));
    assert_eq!(job.finished_at, Some(world.now()));
    assert_eq!((job.lease_id, job.lease_until), (None, None));
    assert_eq!(world.claim(id, "w").await, Claim::Gone);
    let mut tx = world.tx().await;
    let [attempt] = tx.list_attempts(id).await.unwrap().try_into().unwrap();
    assert_eq!((attempt.run, &*attempt.worker), (1, "worker-1"));
    assert_eq!(
        (attempt.started_at, attempt.finished_at),
        (claimed_at, world.now())
    );
    assert_eq!(attempt.outcome, "partial");
    assert_eq!(attempt.error_code, Some(ErrorCode::Rejected));
    let report = tx.find_report(id).await.unwrap().unwrap();
    assert_eq!(report.outcomes, Some(json!(["outcome"])));
    assert_eq!(report.result, Some(json!({"status": "partial"})));
}

pub(crate) async fn a_lost_lease_settles_nothing(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    let (_, old) = world.taken(id).await;
    world.advance(36);
    let mut tx = world.tx().await;
    assert_eq!(tx.expired_jobs(10, MARGIN).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    let (_, new) = world.taken(id).await;
    let mut tx = world.tx().await;
    assert_eq!(tx.settle_job(&settlement(id, old)).await.unwrap(), None);
    assert_eq!(
        tx.wait_job(&handback(world, id, old, true)).await.unwrap(),
        None
    );
    assert!(!tx.record_plan(id, old, &json!(["old"])).await.unwrap());
    tx.set_progress(id, old, 9, 9).await.unwrap();
    tx.commit().await.unwrap();
    let job = world.snapshot(id).await;
    assert_eq!((job.state, job.lease_id), (JobState::Running, Some(new)));
    assert_eq!((job.progress_done, job.provider_calls), (0, 0));
    let mut tx = world.tx().await;
    assert_eq!(tx.find_report(id).await.unwrap(), None);
    let attempts = tx.list_attempts(id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome, "lost");
    assert!(tx.settle_job(&settlement(id, new)).await.unwrap().is_some());
}

pub(crate) async fn a_wait_that_does_not_count_gives_the_attempt_back(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    let (job, lease_id) = world.taken(id).await;
    assert_eq!(job.attempt, 1);
    let mut tx = world.tx().await;
    assert!(
        tx.wait_job(&handback(world, id, lease_id, false))
            .await
            .unwrap()
            .is_some()
    );
    tx.commit().await.unwrap();
    let job = world.snapshot(id).await;
    assert_eq!((job.state, job.attempt, job.run), (JobState::Waiting, 0, 1));
    assert_eq!(job.waiting_reason.as_deref(), Some("rate-limited"));
    assert_eq!(job.error_code, Some(ErrorCode::RateLimited));
    assert_eq!(job.due_at, world.now() + Duration::from_mins(1));
    assert_eq!(world.claim(id, "w").await, Claim::Busy, "not due");
    world.advance(60);
    let (job, lease_id) = world.taken(id).await;
    assert_eq!((job.attempt, job.run), (1, 2));
    assert_eq!((job.waiting_reason, job.error_code), (None, None));
    let mut tx = world.tx().await;
    assert!(
        tx.wait_job(&handback(world, id, lease_id, true))
            .await
            .unwrap()
            .is_some()
    );
    tx.commit().await.unwrap();
    let job = world.snapshot(id).await;
    assert_eq!((job.attempt, job.run), (1, 2));
    assert_eq!((job.provider_calls, job.rate_limited_ms), (2, 120_000));
}

pub(crate) async fn a_waiting_job_has_released_its_project(world: &World) {
    let acme = world.place("acme").await;
    let first = world.queued(&acme, PROJECT).await;
    world.advance(1);
    let second = world.queued(&acme, PROJECT).await;
    let (_, lease_id) = world.taken(first).await;
    let mut tx = world.tx().await;
    tx.wait_job(&handback(world, first, lease_id, false))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let (_, lease_id) = world.taken(second).await;
    world.advance(60);
    assert_eq!(world.claim(first, "w").await, Claim::Busy);
    let mut tx = world.tx().await;
    assert!(
        tx.settle_job(&settlement(second, lease_id))
            .await
            .unwrap()
            .is_some()
    );
    tx.commit().await.unwrap();
    world.taken(first).await;
}

pub(crate) async fn a_handback_of_a_cancelled_job_ends_it(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    let (_, lease_id) = world.taken(id).await;
    let mut tx = world.tx().await;
    tx.cancel_connection_jobs(acme.connection.id, world.now())
        .await
        .unwrap();
    assert!(
        tx.wait_job(&handback(world, id, lease_id, true))
            .await
            .unwrap()
            .is_some()
    );
    tx.commit().await.unwrap();
    let job = world.snapshot(id).await;
    assert_eq!(job.state, JobState::Cancelled);
    assert_eq!(job.error_code, Some(ErrorCode::Cancelled));
    assert_eq!(job.finished_at, Some(world.now()));
}

pub(crate) async fn a_recorded_plan_outlives_the_settlement(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, PROJECT).await;
    let (_, lease_id) = world.taken(id).await;
    let mut tx = world.tx().await;
    assert!(
        tx.record_plan(id, lease_id, &json!(["first"]))
            .await
            .unwrap()
    );
    assert!(
        tx.record_plan(id, lease_id, &json!(["second"]))
            .await
            .unwrap()
    );
    assert!(
        tx.settle_job(&settlement(id, lease_id))
            .await
            .unwrap()
            .is_some()
    );
    let (outcomes, result) = (json!(["outcome"]), json!({"status": "partial"}));
    tx.write_report(id, Some(&outcomes), Some(&result))
        .await
        .unwrap();
    let report = tx.find_report(id).await.unwrap().unwrap();
    assert_eq!(report.planned, Some(json!(["second"])));
    assert_eq!(report.outcomes, Some(json!(["outcome"])));
}

pub(crate) async fn disconnecting_cancels_jobs(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let running = world.queued(&acme, None).await;
    world.taken(running).await;
    let queued = world.queued(&acme, PROJECT).await;
    let foreign = world.queued(&other, None).await;
    let mut tx = world.tx().await;
    let mut told = tx
        .cancel_connection_jobs(acme.connection.id, world.now())
        .await
        .unwrap();
    told.sort_unstable();
    assert_eq!(
        told,
        [(running, JobState::Running), (queued, JobState::Cancelled)]
    );
    tx.commit().await.unwrap();
    assert_eq!(world.snapshot(queued).await.state, JobState::Cancelled);
    let job = world.snapshot(running).await;
    assert_eq!((job.state, job.cancel_requested), (JobState::Running, true));
    assert_eq!(job.lease_until, Some(world.now() + LEASE));
    assert!(!world.snapshot(foreign).await.cancel_requested);
}
