//! Tokens that end: two workers, deaths at the worst moments, and a provider that ends the whole
//! authorization when a refresh token is used twice.

use std::sync::Arc;
use std::time::Duration;

use keyway_shared::domain::connection::{Connection, ConnectionStatus, ReconnectReason, TokenPair};
use keyway_shared::domain::job::{ErrorCode, JobKind, JobState};
use keyway_shared::providers::Provider;
use keyway_shared::store::renewals::Begun;
use keyway_shared::sync::options::Direction;
use keyway_simulator::vercel::Preset;
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use keyway_tests::renewing::{Fate, LIFETIME, Renewing};
use keyway_worker::ManualWorker;
use uuid::Uuid;

use super::world::World;

keyway_tests::on_both_profiles!(
    a_token_is_renewed_before_it_ends,
    a_refused_token_is_renewed_once,
    two_workers_renew_it_once,
    what_a_renewal_gave_outlives_its_worker,
    a_renewal_outlives_its_run,
    a_renewal_that_dies_is_not_tried_again,
    a_renewal_without_an_answer_is_not_tried_again,
    a_renewal_that_did_nothing_is_tried_again,
    a_new_token_that_never_works_gives_way_to_the_one_before,
    a_refresh_token_that_somebody_used_ends_the_connection,
    a_token_that_worked_since_is_renewed_when_it_ends,
    connecting_again_beats_a_renewal,
    a_run_goes_on_with_the_token_that_replaced_its_own,
    a_right_that_is_missing_renews_nothing,
);

const MINUTE: Duration = Duration::from_mins(1);
/// So long before its end a token is renewed, and a little more.
const NEARLY_OVER: Duration = Duration::from_mins(56);

/// A vault whose connection has a token that ends in an hour, and two workers.
struct Ending {
    world: World,
    provider: Arc<Renewing>,
    one: ManualWorker,
    two: ManualWorker,
}

impl Ending {
    async fn start(profile: Profile) -> Self {
        let mut world = World::start_manual(profile, Preset::Starter).await;
        let provider = world.renew_tokens().await;
        world.set_vault(&[("A", "1")]).await;
        let (one, two) = (
            world.manual_worker("one").await,
            world.manual_worker("two").await,
        );
        Self {
            world,
            provider,
            one,
            two,
        }
    }

    async fn submit(&self) -> Uuid {
        let request = self.world.request(Direction::Push);
        self.world.submit(JobKind::Preview, request).await
    }

    /// Runs a job of its own until it has ended, and gives why it failed.
    async fn preview(&self, worker: &ManualWorker) -> Option<ErrorCode> {
        let job = self.submit().await;
        for _ in 0..5 {
            worker.run(job).await;
            let found = self.world.job(job).await;
            if found.state.is_final() {
                return found.error_code;
            }
            self.world.advance(Duration::from_secs(2));
        }
        panic!("it does not end");
    }

    async fn connection(&self) -> Connection {
        let mut tx = self.world.store.begin_read().await.unwrap();
        let found = tx.find_connection(self.world.user, self.world.connection);
        found.await.unwrap().unwrap()
    }

    async fn token(&self) -> String {
        let mut tx = self.world.store.begin_read().await.unwrap();
        let found = tx.connection_credential(self.world.user, self.world.connection);
        let (_, credential) = found.await.unwrap().unwrap();
        credential.token.expose().to_owned()
    }

    async fn is_dead(&self, reason: ReconnectReason) {
        let connection = self.connection().await;
        assert_eq!(connection.status, ConnectionStatus::NeedsReconnect);
        assert_eq!(connection.status_reason, Some(reason));
    }

    /// Looks until a renewal had its effect at the provider.
    async fn renewal(&self) {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        while self.provider.renewals() == 0 {
            looks.tick().await;
        }
    }

    /// Looks until what a renewal gave is stored.
    async fn stored(&self, before: i64) {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        while self.connection().await.token.version == before {
            looks.tick().await;
        }
    }

    async fn stop(self) {
        self.world.stop().await;
    }
}

async fn a_token_is_renewed_before_it_ends(profile: Profile) {
    let ending = Ending::start(profile).await;
    assert_eq!(ending.preview(&ending.one).await, None);
    assert_eq!(ending.provider.renewals(), 0);
    let first = ending.token().await;
    for round in 1..4 {
        ending.world.advance(NEARLY_OVER);
        assert_eq!(ending.preview(&ending.one).await, None);
        assert_eq!(ending.provider.renewals(), round);
        // It has worked: the one before is forgotten.
        assert!(!ending.connection().await.token.unproven);
    }
    assert_ne!(ending.token().await, first);
    // Also long after its end.
    ending.world.advance(LIFETIME * 24);
    assert_eq!(ending.preview(&ending.two).await, None);
    assert_eq!(ending.provider.reuses(), 0);
    ending.stop().await;
}

