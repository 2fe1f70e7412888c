//! Whose rows a sync may delete.

use keyway_shared::domain::connection::Connection;
use keyway_shared::domain::job::{JobKind, JobState};
use keyway_shared::secret::Secret;
use keyway_shared::sync::options::Direction;
use keyway_simulator::vercel::{EnvSeed, Preset, TOKEN};
use keyway_tests::database::Profile;

use super::world::{PROJECT, World};

keyway_tests::on_both_profiles!(what_our_own_installation_wrote_is_not_an_integrations);

/// The simulator stamps the rows of a token that belongs to an installation, as Vercel does.
async fn what_our_own_installation_wrote_is_not_an_integrations(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    for (key, installation) in [("OURS", "icfg_ours"), ("THEIRS", "icfg_other")] {
        let mut seed = EnvSeed::new(key, "v", &["production"]);
        seed.configuration_id = Some(installation.into());
        world.vercel.add_env(PROJECT, &seed);
    }
    let mut tx = world.store.begin().await.unwrap();
    let stored = tx.find_connection(world.user, world.connection).await;
    let installed = Connection {
        installation_id: Some("icfg_ours".into()),
        token_kind: None,
        ..stored.unwrap().unwrap()
    };
    tx.upsert_connection(&installed, &Secret::new(TOKEN))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.set_vault(&[("A", "1")]).await;

    let mut request = world.request(Direction::Push);
    request.allow_delete = true;
    let pushed = world.run(JobKind::Sync, request).await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    assert_eq!(world.production("OURS"), None);
    assert_eq!(world.production("THEIRS").as_deref(), Some("v"));
    world.stop().await;
}
