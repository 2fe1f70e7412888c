//! Saved plans in the engine, and previews beside jobs that write.

use keyway_shared::domain::job::{ErrorCode, JobKind, JobState};
use keyway_shared::sync::options::{Direction, SyncRequest};
use keyway_simulator::vercel::{EnvSeed, Preset};
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use serde_json::json;

use super::world::{PROJECT, World};

keyway_tests::on_both_profiles!(
    a_plan_that_is_resumed_leaves_alone_what_others_changed,
    a_plan_that_is_resumed_finds_its_own_effects,
    a_preview_waits_for_a_job_that_writes,
    a_preview_waits_for_a_split_that_a_job_will_close,
    a_preview_tells_of_a_split_that_nobody_closes,
);

/// Previews a push, and gives the push that does what was shown.
async fn planned(world: &World, change: impl Fn(&mut SyncRequest)) -> SyncRequest {
    let mut request = world.request(Direction::Push);
    change(&mut request);
    let preview = world.run(JobKind::Preview, request.clone()).await;
    assert_eq!(preview.job.state, JobState::Succeeded, "{}", preview.result);
    let plan_id = preview.result["planId"].as_str().unwrap();
    SyncRequest {
        plan_id: Some(plan_id.parse().unwrap()),
        ..request
    }
}

/// The first write is answered by a broken connection after its effect; the next look meets a rate
/// limit, so that there is time to do something in between. `gets`: what the first run asks for.
fn interrupt(world: &World, gets: u32) {
    let lost = Fault::next(Action::ResetAfter).method("POST");
    let limit = Action::Respond {
        status: 429,
        headers: [("retry-after".to_owned(), "1".to_owned())].into(),
        body: r#"{"error":{"code":"rate_limited","message":"slow down"}}"#.into(),
    };
    world.vercel.fault(lost);
    world
        .vercel
        .fault(Fault::next(limit).method("GET").after(gets));
}

async fn a_plan_that_is_resumed_leaves_alone_what_others_changed(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    let old = EnvSeed::new("EXTRA", "1", &["production"]);
    world.vercel.add_env(PROJECT, &old);
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    let request = planned(&world, |request| request.allow_delete = true).await;
    interrupt(&world, 1);
    let id = world.submit(JobKind::Sync, request).await;
    world.waits(id).await;
    let made = world.vercel.snapshot(PROJECT);
    assert!(made.keys().any(|place| place.key == "A"));
    let row = world.vercel.row(PROJECT, "A", "production").unwrap();
    world.vercel.edit_env(PROJECT, &row, "somebody's");
    let ended = world.ended(id).await;
    assert_eq!(ended.job.state, JobState::Partial, "{}", ended.result);
    assert_eq!(ended.result["created"], 1);
    let failures = &ended.result["failures"];
    assert_eq!(failures[0]["key"], "A");
    assert_eq!(failures[0]["code"], "conflict");
    // Deletes come last, and only when everything before them succeeded.
    assert_eq!(failures[1]["key"], "EXTRA");
    assert_eq!(failures[1]["code"], "not-attempted");
    assert_eq!(world.production("A").as_deref(), Some("somebody's"));
    assert_eq!(world.production("EXTRA").as_deref(), Some("1"));
    world.stop().await;
}

async fn a_plan_that_is_resumed_finds_its_own_effects(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    let old = EnvSeed::new("EXTRA", "1", &["production"]);
    world.vercel.add_env(PROJECT, &old);
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    let request = planned(&world, |request| request.allow_delete = true).await;
    interrupt(&world, 1);
    let ended = world.run(JobKind::Sync, request.clone()).await;
    assert_eq!(ended.job.state, JobState::Succeeded, "{}", ended.result);
    assert_eq!(ended.result["created"], 2);
    assert_eq!(ended.result["deleted"], 1);
    assert_eq!(ended.job.run, 3);
    // The same plan again does not fit any more.
    let again = world.run(JobKind::Sync, request).await;
    assert_eq!(again.job.error_code, Some(ErrorCode::PlanStale));
    world.stop().await;
}

async fn a_preview_waits_for_a_job_that_writes(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    let slow = Fault::next(Action::Delay { milliseconds: 300 }).method("POST");
    world.vercel.fault(slow);
    let push = world
        .submit(JobKind::Sync, world.request(Direction::Push))
        .await;
    world.runs(push).await;
    let preview = world
        .run(JobKind::Preview, world.request(Direction::Push))
        .await;
    assert_eq!(preview.result["toSkip"], json!(["A", "B"]));
    assert_eq!(preview.result["warnings"], json!([]));
    assert_eq!(world.ended(push).await.job.state, JobState::Succeeded);
    world.stop().await;
}

async fn a_preview_waits_for_a_split_that_a_job_will_close(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    let shared = EnvSeed::new("SHARED", "1", &["production", "preview"]);
    world.vercel.add_env(PROJECT, &shared);
    world.set_vault(&[("SHARED", "2")]).await;
    interrupt(&world, 2);
    let push = world
        .submit(JobKind::Sync, world.request(Direction::Push))
        .await;
    world.waits(push).await;
    let preview = world
        .run(JobKind::Preview, world.request(Direction::Push))
        .await;
    assert_eq!(preview.result["toSkip"], json!(["SHARED"]));
    assert_eq!(world.ended(push).await.job.state, JobState::Succeeded);
    world.stop().await;
}

async fn a_preview_tells_of_a_split_that_nobody_closes(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    let shared = EnvSeed::new("SHARED", "1", &["preview"]);
    let row = world.vercel.add_env(PROJECT, &shared);
    world.set_vault(&[("SHARED", "1")]).await;
    world
        .leave_split_open(world.connection, "SHARED", &row)
        .await;
    let preview = world
        .run(JobKind::Preview, world.request(Direction::Push))
        .await;
    let warning = &preview.result["warnings"][0];
    assert_eq!(warning["code"], "open-split");
    assert_eq!(warning["keys"], json!(["SHARED"]));
    world.stop().await;
}