async fn a_refused_token_is_renewed_once(profile: Profile) {
    let ending = Ending::start(profile).await;
    ending.provider.expire_all();
    assert_eq!(ending.preview(&ending.one).await, None);
    assert_eq!(ending.provider.renewals(), 1);
    // When that does not help either, it has to be made again.
    ending.provider.expire_all();
    ending.provider.next([Fate::Dud]);
    let code = ending.preview(&ending.one).await;
    assert_eq!(code, Some(ErrorCode::ReconnectRequired));
    assert_eq!(ending.provider.renewals(), 2);
    ending.is_dead(ReconnectReason::Refused).await;
    ending.stop().await;
}

async fn two_workers_renew_it_once(profile: Profile) {
    let ending = Ending::start(profile).await;
    ending.world.advance(LIFETIME);
    ending.provider.next([Fate::Slow]);
    let (first, second) = (ending.submit().await, ending.submit().await);
    tokio::join!(ending.one.run(first), async {
        ending.renewal().await;
        // Its token has ended, and another is on its way: it comes back.
        ending.two.run(second).await;
        assert_eq!(ending.world.job(second).await.state, JobState::Queued);
        ending.provider.go_on();
    });
    assert_eq!(ending.world.job(first).await.state, JobState::Succeeded);
    ending.world.advance(Duration::from_secs(2));
    ending.two.run(second).await;
    assert_eq!(ending.world.job(second).await.state, JobState::Succeeded);
    // Neither do many at once.
    ending.world.advance(LIFETIME);
    let jobs = [ending.submit().await, ending.submit().await];
    tokio::join!(ending.one.run(jobs[0]), ending.two.run(jobs[1]));
    assert_eq!(ending.provider.renewals(), 2);
    assert_eq!(ending.provider.reuses(), 0);
    // One that has not ended yet is used meanwhile.
    ending.world.advance(NEARLY_OVER);
    ending.provider.next([Fate::Slow]);
    let (first, second) = (ending.submit().await, ending.submit().await);
    tokio::join!(ending.one.run(first), async {
        while ending.provider.renewals() == 2 {
            tokio::task::yield_now().await;
        }
        ending.two.run(second).await;
        assert_eq!(ending.world.job(second).await.state, JobState::Succeeded);
        ending.provider.go_on();
    });
    assert_eq!(ending.provider.reuses(), 0);
    ending.stop().await;
}

async fn what_a_renewal_gave_outlives_its_worker(profile: Profile) {
    let ending = Ending::start(profile).await;
    ending.world.advance(LIFETIME);
    let before = ending.connection().await.token.version;
    // It dies with its first call, which is after the pair was stored.
    let hangs = Fault::next(Action::Hang).method("GET");
    ending.world.vercel.fault(hangs);
    let job = ending.submit().await;
    tokio::select! {
        () = ending.one.run(job) => panic!("it ended"),
        () = ending.stored(before) => {}
    }
    let token = ending.connection().await.token;
    assert!(token.unproven && token.renewable);
    ending.world.vercel.clear_faults();
    assert_eq!(ending.preview(&ending.two).await, None);
    assert_eq!(ending.provider.renewals(), 1);
    assert!(!ending.connection().await.token.unproven);
    // What it was given is good for the next time, too.
    ending.world.advance(LIFETIME);
    assert_eq!(ending.preview(&ending.two).await, None);
    assert_eq!(ending.provider.renewals(), 2);
    assert_eq!(ending.provider.reuses(), 0);
    ending.stop().await;
}

async fn a_renewal_outlives_its_run(profile: Profile) {
    let ending = Ending::start(profile).await;
    ending.world.advance(LIFETIME);
    let before = ending.connection().await.token.version;
    ending.provider.next([Fate::Slow]);
    let job = ending.submit().await;
    // As when its lease is lost, or the process has to stop.
    tokio::select! {
        () = ending.one.run(job) => panic!("it ended"),
        () = ending.renewal() => {}
    }
    ending.provider.go_on();
    ending.stored(before).await;
    assert_eq!(ending.preview(&ending.two).await, None);
    assert_eq!(ending.provider.renewals(), 1);
    assert_eq!(ending.provider.reuses(), 0);
    ending.stop().await;
}

