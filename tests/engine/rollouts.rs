//! Putting into effect what a push wrote.

use std::sync::Arc;
use std::time::Duration;

use keyway_shared::domain::auto_sync::{AutoAction, AutoSync};
use keyway_shared::domain::job::{ErrorCode, JobKind, JobState};
use keyway_shared::providers::capabilities::{Reading, Rollout};
use keyway_shared::providers::{Descriptor, ProviderError};
use keyway_shared::sync::options::{Direction, SyncRequest};
use keyway_simulator::vercel::{EnvSeed, Preset};
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use keyway_tests::posing::{Fate, Posing};
use serde_json::{Value, json};

use super::link_runs::hourly;
use super::world::{Ended, PROJECT, World};

keyway_tests::on_both_profiles!(
    what_was_written_is_rolled_out_when_that_is_asked_for,
    what_is_not_a_full_success_is_not_rolled_out,
    a_part_that_keeps_the_old_values_is_told_and_tried_again,
    a_rollout_that_failed_as_a_whole_is_made_up_for,
    what_may_pass_is_tried_again_and_the_wish_stays,
    a_job_whose_rollout_never_works_tells_what_it_wrote,
    a_run_that_dies_in_a_rollout_is_followed_by_one_that_rolls_out,
    a_link_rolls_out_until_it_is_done,
    a_link_does_not_roll_out_for_what_it_cannot_know,
    a_deployment_that_may_have_begun_is_not_begun_again,
);

const LEASE: Duration = Duration::from_secs(30);

fn has_machines(provider: &mut Descriptor) {
    provider.writes.rollout = Some(Rollout::Machines);
}

async fn start(profile: Profile) -> (World, Arc<Posing>) {
    let (world, provider) = World::start_posing(profile, Preset::Starter, has_machines).await;
    world.set_vault(&[("A", "1")]).await;
    (world, provider)
}

fn request(world: &World) -> SyncRequest {
    SyncRequest {
        rollout: true,
        ..world.request(Direction::Push)
    }
}

async fn push(world: &World) -> Ended {
    world.run(JobKind::Sync, request(world)).await
}

/// What is told of the values' way into effect.
fn told(result: &Value) -> (&Value, &Value, &Value) {
    (
        &result["status"],
        &result["redeployRequired"],
        &result["errorCode"],
    )
}

async fn what_was_written_is_rolled_out_when_that_is_asked_for(profile: Profile) {
    let (world, provider) = start(profile).await;
    let pushed = push(&world).await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    assert_eq!(
        pushed.result["rollout"],
        json!([
            {"unit": "id-web", "name": "web", "status": "done"},
            {"unit": "id-worker", "name": "worker", "status": "done"},
        ])
    );
    assert_eq!(pushed.result["redeployRequired"], false);
    // Nothing changed, and nothing is left to do.
    let pushed = push(&world).await;
    assert_eq!(pushed.result.get("rollout"), None);
    assert_eq!(provider.rollouts(), 1);
    // Nobody asks for it.
    world.set_vault(&[("A", "2")]).await;
    let pushed = world.push().await;
    assert_eq!(pushed.result["redeployRequired"], true);
    assert_eq!(pushed.result.get("rollout"), None);
    // What that wrote was not to be rolled out.
    push(&world).await;
    assert_eq!(provider.rollouts(), 1);
    // A deletion is a change as well.
    let mut request = request(&world);
    request.allow_delete = true;
    let old = EnvSeed::new("OLD", "1", &["production"]);
    world.vercel.add_env(PROJECT, &old);
    let pushed = world.run(JobKind::Sync, request).await;
    assert_eq!(pushed.result["deleted"], 1);
    assert_eq!(provider.rollouts(), 2);
    world.stop().await;
}

async fn what_is_not_a_full_success_is_not_rolled_out(profile: Profile) {
    let (world, provider) = start(profile).await;
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    let keys = vec!["B".into()];
    let code = "INVALID_VALUE".into();
    let refused = Fault::next(Action::FailKeys { keys, code }).method("POST");
    world.vercel.fault(refused);
    let pushed = push(&world).await;
    assert_eq!(pushed.job.state, JobState::Partial);
    assert_eq!(pushed.result["redeployRequired"], true);
    assert_eq!(provider.rollouts(), 0);
    // With the rest it goes into effect, also when that is in place without us.
    let row = EnvSeed::new("B", "2", &["production"]);
    world.vercel.add_env(PROJECT, &row);
    let pushed = push(&world).await;
    assert_eq!(pushed.result["skipped"], 2);
    assert_eq!(provider.rollouts(), 1);
    assert_eq!(pushed.result["redeployRequired"], false);
    world.stop().await;
}

