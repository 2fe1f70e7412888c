//! Workers that stop in the middle: what they leave behind, and what they do when they wake.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use keyway_shared::domain::job::{ErrorCode, JobKind, JobState};
use keyway_shared::sync::options::Direction;
use keyway_simulator::vercel::Preset;
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use uuid::Uuid;

use super::world::World;

keyway_tests::on_both_profiles!(
    a_worker_that_slept_through_its_lease_calls_nobody_and_marks_the_project,
    a_job_is_taken_over_only_after_a_margin,
    a_job_that_kills_three_workers_is_poison_and_says_which,
);

/// The default, and what the workers here wait beyond it.
const LEASE: Duration = Duration::from_secs(30);
const MARGIN: Duration = Duration::from_secs(3);

async fn submit(world: &World) -> Uuid {
    let request = world.request(Direction::Push);
    world.submit(JobKind::Sync, request).await
}

/// Drives a run until so many calls have arrived at the provider.
pub(super) async fn drive(
    world: &World,
    run: &mut Pin<Box<impl Future<Output = ()>>>,
    calls: usize,
) {
    while world.vercel.calls() < calls {
        let turn = tokio::time::timeout(Duration::from_millis(1), &mut *run).await;
        assert!(turn.is_err(), "it ended before");
    }
}

async fn a_worker_that_slept_through_its_lease_calls_nobody_and_marks_the_project(
    profile: Profile,
) {
    let world = World::start_manual(profile, Preset::Starter).await;
    let (one, two) = (
        world.manual_worker("one").await,
        world.manual_worker("two").await,
    );
    world.set_vault(&[("A", "1")]).await;
    let id = submit(&world).await;
    world.vercel.fault(Fault::next(Action::Hang).method("POST"));
    let mut sleeper = Box::pin(one.run(id));
    drive(&world, &mut sleeper, 2).await;
    world.advance(LEASE + MARGIN + Duration::from_secs(1));
    two.sweep().await.unwrap();
    two.run(id).await;
    let ended = world.job(id).await;
    assert_eq!((ended.state, ended.run), (JobState::Succeeded, 2));
    assert_eq!(world.production("A").as_deref(), Some("1"));

    // Nothing has to be read: the write's own answer told.
    world.vercel.reset_calls();
    let unchanged = submit(&world).await;
    two.run(unchanged).await;
    assert_eq!(world.vercel.calls(), 1);

    sleeper.await;
    assert_eq!(world.vercel.calls(), 1);
    assert_eq!(world.job(id).await, ended);
    // Its write may have landed late, so that what was remembered is not relied on any more.
    world.vercel.reset_calls();
    let checked = submit(&world).await;
    two.run(checked).await;
    assert_eq!(world.job(checked).await.state, JobState::Succeeded);
    assert_eq!(world.vercel.calls(), 2, "a list and the value");
    world.stop().await;
}

/// On Postgres, where a transaction may lose against another.
#[tokio::test]
async fn the_mark_of_a_suspect_project_is_made_in_a_second_try() {
    let world = World::start_manual(Profile::Production, Preset::Starter).await;
    let (one, two) = (
        world.manual_worker("one").await,
        world.manual_worker("two").await,
    );
    world.set_vault(&[("A", "1")]).await;
    let id = submit(&world).await;
    world.vercel.fault(Fault::next(Action::Hang).method("POST"));
    let mut sleeper = Box::pin(one.run(id));
    drive(&world, &mut sleeper, 2).await;
    world.advance(LEASE + MARGIN + Duration::from_secs(1));
    two.sweep().await.unwrap();
    two.run(id).await;
    let fail_once = "CREATE SEQUENCE tries;
        CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') = 1 THEN RAISE 'lost' USING ERRCODE = '40001'; END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER fail_once BEFORE UPDATE ON destinations
            FOR EACH STATEMENT EXECUTE FUNCTION fail_once()";
    world.database.execute(fail_once).await;
    sleeper.await;
    assert_eq!(
        world.database.number("SELECT last_value FROM tries").await,
        2
    );
    let left = "SELECT COUNT(*) FROM destinations WHERE fingerprints <> '{}'";
    assert_eq!(world.database.number(left).await, 0);
    world.stop().await;
}

async fn a_job_is_taken_over_only_after_a_margin(profile: Profile) {
    let world = World::start_manual(profile, Preset::Starter).await;
    let (one, two) = (
        world.manual_worker("one").await,
        world.manual_worker("two").await,
    );
    world.set_vault(&[("A", "1")]).await;
    let id = submit(&world).await;
    world.vercel.fault(Fault::next(Action::Hang).method("GET"));
    {
        let mut run = Box::pin(one.run(id));
        drive(&world, &mut run, 1).await;
    }
    world.advance(LEASE);
    world.advance(Duration::from_millis(MARGIN.as_millis() as u64 - 1));
    two.sweep().await.unwrap();
    two.run(id).await;
    assert_eq!(world.job(id).await.run, 1);
    world.advance(Duration::from_millis(1));
    two.sweep().await.unwrap();
    two.run(id).await;
    let job = world.job(id).await;
    assert_eq!(
        (job.state, job.run, job.takeovers),
        (JobState::Succeeded, 2, 1)
    );
    world.stop().await;
}

async fn a_job_that_kills_three_workers_is_poison_and_says_which(profile: Profile) {
    let world = World::start_manual(profile, Preset::Starter).await;
    world.set_vault(&[("A", "1")]).await;
    let id = submit(&world).await;
    let hang = Fault::next(Action::Hang).method("GET");
    world.vercel.fault(hang.times(3));
    let healthy = world.manual_worker("healthy").await;
    for (calls, name) in (1..).zip(["first", "second", "third"]) {
        {
            let worker = world.manual_worker(name).await;
            let mut run = Box::pin(worker.run(id));
            drive(&world, &mut run, calls).await;
        }
        world.advance(Duration::from_mins(1));
        healthy.sweep().await.unwrap();
    }
    healthy.run(id).await;
    assert_eq!(world.vercel.calls(), 3, "it is not run a fourth time");
    let job = world.job(id).await;
    assert_eq!(
        (job.state, job.error_code),
        (JobState::Failed, Some(ErrorCode::Poison))
    );
    let error = job.error.unwrap_or_default();
    let mut tx = world.store.begin_read().await.unwrap();
    let attempts = tx.list_attempts(id).await.unwrap();
    drop(tx);
    assert_eq!(attempts.len(), 4);
    for (attempt, name) in attempts.iter().zip(["first", "second", "third"]) {
        assert_eq!(attempt.outcome, "lost");
        assert!(attempt.worker.starts_with(name));
        let told = format!("run {} on {}, begun at ", attempt.run, attempt.worker);
        assert!(error.contains(&told), "{error}");
    }
    assert!(!error.contains("healthy"), "{error}");
    world.stop().await;
}
