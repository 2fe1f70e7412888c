//! Links that sync by themselves, on a clock that the test moves.

use std::time::Duration;

use keyway_shared::domain::auto_sync::{AutoAction, AutoMode, AutoSync, AutoSyncParts};
use keyway_shared::domain::connection::TokenPair;
use keyway_shared::domain::job::{ErrorCode, Job, JobClass, JobKind, JobState};
use keyway_shared::domain::link::Link;
use keyway_shared::domain::upkeep::PauseReason;
use keyway_shared::domain::vault::Role;
use keyway_shared::secret::Secret;
use keyway_shared::sync::options::Direction;
use keyway_simulator::vercel::{EnvSeed, Preset, TOKEN};
use keyway_tests::database::Profile;
use keyway_worker::ManualWorker;
use uuid::Uuid;

use super::world::{PROJECT, World};

keyway_tests::on_both_profiles!(
    a_change_is_synced_after_a_quiet_time_and_nothing_else_is,
    every_day_each_value_is_read,
    a_missed_period_runs_once,
    a_run_that_fails_is_tried_again_later_and_later,
    a_run_past_its_time_is_told_to_its_link,
    a_link_pauses_when_its_owner_may_not_do_it_any_more,
    a_dead_credential_pauses_until_it_is_connected_again,
    a_run_that_fails_with_a_replaced_token_pauses_nothing,
    an_environment_that_is_gone_at_the_provider_pauses_its_links,
    automatic_deletion_has_its_guards,
    a_job_does_not_outlive_what_its_link_said,
    a_report_tells_what_has_drifted_and_writes_nothing,
    a_suspect_project_is_looked_at_again_and_nothing_is_deleted,
    what_has_ended_is_kept_for_a_time_only,
    one_environment_goes_to_every_destination_that_it_is_linked_with,
);

const MINUTE: Duration = Duration::from_mins(1);

pub(super) fn hourly(action: AutoAction) -> AutoSync {
    let parts = AutoSyncParts {
        every: Some("1h"),
        action: Some(action),
        ..AutoSyncParts::default()
    };
    AutoSync::new(AutoMode::Interval, parts).unwrap()
}

struct Driven {
    world: World,
    worker: ManualWorker,
    link: Uuid,
}

impl Driven {
    async fn start(profile: Profile, auto: AutoSync) -> Self {
        Self::start_with(profile, auto, |_| {}).await
    }

    async fn start_with(profile: Profile, auto: AutoSync, change: impl FnOnce(&mut Link)) -> Self {
        let world = World::start_manual(profile, Preset::Starter).await;
        let mut link = world.link(auto);
        change(&mut link);
        world.save_link(&link).await;
        let worker = world.manual_worker("worker").await;
        Self {
            worker,
            link: link.id,
            world,
        }
    }

    /// Moves the clock, starts what is due and runs it to its end. The jobs that were started.
    async fn after(&self, by: Duration) -> Vec<Job> {
        let before = self.world.jobs().await.len();
        self.world.advance(by);
        self.worker.schedule().await.unwrap();
        let mut started = self.world.jobs().await.split_off(before);
        for job in &mut started {
            self.worker.run(job.id).await;
            let mut tx = self.world.store.begin_read().await.unwrap();
            *job = tx.job_snapshot(job.id).await.unwrap().unwrap();
        }
        started
    }

    /// The same, of which there is one that ends so.
    async fn one(&self, by: Duration, state: JobState) -> Job {
        let mut started = self.after(by).await;
        assert_eq!(started.len(), 1, "{started:?}");
        let job = started.remove(0);
        assert_eq!(job.state, state, "{job:?}");
        job
    }

    async fn found(&self) -> Link {
        self.world.find_link(self.link).await
    }

    /// Seconds until the next run.
    async fn next(&self) -> i64 {
        let next = self.found().await.upkeep.next_run_at.unwrap();
        (next - self.world.ambient.now()).num_seconds()
    }