async fn a_part_that_keeps_the_old_values_is_told_and_tried_again(profile: Profile) {
    let (world, provider) = start(profile).await;
    provider.next_rollouts([Fate::Half, Fate::Half]);
    let pushed = push(&world).await;
    let failed = (&json!("partial"), &json!(true), &json!("rollout-failed"));
    assert_eq!(told(&pushed.result), failed);
    assert_eq!(
        pushed.result["rollout"][1],
        json!({"unit": "id-worker", "name": "worker", "status": "failed", "code": "conflict",
            "message": "somebody else has it"})
    );
    let error = pushed.job.error.unwrap();
    assert!(error.contains("1 of 2 did not get it: worker"), "{error}");
    assert_eq!(
        (&pushed.result["created"], &pushed.result["failed"]),
        (&json!(1), &json!(0))
    );
    // The same sync again, of which nothing but this is left.
    let pushed = push(&world).await;
    assert_eq!(told(&pushed.result), failed);
    let pushed = push(&world).await;
    let done = (&json!("success"), &json!(false), &Value::Null);
    assert_eq!(told(&pushed.result), done);
    assert_eq!(pushed.result["rollout"].as_array().map(Vec::len), Some(2));
    assert_eq!(provider.rollouts(), 3);
    world.stop().await;
}

async fn a_rollout_that_failed_as_a_whole_is_made_up_for(profile: Profile) {
    let (world, provider) = start(profile).await;
    provider.next_rollouts([Fate::Fails(ProviderError::NotFound)]);
    let pushed = push(&world).await;
    let failed = (&json!("partial"), &json!(true), &json!("rollout-failed"));
    assert_eq!(told(&pushed.result), failed);
    assert_eq!(pushed.result.get("rollout"), None);
    assert_eq!(world.production("A").as_deref(), Some("1"));
    // A look at the list that fails changes nothing of that.
    let gone = Action::Respond {
        status: 404,
        headers: [].into(),
        body: r#"{"error":{"code":"not_found","message":"gone"}}"#.into(),
    };
    world.vercel.fault(Fault::next(gone).method("GET"));
    assert_eq!(push(&world).await.job.state, JobState::Failed);
    let pushed = push(&world).await;
    assert_eq!(pushed.result["redeployRequired"], false);
    assert_eq!(provider.rollouts(), 2);
    world.stop().await;
}

async fn what_may_pass_is_tried_again_and_the_wish_stays(profile: Profile) {
    let (world, provider) = start(profile).await;
    let unavailable = Fate::Fails(ProviderError::Unavailable);
    provider.next_rollouts([unavailable, Fate::Fails(ProviderError::OutcomeUnknown)]);
    let pushed = push(&world).await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    assert_eq!(pushed.job.run, 3);
    assert_eq!(pushed.result["created"], 1);
    assert_eq!(pushed.result["redeployRequired"], false);
    assert_eq!(provider.rollouts(), 3);
    let writes = world.vercel.requests();
    let writes = writes.iter().filter(|request| request.method == "POST");
    assert_eq!(writes.count(), 1);
    world.stop().await;
}

async fn a_job_whose_rollout_never_works_tells_what_it_wrote(profile: Profile) {
    let (world, provider) = start(profile).await;
    let never = std::iter::repeat_n(Fate::Fails(ProviderError::Protocol), 5);
    provider.next_rollouts(never);
    let pushed = push(&world).await;
    assert_eq!(pushed.job.state, JobState::Partial, "{}", pushed.result);
    assert_eq!(pushed.job.error_code, Some(ErrorCode::ProviderError));
    assert_eq!(
        (
            &pushed.result["created"],
            &pushed.result["redeployRequired"]
        ),
        (&json!(1), &json!(true))
    );
    push(&world).await;
    assert_eq!(provider.rollouts(), 6);
    world.stop().await;
}