async fn a_renewal_that_dies_is_not_tried_again(profile: Profile) {
    let ending = Ending::start(profile).await;
    ending.world.advance(LIFETIME);
    // What a process leaves behind that died between the provider's answer and storing it.
    let dead = ending.world.ambient.new_id();
    let connection = ending.connection().await;
    let mut tx = ending.world.store.begin().await.unwrap();
    let now = tx.now().await.unwrap();
    let (version, until) = (connection.token.version, now + MINUTE * 2);
    let begun = tx
        .begin_renewal(connection.id, version, dead, now, until)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let Begun::Yes(refresh) = begun else {
        panic!("{begun:?}")
    };
    ending.provider.renew(&refresh).await.unwrap();
    // As long as it may still be at it, others wait.
    let other = ending.submit().await;
    ending.two.run(other).await;
    assert_eq!(ending.world.job(other).await.state, JobState::Queued);
    ending.world.advance(MINUTE * 3);
    ending.two.run(other).await;
    let other = ending.world.job(other).await;
    assert_eq!(other.error_code, Some(ErrorCode::ReconnectRequired));
    ending.is_dead(ReconnectReason::RenewalLost).await;
    assert_eq!(ending.provider.renewals(), 1);
    assert_eq!(ending.provider.reuses(), 0);
    ending.stop().await;
}

async fn a_renewal_without_an_answer_is_not_tried_again(profile: Profile) {
    let ending = Ending::start(profile).await;
    ending.world.advance(LIFETIME);
    ending.provider.next([Fate::Lost]);
    let code = ending.preview(&ending.one).await;
    assert_eq!(code, Some(ErrorCode::ReconnectRequired));
    ending.is_dead(ReconnectReason::RenewalLost).await;
    let code = ending.preview(&ending.two).await;
    assert_eq!(code, Some(ErrorCode::ReconnectRequired));
    assert_eq!(ending.provider.renewals(), 1);
    assert_eq!(ending.provider.reuses(), 0);
    ending.stop().await;
}

async fn a_renewal_that_did_nothing_is_tried_again(profile: Profile) {
    let ending = Ending::start(profile).await;
    // The token works for a while yet.
    ending.world.advance(NEARLY_OVER);
    ending.provider.next([Fate::Away]);
    assert_eq!(ending.preview(&ending.one).await, None);
    assert_eq!(ending.provider.renewals(), 0);
    ending.world.advance(LIFETIME);
    ending.provider.next([Fate::Away]);
    let job = ending.submit().await;
    ending.one.run(job).await;
    let waits = ending.world.job(job).await;
    assert_eq!(waits.error_code, Some(ErrorCode::Unavailable));
    ending.world.advance(MINUTE);
    ending.two.run(job).await;
    assert_eq!(ending.world.job(job).await.state, JobState::Succeeded);
    assert_eq!(ending.provider.renewals(), 1);
    ending.stop().await;
}

async fn a_new_token_that_never_works_gives_way_to_the_one_before(profile: Profile) {
    let ending = Ending::start(profile).await;
    let first = ending.token().await;
    ending.world.advance(NEARLY_OVER);
    ending.provider.next([Fate::Dud]);
    let job = ending.submit().await;
    ending.one.run(job).await;
    assert_eq!(ending.world.job(job).await.state, JobState::Queued);
    assert_eq!(ending.token().await, first);
    // The refresh token is the newest all the same.
    ending.two.run(job).await;
    assert_eq!(ending.world.job(job).await.state, JobState::Succeeded);
    assert_eq!(ending.provider.renewals(), 2);
    assert_eq!(ending.provider.reuses(), 0);
    ending.stop().await;
}

async fn a_refresh_token_that_somebody_used_ends_the_connection(profile: Profile) {
    let ending = Ending::start(profile).await;
    let pair = ending.provider.authorize();
    ending.world.give(&pair).await;
    // Somebody has a copy of the database.
    let theirs = ending.provider.renew(&pair.refresh.unwrap()).await;
    theirs.unwrap();
    ending.world.advance(LIFETIME);
    let code = ending.preview(&ending.one).await;
    assert_eq!(code, Some(ErrorCode::ReconnectRequired));
    ending.is_dead(ReconnectReason::RenewalRefused).await;
    assert_eq!(ending.provider.reuses(), 1);
    // It is not tried again and again.
    let code = ending.preview(&ending.two).await;
    assert_eq!(code, Some(ErrorCode::ReconnectRequired));
    assert_eq!(ending.provider.reuses(), 1);
    // Connecting again helps.
    ending.world.give(&ending.provider.authorize()).await;
    assert_eq!(ending.preview(&ending.two).await, None);
    ending.stop().await;
}

