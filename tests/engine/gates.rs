//! Limits and outages of the provider: what jobs do about them, with a clock that stands.

use std::time::Duration;

use keyway_shared::domain::job::{JobKind, JobState};
use keyway_shared::sync::options::Direction;
use keyway_simulator::vercel::{EnvSeed, Preset};
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use uuid::Uuid;

use super::world::{PROJECT, World};

keyway_tests::on_both_profiles!(
    what_one_job_was_told_all_heed,
    what_was_closed_is_remembered_in_sql,
    an_outage_is_waited_for_and_costs_no_attempts,
    a_pull_of_more_values_than_a_minute_takes_comes_to_its_end,
);

fn refusal(seconds: u64) -> Action {
    Action::Respond {
        status: 429,
        headers: [("retry-after".to_owned(), seconds.to_string())].into(),
        body: r#"{"error":{"code":"rate_limited","message":"slow down"}}"#.into(),
    }
}

async fn ask(world: &World) -> Uuid {
    let request = world.request(Direction::Push);
    world.submit(JobKind::Preview, request).await
}

async fn what_one_job_was_told_all_heed(profile: Profile) {
    let world = World::start_manual(profile, Preset::Starter).await;
    let (one, two) = (
        world.manual_worker("one").await,
        world.manual_worker("two").await,
    );
    world.vercel.fault(Fault::next(refusal(30)));
    let (first, second, third) = (ask(&world).await, ask(&world).await, ask(&world).await);
    one.run(first).await;
    two.run(second).await;
    one.run(third).await;
    // Only the first one called.
    assert_eq!(world.vercel.calls(), 1);
    let mut times = Vec::new();
    for id in [first, second, third] {
        let job = world.job(id).await;
        assert_eq!((job.state, job.attempt), (JobState::Waiting, 0));
        assert_eq!(job.waiting_reason.as_deref(), Some("rate-limited"));
        let wait = job.due_at - world.ambient.now();
        assert!((30..=34).contains(&wait.num_seconds()), "{wait}");
        times.push(job.due_at);
    }
    times.dedup();
    assert_eq!(times.len(), 3, "they do not wake at once");
    // Who comes when the time is over is the trial; whoever meets it looks again a moment later.
    world.advance(Duration::from_secs(35));
    world.vercel.fault(Fault::next(Action::Hang));
    {
        let trial = one.run(first);
        tokio::pin!(trial);
        while world.vercel.calls() < 2 {
            let turn = tokio::time::timeout(Duration::from_millis(1), &mut trial).await;
            assert!(turn.is_err(), "its call is not answered");
        }
        two.run(second).await;
        let job = world.job(second).await;
        assert_eq!(job.state, JobState::Waiting);
        assert!(job.due_at - world.ambient.now() < chrono::TimeDelta::seconds(3));
        assert_eq!(world.vercel.calls(), 2);
    }
    // The trial's process is dead; after a while another is the trial, and then all may call.
    world.advance(Duration::from_secs(40));
    two.sweep().await.unwrap();
    for id in [second, third, first] {
        two.run(id).await;
        assert_eq!(world.job(id).await.state, JobState::Succeeded);
    }
    world.stop().await;
}

async fn what_was_closed_is_remembered_in_sql(profile: Profile) {
    let world = World::start_manual(profile, Preset::Starter).await;
    let worker = world.manual_worker("one").await;
    world.vercel.fault(Fault::next(refusal(60)));
    let first = ask(&world).await;
    worker.run(first).await;
    // As after a restart, or with another and empty Redis.
    let world = world.with_new_queue(profile).await;
    let worker = world.manual_worker("two").await;
    world.advance(Duration::from_secs(10));
    let second = ask(&world).await;
    worker.run(second).await;
    let job = world.job(second).await;
    assert_eq!(job.waiting_reason.as_deref(), Some("rate-limited"));
    assert!(job.due_at >= world.job(first).await.due_at - chrono::TimeDelta::seconds(7));
    assert_eq!(world.vercel.calls(), 1);
    world.advance(Duration::from_secs(70));
    for id in [first, second] {
        worker.run(id).await;
        assert_eq!(world.job(id).await.state, JobState::Succeeded);
    }
    world.stop().await;
}

async fn an_outage_is_waited_for_and_costs_no_attempts(profile: Profile) {
    let world = World::start_manual(profile, Preset::Starter).await;
    let worker = world.manual_worker("one").await;
    world.set_vault(&[("A", "1")]).await;
    let down = Fault::next(Action::ResetBefore).times(1_000);
    world.vercel.fault(down);
    let id = world
        .submit(JobKind::Sync, world.request(Direction::Push))
        .await;
    let mut job = world.job(id).await;
    for _ in 0..5 {
        worker.run(id).await;
        job = world.job(id).await;
        assert_eq!(job.state, JobState::Waiting);
        world.advance(Duration::from_secs(1));
    }
    // The fifth failure would have ended it. It was the one too many for everybody.
    assert_eq!(job.waiting_reason.as_deref(), Some("provider-unavailable"));
    assert_eq!(job.attempt, 4);
    let other = ask(&world).await;
    worker.run(other).await;
    let calls = world.vercel.calls();
    assert_eq!(calls, 5);
    let waits = world.job(other).await;
    assert_eq!(
        waits.waiting_reason.as_deref(),
        Some("provider-unavailable")
    );
    assert_eq!((waits.state, waits.attempt), (JobState::Waiting, 0));
    // An hour of it: one call now and then, and nobody fails.
    for _ in 0..20 {
        world.advance(Duration::from_mins(3));
        worker.run(id).await;
        worker.run(other).await;
    }
    assert_eq!(world.vercel.calls(), calls + 20);
    assert_eq!(world.job(id).await.attempt, 4);
    world.vercel.clear_faults();
    world.advance(Duration::from_mins(3));
    for id in [id, other] {
        worker.run(id).await;
        assert_eq!(world.job(id).await.state, JobState::Succeeded);
    }
    assert_eq!(world.production("A").as_deref(), Some("1"));
    world.stop().await;
}

/// Reads of a pull stay with it: it waits for the next minute where it is.
async fn a_pull_of_more_values_than_a_minute_takes_comes_to_its_end(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    for n in 0..25 {
        let seed = EnvSeed::new(&format!("KEY_{n}"), "1", &["production"]);
        world.vercel.add_env(PROJECT, &seed);
    }
    world.vercel.set(|options| {
        options.budgets = [("env-retrieval".to_owned(), 10)].into();
        options.window = Duration::from_millis(400);
    });
    let pulled = world
        .run(JobKind::Sync, world.request(Direction::Pull))
        .await;
    assert_eq!(pulled.job.state, JobState::Succeeded, "{}", pulled.result);
    assert_eq!(pulled.result["created"], 25);
    let lists = world.vercel.requests();
    let lists = lists.iter().filter(|call| call.path.ends_with("/env"));
    assert!(
        lists.count() <= 2,
        "it does not begin again with each minute"
    );
    world.stop().await;
}