    async fn change(&self, change: impl FnOnce(&mut Link)) {
        let mut link = self.found().await;
        change(&mut link);
        link.updated_at = self.world.ambient.now();
        let mut tx = self.world.store.begin().await.unwrap();
        tx.update_link(&link).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn a_change_is_synced_after_a_quiet_time_and_nothing_else_is(profile: Profile) {
    let driven = Driven::start(profile, AutoSync::OnChange).await;
    let world = &driven.world;
    world.set_vault(&[("A", "1")]).await;
    assert!(driven.after(Duration::from_secs(4)).await.is_empty());
    let job = driven
        .one(Duration::from_secs(1), JobState::Succeeded)
        .await;
    assert_eq!((job.kind, job.class), (JobKind::Sync, JobClass::Background));
    assert_eq!(world.production("A").as_deref(), Some("1"));
    // Nothing changed: nothing is done.
    assert!(driven.after(10 * MINUTE).await.is_empty());
    // Two changes in a row are one sync; a third right after it waits its time.
    world.set_vault(&[("A", "2")]).await;
    world.advance(Duration::from_secs(3));
    world.set_vault(&[("A", "3")]).await;
    assert!(driven.after(Duration::from_secs(4)).await.is_empty());
    driven
        .one(Duration::from_secs(1), JobState::Succeeded)
        .await;
    assert_eq!(world.production("A").as_deref(), Some("3"));
    world.set_vault(&[("A", "4")]).await;
    assert!(driven.after(Duration::from_secs(29)).await.is_empty());
    driven
        .one(Duration::from_secs(1), JobState::Succeeded)
        .await;
    assert_eq!(world.production("A").as_deref(), Some("4"));
    let link = driven.found().await;
    assert_eq!(link.upkeep.last.unwrap().state, JobState::Succeeded);
    assert!(link.last_synced_at.is_some());
}

async fn every_day_each_value_is_read(profile: Profile) {
    let driven = Driven::start(profile, AutoSync::OnChange).await;
    let world = &driven.world;
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    driven.one(MINUTE, JobState::Succeeded).await;
    world.set_vault(&[("A", "1"), ("B", "3")]).await;
    let on_change = driven.one(MINUTE, JobState::Succeeded).await;
    assert!(!on_change.request.verify);
    let daily = driven
        .one(Duration::from_hours(25), JobState::Succeeded)
        .await;
    assert!(daily.request.verify);
    // The list and both values.
    assert_eq!(daily.provider_calls, 3);
    assert!(driven.after(Duration::from_hours(1)).await.is_empty());
}

async fn a_missed_period_runs_once(profile: Profile) {
    let driven = Driven::start(profile, hourly(AutoAction::Write)).await;
    driven.world.set_vault(&[("A", "1")]).await;
    driven.one(MINUTE, JobState::Succeeded).await;
    let next = driven.next().await;
    assert!((3500..=3600).contains(&next), "{next}");
    assert!(driven.after(Duration::from_mins(50)).await.is_empty());
    driven
        .one(Duration::from_hours(7), JobState::Succeeded)
        .await;
    assert!((1..=3600).contains(&driven.next().await));
    assert!(driven.after(Duration::ZERO).await.is_empty());
    // One that has not run yet is not doubled, however late it is.
    driven.world.advance(Duration::from_hours(1));
    driven.worker.schedule().await.unwrap();
    let jobs = driven.world.jobs().await.len();
    driven.world.advance(Duration::from_hours(3));
    driven.worker.schedule().await.unwrap();
    assert_eq!(driven.world.jobs().await.len(), jobs);
}

async fn a_run_that_fails_is_tried_again_later_and_later(profile: Profile) {
    let driven = Driven::start(profile, AutoSync::OnChange).await;
    let world = &driven.world;
    world.set_vault(&[("A", "1")]).await;
    let theirs = EnvSeed::new("THEIRS", "v", &["production"]);
    world.vercel.add_env(PROJECT, &theirs);
    // The provider hides rows: whether the key is new cannot be told.
    world.vercel.set(|options| options.hide_production = true);
    let failed = driven.after(MINUTE).await.remove(0);
    assert_ne!(failed.state, JobState::Succeeded, "{failed:?}");
    let link = driven.found().await;
    assert_eq!(link.upkeep.failures, 1);
    assert_eq!(link.upkeep.synced_revision, None);
    let first = driven.next().await;
    assert!((30..=38).contains(&first), "{first}");
    driven.after(Duration::from_secs(40)).await.remove(0);
    let second = driven.next().await;
    assert!((60..=75).contains(&second), "{second}");
    world.vercel.set(|options| options.hide_production = false);
    driven.one(2 * MINUTE, JobState::Succeeded).await;
    let link = driven.found().await;
    assert_eq!(link.upkeep.failures, 0);
    assert!(link.upkeep.synced_revision.is_some());
}

async fn a_run_past_its_time_is_told_to_its_link(profile: Profile) {
    for action in [AutoAction::Write, AutoAction::Report] {
        let driven = Driven::start(profile, hourly(action)).await;
        let world = &driven.world;
        world.set_vault(&[("A", "1")]).await;
        world.advance(MINUTE);
        driven.worker.schedule().await.unwrap();
        let job = world.jobs().await.pop().unwrap();
        // For a day nobody gets to it, as when its provider is paused.
        world.advance(Duration::from_hours(24) + MINUTE);
        driven.worker.sweep().await.unwrap();
        let upkeep = driven.found().await.upkeep;
        let last = upkeep.last.unwrap();
        assert_eq!((last.job_id, last.state), (job.id, JobState::Failed));
        assert_eq!(last.error_code, Some(ErrorCode::Deadline));
        assert_eq!(upkeep.failures, 1);
        driven
            .one(Duration::from_hours(2), JobState::Succeeded)
            .await;
    }
}

async fn a_link_pauses_when_its_owner_may_not_do_it_any_more(profile: Profile) {
    let driven = Driven::start_with(profile, AutoSync::OnChange, |link| link.allow_delete = true);
    let driven = driven.await;
    let world = &driven.world;
    world.set_vault(&[("A", "1")]).await;
    driven.one(MINUTE, JobState::Succeeded).await;
    let mut tx = world.store.begin().await.unwrap();
    let now = world.ambient.now();
    tx.upsert_member(world.vault, world.user, Role::Read, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.set_vault(&[("A", "2")]).await;
    let job = driven.one(MINUTE, JobState::Failed).await;
    assert_eq!(job.error_code, Some(ErrorCode::AuthorityGone));
    assert_eq!(world.production("A").as_deref(), Some("1"));
    let link = driven.found().await;
    let reason = link.upkeep.paused.unwrap().reason;
    assert_eq!(reason, PauseReason::AuthorityGone);
    assert_eq!(link.upkeep.next_run_at, None);
    // A change does not wake it.
    world.set_vault(&[("A", "3")]).await;
    assert!(driven.after(MINUTE).await.is_empty());
}

async fn a_dead_credential_pauses_until_it_is_connected_again(profile: Profile) {
    let driven = Driven::start(profile, AutoSync::OnChange).await;
    let world = &driven.world;
    world.set_vault(&[("A", "1")]).await;
    let connect = async |token: &str| {
        let mut tx = world.store.begin().await.unwrap();
        let connection = tx.find_connection(world.user, world.connection).await;
        let mut connection = connection.unwrap().unwrap();
        connection.updated_at = world.ambient.now();
        let saved = tx.upsert_connection(&connection, &Secret::new(token)).await;
        saved.unwrap();
        tx.commit().await.unwrap();
    };
    connect("revoked").await;
    let job = driven.one(MINUTE, JobState::Failed).await;
    assert_eq!(job.error_code, Some(ErrorCode::ReconnectRequired));
    let link = driven.found().await;
    let reason = link.upkeep.paused.unwrap().reason;
    assert_eq!(reason, PauseReason::ReconnectRequired);
    assert!(driven.after(Duration::from_hours(25)).await.is_empty());
    connect(TOKEN).await;
    driven.one(MINUTE, JobState::Succeeded).await;
    assert_eq!(world.production("A").as_deref(), Some("1"));
}

async fn a_run_that_fails_with_a_replaced_token_pauses_nothing(profile: Profile) {
    let mut world = World::start_manual(profile, Preset::Starter).await;
    let provider = world.renew_tokens().await;
    let lasting = || TokenPair::lasting(provider.authorize().access);
    world.give(&lasting()).await;
    world.set_vault(&[("A", "1")]).await;
    let link = world.link(AutoSync::OnChange);
    world.save_link(&link).await;
    let worker = world.manual_worker("worker").await;
    world.advance(MINUTE);
    worker.schedule().await.unwrap();
    let job = world.jobs().await.pop().unwrap().id;
    provider.hold_next();
    tokio::join!(worker.run(job), async {
        provider.held().await;
        world.give(&lasting()).await;
        provider.go_on();
    });
    assert_eq!(world.job(job).await.state, JobState::Queued);
    assert_eq!(world.find_link(link.id).await.upkeep.paused, None);
    worker.run(job).await;
    assert_eq!(world.job(job).await.state, JobState::Succeeded);
    let upkeep = world.find_link(link.id).await.upkeep;
    assert_eq!((upkeep.paused, upkeep.failures), (None, 0));
    assert_eq!(world.production("A").as_deref(), Some("1"));
    world.stop().await;
}

async fn an_environment_that_is_gone_at_the_provider_pauses_its_links(profile: Profile) {
    let driven = Driven::start_with(profile, hourly(AutoAction::Write), |link| {
        link.provider_environment = "gone".into();
        link.scope = "gone".into();
    });
    let driven = driven.await;
    let job = driven.one(MINUTE, JobState::Failed).await;
    assert_eq!(job.error_code, Some(ErrorCode::UnknownEnvironment));
    let link = driven.found().await;
    let reason = link.upkeep.paused.unwrap().reason;
    assert_eq!(reason, PauseReason::UnknownEnvironment);
}

async fn automatic_deletion_has_its_guards(profile: Profile) {
    let names: Vec<String> = (0..30).map(|n| format!("KEY_{n:02}")).collect();
    let all: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let driven = Driven::start_with(profile, AutoSync::OnChange, |link| link.allow_delete = true);
    let driven = driven.await;
    let world = &driven.world;
    let theirs = EnvSeed::new("THEIRS", "v", &["production"]);
    world.vercel.add_env(PROJECT, &theirs);
    world.set_vault(&all).await;
    driven.one(MINUTE, JobState::Succeeded).await;
    // What this vault did not write stays: links delete what they manage.
    assert_eq!(world.production("THEIRS").as_deref(), Some("v"));
    world.set_vault(&all[..28]).await;
    driven.one(MINUTE, JobState::Succeeded).await;
    assert_eq!(world.production("KEY_29"), None);
    // More than half at once, or everything, is more likely a mistake.
    for (left, code) in [(10, ErrorCode::TooManyDeletes), (0, ErrorCode::EmptySource)] {
        world.set_vault(&all[..left]).await;
        let job = driven.one(Duration::from_mins(3), JobState::Failed).await;
        assert_eq!(job.error_code, Some(code));
        assert_eq!(world.production("KEY_00").as_deref(), Some("1"));
        assert_eq!(world.production("KEY_27").as_deref(), Some("1"));
    }
    // It comes right by itself when the vault does.
    world.set_vault(&all[..25]).await;
    driven
        .one(Duration::from_mins(5), JobState::Succeeded)
        .await;
    assert_eq!(world.production("KEY_27"), None);
}

async fn a_job_does_not_outlive_what_its_link_said(profile: Profile) {
    let driven = Driven::start_with(profile, AutoSync::OnChange, |link| link.allow_delete = true);
    let driven = driven.await;
    let world = &driven.world;
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    driven.one(MINUTE, JobState::Succeeded).await;
    world.set_vault(&[("A", "1")]).await;
    world.advance(MINUTE);
    driven.worker.schedule().await.unwrap();
    let job = world.jobs().await.pop().unwrap();
    // The job is there; then its owner forbids what it was to do.
    driven.change(|link| link.allow_delete = false).await;
    driven.worker.run(job.id).await;
    let mut tx = world.store.begin_read().await.unwrap();
    let job = tx.job_snapshot(job.id).await.unwrap().unwrap();
    drop(tx);
    assert_eq!(job.state, JobState::Cancelled);
    driven.one(MINUTE, JobState::Succeeded).await;
    assert_eq!(world.production("B").as_deref(), Some("2"));
    // Of a link that is gone, nothing is done.
    world.set_vault(&[("A", "9")]).await;
    world.advance(MINUTE);
    driven.worker.schedule().await.unwrap();
    let job = world.jobs().await.pop().unwrap();
    let mut tx = world.store.begin().await.unwrap();
    assert!(tx.delete_link(world.vault, driven.link).await.unwrap());
    tx.commit().await.unwrap();
    driven.worker.run(job.id).await;
    assert_eq!(world.production("A").as_deref(), Some("1"));
}

async fn a_report_tells_what_has_drifted_and_writes_nothing(profile: Profile) {
    let driven = Driven::start(profile, hourly(AutoAction::Report)).await;
    let world = &driven.world;
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    let push = world.request(Direction::Push);
    let pushed = world.submit(JobKind::Sync, push).await;
    driven.worker.run(pushed).await;
    let job = driven.one(MINUTE, JobState::Succeeded).await;
    assert_eq!(job.kind, JobKind::Preview);
    let link = driven.found().await;
    assert_eq!(
        (link.upkeep.last_drift_at, link.upkeep.drifted_keys),
        (None, vec![])
    );
    let row = world.vercel.row(PROJECT, "A", "production").unwrap();
    world.vercel.edit_env(PROJECT, &row, "theirs");
    driven
        .one(Duration::from_hours(1), JobState::Succeeded)
        .await;
    let drifted_at = world.ambient.now();
    let link = driven.found().await;
    assert_eq!(link.upkeep.last_drift_at, Some(drifted_at));
    assert_eq!(link.upkeep.drifted_keys, ["A"]);
    assert_eq!(world.production("A").as_deref(), Some("theirs"));
    // What heals is a sync that somebody asks for.
    let healed = world.submit(JobKind::Sync, link.request()).await;
    driven.worker.run(healed).await;
    assert_eq!(world.production("A").as_deref(), Some("1"));
    let link = driven.found().await;
    assert_eq!(link.upkeep.last_drift_at, Some(drifted_at));
    assert!(link.upkeep.drifted_keys.is_empty());
    assert_eq!(link.upkeep.last.unwrap().job_id, healed);
}

async fn a_suspect_project_is_looked_at_again_and_nothing_is_deleted(profile: Profile) {
    let driven = Driven::start_with(profile, AutoSync::OnChange, |link| link.allow_delete = true);
    let driven = driven.await;
    let world = &driven.world;
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    driven.one(MINUTE, JobState::Succeeded).await;
    // A worker is held up in the middle of a sync until its lease is over.
    world.set_vault(&[("A", "3"), ("B", "2")]).await;
    world.advance(MINUTE);
    let slow = world.manual_worker("slow").await;
    slow.schedule().await.unwrap();
    let job = world.jobs().await.pop().unwrap().id;
    world.vercel.set_latency(Duration::from_millis(300));
    world.vercel.reset_calls();
    let held_up = async {
        while world.vercel.calls() == 0 {
            tokio::task::yield_now().await;
        }
        world.advance(MINUTE);
    };
    tokio::join!(slow.run(job), held_up);
    world.vercel.set_latency(Duration::ZERO);
    assert!(driven.found().await.upkeep.suspect_at.is_some());
    // The job is taken over; it was accepted before the suspicion, and does not allay it.
    driven.worker.sweep().await.unwrap();
    driven.worker.run(job).await;
    assert_eq!(world.production("A").as_deref(), Some("3"));
    assert!(driven.found().await.upkeep.suspect_at.is_some());
    // What the held up call wrote late is found; what the vault has no more is left for the next run.
    let row = world.vercel.row(PROJECT, "A", "production").unwrap();
    world.vercel.edit_env(PROJECT, &row, "late");
    world.set_vault(&[("A", "3")]).await;
    driven.one(MINUTE, JobState::Succeeded).await;
    assert_eq!(world.production("A").as_deref(), Some("3"));
    assert_eq!(world.production("B").as_deref(), Some("2"));
    assert_eq!(driven.found().await.upkeep.suspect_at, None);
    driven.one(MINUTE, JobState::Succeeded).await;
    assert_eq!(world.production("B"), None);
}

async fn what_has_ended_is_kept_for_a_time_only(profile: Profile) {
    let driven = Driven::start(profile, AutoSync::OnChange).await;
    let world = &driven.world;
    world.set_vault(&[("A", "1")]).await;
    let job = driven.one(MINUTE, JobState::Succeeded).await;
    let counts = async || {
        let mut tx = world.store.begin_read().await.unwrap();
        let (_, activity) = tx
            .list_activity(world.user, None, None, 10, 0)
            .await
            .unwrap();
        (world.jobs().await.len(), activity)
    };
    driven.worker.prune().await.unwrap();
    assert_eq!(counts().await, (1, 1));
    world.advance(Duration::from_hours(24 * 31));
    driven.worker.prune().await.unwrap();
    assert_eq!(counts().await, (0, 1));
    // What the link knows of it stays.
    assert_eq!(driven.found().await.upkeep.last.unwrap().job_id, job.id);
    world.advance(Duration::from_hours(24 * 340));
    driven.worker.prune().await.unwrap();
    assert_eq!(counts().await, (0, 0));
}

async fn one_environment_goes_to_every_destination_that_it_is_linked_with(profile: Profile) {
    let world = World::start_manual(profile, Preset::Starter).await;
    let places = ["production", "preview", "development"];
    for place in places {
        let mut link = world.link(AutoSync::OnChange);
        link.provider_environment = place.to_owned();
        link.scope = place.to_owned();
        world.save_link(&link).await;
    }
    let worker = world.manual_worker("worker").await;
    world.set_vault(&[("EVERYWHERE", "1")]).await;
    world.advance(2 * MINUTE);
    worker.schedule().await.unwrap();
    let jobs = world.jobs().await;
    assert_eq!(jobs.len(), 3);
    for job in jobs {
        worker.run(job.id).await;
    }
    // They write to one project, and so one after the other.
    world.advance(MINUTE);
    worker.sweep().await.unwrap();
    for job in world.jobs().await {
        worker.run(job.id).await;
        assert_eq!(world.job(job.id).await.state, JobState::Succeeded);
    }
    for place in places {
        let value = world.vercel.value(PROJECT, "EVERYWHERE", place, None);
        assert_eq!(value.as_deref(), Some("1"), "{place}");
    }
    world.stop().await;
}