async fn a_token_that_worked_since_is_renewed_when_it_ends(profile: Profile) {
    let ending = Ending::start(profile).await;
    ending.world.advance(LIFETIME);
    // Its run renews it, looks at the other side with the next, and meets its end as well.
    ending.provider.expire_at_write();
    let request = ending.world.request(Direction::Push);
    let job = ending.world.submit(JobKind::Sync, request).await;
    ending.one.run(job).await;
    assert_eq!(ending.world.job(job).await.state, JobState::Queued);
    assert_eq!(ending.provider.renewals(), 2);
    ending.two.run(job).await;
    assert_eq!(ending.world.job(job).await.state, JobState::Succeeded);
    // Another one found out that it works, after this one read that nobody had.
    ending.world.advance(LIFETIME);
    ending.provider.hold_next();
    let job = ending.submit().await;
    tokio::join!(ending.one.run(job), async {
        ending.provider.held().await;
        let connection = ending.connection().await;
        assert!(connection.token.unproven);
        let mut tx = ending.world.store.begin().await.unwrap();
        let (id, version) = (connection.id, connection.token.version);
        tx.prove_token(id, version).await.unwrap();
        tx.commit().await.unwrap();
        ending.provider.expire_all();
        ending.provider.go_on();
    });
    assert_eq!(ending.world.job(job).await.state, JobState::Queued);
    ending.two.run(job).await;
    assert_eq!(ending.world.job(job).await.state, JobState::Succeeded);
    assert_eq!(ending.provider.renewals(), 4);
    assert_eq!(ending.provider.reuses(), 0);
    ending.stop().await;
}

async fn a_run_goes_on_with_the_token_that_replaced_its_own(profile: Profile) {
    let ending = Ending::start(profile).await;
    let lasting = || TokenPair::lasting(ending.provider.authorize().access);
    ending.world.give(&lasting()).await;
    ending.provider.hold_next();
    let job = ending.submit().await;
    tokio::join!(ending.one.run(job), async {
        ending.provider.held().await;
        ending.world.give(&lasting()).await;
        ending.provider.go_on();
    });
    let waits = ending.world.job(job).await;
    assert_eq!((waits.state, waits.error_code), (JobState::Queued, None));
    let connection = ending.connection().await;
    assert_eq!(connection.status, ConnectionStatus::Active);
    ending.two.run(job).await;
    assert_eq!(ending.world.job(job).await.state, JobState::Succeeded);
    // One that nothing replaced ends it.
    ending.provider.expire_all();
    let code = ending.preview(&ending.one).await;
    assert_eq!(code, Some(ErrorCode::ReconnectRequired));
    ending.is_dead(ReconnectReason::Refused).await;
    ending.stop().await;
}

async fn connecting_again_beats_a_renewal(profile: Profile) {
    let ending = Ending::start(profile).await;
    ending.world.advance(LIFETIME);
    ending.provider.next([Fate::Slow]);
    let job = ending.submit().await;
    let ((), newest) = tokio::join!(ending.one.run(job), async {
        ending.renewal().await;
        let pair = ending.provider.authorize();
        ending.world.give(&pair).await;
        ending.provider.go_on();
        pair.access.expose().to_owned()
    });
    assert_eq!(ending.token().await, newest);
    assert_eq!(ending.world.job(job).await.state, JobState::Succeeded);
    assert!(!ending.connection().await.token.unproven);
    ending.stop().await;
}

async fn a_right_that_is_missing_renews_nothing(profile: Profile) {
    let ending = Ending::start(profile).await;
    let body = serde_json::json!({ "error": { "code": "forbidden", "message": "m" } });
    let forbidden = Fault::next(Action::json(403, &body)).path("/env");
    ending.world.vercel.fault(forbidden);
    let code = ending.preview(&ending.one).await;
    assert_eq!(code, Some(ErrorCode::Forbidden));
    assert_eq!(ending.provider.renewals(), 0);
    let connection = ending.connection().await;
    assert_eq!(connection.status, ConnectionStatus::Active);
    ending.stop().await;
}
