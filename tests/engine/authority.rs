//! What was begun under a right that is gone.

use keyway_shared::crypto::tokens::new_api_key;
use keyway_shared::domain::account::{ApiKey, KeyEnvironment, Scope};
use keyway_shared::domain::job::{ErrorCode, JobKind, JobState};
use keyway_shared::sync::options::Direction;
use keyway_simulator::vercel::{EnvSeed, Preset};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use uuid::Uuid;

use crate::world::{PROJECT, World};

on_both_profiles!(a_split_is_finished_under_the_right_that_it_was_begun_under);

impl World {
    async fn key(&self, environment: KeyEnvironment) -> Uuid {
        let new = new_api_key(&self.ambient, environment);
        let key = ApiKey {
            id: self.ambient.new_id(),
            user_id: self.user,
            name: "ci".into(),
            environment,
            prefix: new.prefix,
            scopes: Scope::ALL.to_vec(),
            allowed_ips: Vec::new(),
            expires_at: None,
            last_used_at: None,
            usage_count: 0,
            created_at: self.ambient.now(),
            revoked_at: None,
        };
        let mut tx = self.store.begin().await.unwrap();
        tx.insert_api_key(&key, &new.hash).await.unwrap();
        tx.commit().await.unwrap();
        key.id
    }
}

async fn a_split_is_finished_under_the_right_that_it_was_begun_under(profile: Profile) {
    for (environment, is_revoked, value) in [
        (KeyEnvironment::Live, false, "new"),
        (KeyEnvironment::Live, true, "old"),
        // Its environment has become production since.
        (KeyEnvironment::Test, false, "old"),
    ] {
        let world = World::start_manual(profile, Preset::Starter).await;
        let worker = world.manual_worker("worker").await;
        let seed = EnvSeed::new("SHARED", "old", &["preview"]);
        let shared = world.vercel.add_env(PROJECT, &seed);
        world.set_vault(&[("SHARED", "new")]).await;
        let key = world.key(environment).await;
        let request = world.request(Direction::Push);
        let begun = world.submit_with(JobKind::Sync, request, Some(key)).await;
        world
            .leave_split_of(begun, world.connection, "SHARED", &shared)
            .await;
        if is_revoked {
            let mut tx = world.store.begin().await.unwrap();
            let now = world.ambient.now();
            assert!(tx.revoke_api_key(world.user, key, now).await.unwrap());
            tx.commit().await.unwrap();
        }
        worker.run(begun).await;
        let job = world.job(begun).await;
        if value == "old" {
            assert_eq!(job.error_code, Some(ErrorCode::AuthorityGone), "{job:?}");
            // The next job of the project closes what is open, and has nothing else to do there.
            let mut request = world.request(Direction::Push);
            request.provider_environment = "development".into();
            let next = world.submit(JobKind::Sync, request).await;
            worker.run(next).await;
            let next = world.job(next).await;
            assert_eq!(next.state, JobState::Succeeded, "{next:?}");
        } else {
            assert_eq!(job.state, JobState::Succeeded, "{job:?}");
        }
        let production = world.production("SHARED");
        assert_eq!(production.as_deref(), Some(value));
        world.stop().await;
    }
}
