//! What a sync notes on links.

use chrono::{DateTime, Utc};
use keyway_shared::domain::auto_sync::AutoSync;
use keyway_shared::domain::job::{JobKind, JobState};
use keyway_shared::sync::options::Direction;
use keyway_simulator::vercel::Preset;
use keyway_tests::database::Profile;

use super::world::{PROJECT, World};

keyway_tests::on_both_profiles!(a_sync_touches_its_link_whichever_name_the_environment_has);

/// Saves a link with a custom environment of the project.
async fn link(world: &World, name: &str, scope: &str) {
    let mut link = world.link(AutoSync::Off);
    link.provider_environment = name.into();
    link.scope = scope.into();
    world.save_link(&link).await;
}

async fn last_synced(world: &World, name: &str) -> Option<DateTime<Utc>> {
    let mut tx = world.store.begin_read().await.unwrap();
    let links = tx.list_links(world.vault).await.unwrap();
    let found = links.iter().find(|link| link.provider_environment == name);
    found.unwrap().last_synced_at
}

async fn a_sync_touches_its_link_whichever_name_the_environment_has(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    let qa = world.vercel.add_custom_environment(PROJECT, "qa");
    let load = world.vercel.add_custom_environment(PROJECT, "load");
    link(&world, "qa", &qa).await;
    link(&world, &load, &load).await;
    link(&world, "production", "production").await;
    world.set_vault(&[("A", "1")]).await;
    // One by its id that was saved by its slug, and the other way round.
    for (given, saved) in [(qa.as_str(), "qa"), ("load", load.as_str())] {
        let before = last_synced(&world, saved).await;
        let mut request = world.request(Direction::Push);
        request.provider_environment = given.into();
        let pushed = world.run(JobKind::Sync, request).await;
        assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
        let after = last_synced(&world, saved).await;
        assert!(after > before, "{given}: {after:?}");
    }
    assert_eq!(last_synced(&world, "production").await, None);
    world.stop().await;
}
