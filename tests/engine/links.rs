//! What a sync notes on links.

use chrono::{DateTime, Utc};
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::job::{JobKind, JobState, project_key};
use keyway_shared::domain::link::Link;
use keyway_shared::sync::options::{DeleteScope, Direction};
use keyway_simulator::vercel::Preset;
use keyway_tests::database::Profile;

use super::world::{PROJECT, World};

keyway_tests::on_both_profiles!(a_sync_touches_its_link_whichever_name_the_environment_has);

/// Saves a link with a custom environment of the project.
async fn link(world: &World, name: &str, scope: &str) {
    let now = world.ambient.now();
    let link = Link {
        id: world.ambient.new_id(),
        vault_id: world.vault,
        environment_id: world.environment,
        keyway_environment: "production".into(),
        connection_id: world.connection,
        provider: ProviderName::Vercel,
        project_id: PROJECT.into(),
        project_name: None,
        service_id: None,
        provider_environment: name.into(),
        scope: scope.into(),
        git_branch: None,
        direction: Direction::Push,
        allow_delete: false,
        delete_scope: DeleteScope::Managed,
        shared: false,
        paused: false,
        last_synced_at: None,
        created_at: now,
        updated_at: now,
    };
    let key = project_key(ProviderName::Vercel, &world.vercel.url(), PROJECT);
    let mut tx = world.store.begin().await.unwrap();
    tx.upsert_link(&link, &key).await.unwrap();
    tx.commit().await.unwrap();
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