async fn a_run_that_dies_in_a_rollout_is_followed_by_one_that_rolls_out(profile: Profile) {
    let mut world = World::start_manual(profile, Preset::Starter).await;
    let provider = world.pose(has_machines);
    let (one, two) = (
        world.manual_worker("one").await,
        world.manual_worker("two").await,
    );
    world.set_vault(&[("A", "1")]).await;
    provider.next_rollouts([Fate::Hangs]);
    let id = world.submit(JobKind::Sync, request(&world)).await;
    {
        let mut run = Box::pin(one.run(id));
        while provider.rollouts() == 0 {
            let turn = tokio::time::timeout(Duration::from_millis(1), &mut run).await;
            assert!(turn.is_err(), "it ended before");
        }
    }
    world.advance(LEASE * 2);
    two.sweep().await.unwrap();
    two.run(id).await;
    let ended = world.ended(id).await;
    assert_eq!(ended.job.state, JobState::Succeeded, "{}", ended.result);
    assert_eq!((ended.job.run, provider.rollouts()), (2, 2));
    assert_eq!(ended.result["created"], 1);
    assert_eq!(ended.result["rollout"][1]["status"], "done");
    world.stop().await;
}

async fn a_link_rolls_out_until_it_is_done(profile: Profile) {
    let mut world = World::start_manual(profile, Preset::Starter).await;
    let provider = world.pose(has_machines);
    let mut link = world.link(AutoSync::OnChange);
    link.rollout = true;
    world.save_link(&link).await;
    let worker = world.manual_worker("worker").await;
    world.set_vault(&[("A", "1")]).await;
    provider.next_rollouts([Fate::Half]);
    for state in [JobState::Partial, JobState::Succeeded] {
        world.advance(Duration::from_mins(2));
        worker.schedule().await.unwrap();
        let job = world.jobs().await.pop().unwrap();
        worker.run(job.id).await;
        assert_eq!(world.job(job.id).await.state, state);
    }
    assert_eq!(provider.rollouts(), 2);
    assert_eq!(world.find_link(link.id).await.upkeep.failures, 0);
    world.advance(Duration::from_hours(1));
    worker.schedule().await.unwrap();
    assert_eq!(world.jobs().await.len(), 2);
    world.stop().await;
}

/// A value that nobody can read and whose row shows that it was written, by whom nobody knows: it is written
/// at each run. That is no reason to deploy each time, but where the stamp is of the value itself.
async fn a_link_does_not_roll_out_for_what_it_cannot_know(profile: Profile) {
    for (reading, rollouts) in [(Reading::Single, 1), (Reading::Digest, 3)] {
        let mut world = World::start_manual(profile, Preset::Starter).await;
        let provider = world.pose(|provider| {
            has_machines(provider);
            provider.values.reading = reading;
        });
        let sensitive = EnvSeed {
            kind: "sensitive".to_owned(),
            ..EnvSeed::new("HIDDEN", "theirs-1", &["production"])
        };
        let id = world.vercel.add_env(PROJECT, &sensitive);
        let mut link = world.link(hourly(AutoAction::Write));
        link.rollout = true;
        world.save_link(&link).await;
        let worker = world.manual_worker("worker").await;
        world.set_vault(&[("HIDDEN", "ours-1")]).await;
        for run in 1..=3 {
            world.advance(Duration::from_hours(2));
            worker.schedule().await.unwrap();
            let job = world.jobs().await.pop().unwrap();
            worker.run(job.id).await;
            assert_eq!(world.job(job.id).await.state, JobState::Succeeded);
            assert_eq!(world.production("HIDDEN").as_deref(), Some("ours-1"));
            world
                .vercel
                .edit_env(PROJECT, &id, &format!("theirs-{run}"));
        }
        assert_eq!(provider.rollouts(), rollouts, "{reading}");
        world.stop().await;
    }
}

async fn a_deployment_that_may_have_begun_is_not_begun_again(profile: Profile) {
    let redeploys = |provider: &mut Descriptor| provider.writes.rollout = Some(Rollout::Redeploy);
    let (world, provider) = World::start_posing(profile, Preset::Starter, redeploys).await;
    world.set_vault(&[("A", "1")]).await;
    provider.next_rollouts([Fate::Fails(ProviderError::OutcomeUnknown)]);
    let pushed = push(&world).await;
    let failed = (&json!("partial"), &json!(true), &json!("rollout-failed"));
    assert_eq!(told(&pushed.result), failed);
    assert_eq!(push(&world).await.job.state, JobState::Succeeded);
    assert_eq!(provider.rollouts(), 1);
    world.stop().await;
}
