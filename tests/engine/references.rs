//! Values that refer to other variables, at a provider that resolves such.

use keyway_shared::domain::job::{ErrorCode, JobKind, JobState};
use keyway_shared::providers::Descriptor;
use keyway_shared::sync::options::Direction;
use keyway_simulator::vercel::{EnvSeed, Preset};
use keyway_tests::database::Profile;
use serde_json::json;

use super::world::{Ended, PROJECT, World};

keyway_tests::on_both_profiles!(
    a_reference_is_left_out_until_it_is_meant,
    a_reference_that_is_left_out_alone_is_told,
    a_pull_and_the_push_after_it_keep_references,
);

const REFERENCE: &str = "${{Postgres.URL}}";

fn resolves(provider: &mut Descriptor) {
    provider.values.reference = Some("${{");
}

async fn push(world: &World, allow_references: bool) -> Ended {
    let mut request = world.request(Direction::Push);
    request.allow_delete = true;
    request.allow_references = allow_references;
    world.run(JobKind::Sync, request).await
}

async fn a_reference_is_left_out_until_it_is_meant(profile: Profile) {
    let (world, _) = World::start_posing(profile, Preset::Starter, resolves).await;
    let old = EnvSeed::new("EXTRA", "1", &["production"]);
    world.vercel.add_env(PROJECT, &old);
    world.set_vault(&[("A", "1"), ("URL", REFERENCE)]).await;
    let pushed = push(&world, false).await;
    assert_eq!(pushed.job.state, JobState::Partial, "{}", pushed.result);
    assert_eq!(pushed.job.error_code, Some(ErrorCode::Reference));
    assert_eq!(pushed.result["created"], 1);
    let failures = pushed.result["failures"].as_array().unwrap();
    let failed = failures.iter().map(|one| (&one["key"], &one["code"]));
    let failed: Vec<_> = failed.collect();
    assert_eq!(
        failed,
        [
            (&json!("EXTRA"), &json!("not-attempted")),
            (&json!("URL"), &json!("reference")),
        ]
    );
    assert!(
        failures[1]["message"]
            .as_str()
            .unwrap()
            .contains("allowReferences")
    );
    assert_eq!(world.production("URL"), None);
    assert_eq!(world.production("EXTRA").as_deref(), Some("1"));

    let pushed = push(&world, true).await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    assert_eq!(world.production("URL").as_deref(), Some(REFERENCE));
    assert_eq!(world.production("EXTRA"), None);
    // What is there already needs no word.
    let pushed = push(&world, false).await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    world.stop().await;
}

async fn a_reference_that_is_left_out_alone_is_told(profile: Profile) {
    let (world, _) = World::start_posing(profile, Preset::Starter, resolves).await;
    world.set_vault(&[("URL", REFERENCE)]).await;
    let pushed = world.push().await;
    assert_eq!(pushed.job.state, JobState::Partial, "{}", pushed.result);
    assert_eq!(pushed.job.error_code, Some(ErrorCode::Reference));
    assert_eq!(pushed.result["providerCalls"], 1);
    assert_eq!(pushed.result["redeployRequired"], false);
    world.stop().await;
}

async fn a_pull_and_the_push_after_it_keep_references(profile: Profile) {
    let (world, _) = World::start_posing(profile, Preset::Starter, resolves).await;
    let theirs = EnvSeed::new("URL", REFERENCE, &["production"]);
    world.vercel.add_env(PROJECT, &theirs);
    let pulled = world.run(JobKind::Sync, world.request(Direction::Pull));
    assert_eq!(pulled.await.job.state, JobState::Succeeded);
    assert_eq!(world.vault_values().await["URL"], REFERENCE);
    let pushed = world.push().await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    assert_eq!(pushed.result["skipped"], 1);
    world.stop().await;
}
