//! Links that sync by themselves.

use std::collections::BTreeSet;
use std::time::Duration;

use keyway_shared::domain::auto_sync::{AutoAction, AutoMode, AutoSync, AutoSyncParts};
use keyway_shared::domain::connection::{ConnectionStatus, ReconnectReason};
use keyway_shared::domain::job::{ErrorCode, JobClass, JobKind, JobState};
use keyway_shared::domain::link::Link;
use keyway_shared::domain::upkeep::{Ending, LastRun, Pause, PauseReason};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Backend, Constraint, StoreError};
use keyway_shared::sync::options::SyncRequest;

use crate::links::PROJECT;
use crate::world::World;

const DAY: Duration = Duration::from_hours(24);

fn on_change(mut link: Link) -> Link {
    link.auto_sync = AutoSync::OnChange;
    link
}

async fn find(world: &World, link: &Link) -> Link {
    let mut tx = world.tx().await;
    let found = tx.find_link(link.vault_id, link.id).await.unwrap();
    tx.commit().await.unwrap();
    found.unwrap()
}

pub(crate) async fn what_a_link_asks_for_comes_back(world: &World) {
    let acme = world.place("acme").await;
    let cron = AutoSyncParts {
        cron: Some("30 3 * * 1-5"),
        time_zone: Some("Europe/Berlin"),
        action: Some(AutoAction::Report),
        ..AutoSyncParts::default()
    };
    let mut link = world.link(&acme, "prj_1");
    link.include = Some(vec!["A_*".to_owned()]);
    link.exclude = Some(vec!["*_B".to_owned(), "C".to_owned()]);
    link.prefix = Some("A".to_owned());
    link.auto_sync = AutoSync::new(AutoMode::Interval, cron).unwrap();
    let mut tx = world.tx().await;
    let (saved, is_new) = tx.upsert_link(&link, PROJECT).await.unwrap();
    assert!(is_new && saved.upkeep.next_run_at.is_some());
    link.upkeep = saved.upkeep.clone();
    assert_eq!(saved, link);
    link.include = None;
    link.auto_sync = AutoSync::OnChange;
    link.upkeep.paused = Some(Pause {
        at: world.now(),
        reason: PauseReason::Requested,
    });
    tx.update_link(&link).await.unwrap();
    tx.commit().await.unwrap();
    let found = find(world, &link).await;
    link.upkeep.next_run_at = None;
    assert_eq!(found, link);
}

pub(crate) async fn a_change_of_the_environment_makes_its_links_due(world: &World) {
    let acme = world.place("acme").await;
    let follows = on_change(world.link(&acme, "prj_1"));
    let mut elsewhere = on_change(world.link(&acme, "prj_2"));
    elsewhere.environment_id = acme.staging.id;
    let still = world.link(&acme, "prj_3");
    let mut tx = world.tx().await;
    for (link, project) in [(&follows, "1"), (&elsewhere, "2"), (&still, "3")] {
        tx.upsert_link(link, project).await.unwrap();
    }
    tx.commit().await.unwrap();
    let put = async |value: &str| {
        let (vault, environment) = (acme.vault.id, acme.production.id);
        let mut tx = world.tx().await;
        let (by, now) = (Some(acme.user.id), world.now());
        tx.put_secret(vault, environment, "A", &Secret::new(value), by, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    let next = async |link: &Link| {
        let next = find(world, link).await.upkeep.next_run_at;
        next.map(|next| (next - world.now()).num_seconds())
    };
    world.advance(100);
    put("1").await;
    assert_eq!(next(&follows).await, Some(5));
    world.advance(4);
    put("2").await;
    assert_eq!(next(&follows).await, Some(5));
    // An equal value is no change, and neither is one elsewhere.
    world.advance(1);
    put("2").await;
    assert_eq!(next(&follows).await, Some(4));
    assert_eq!(next(&elsewhere).await, Some(5 - 105));
    assert_eq!(next(&still).await, None);
    // It does not wait for ever for the changes to end.
    for value in ["3", "4", "5", "6", "7", "8"] {
        world.advance(4);
        put(value).await;
    }
    assert_eq!(next(&follows).await, Some(1));
}

/// Two looks at once, as of two workers, and as the only one.
pub(crate) async fn due_links_are_started_once(world: &World) {
    let acme = world.place("acme").await;
    let links: Vec<_> = (0..7)
        .map(|n| on_change(world.link(&acme, &format!("prj_{n}"))))
        .collect();
    let mut tx = world.tx().await;
    for link in &links {
        let key = format!("vercel|x|{}", link.project_id);
        tx.upsert_link(link, &key).await.unwrap();
    }
    assert_eq!(tx.oldest_due_link().await.unwrap(), None);
    tx.commit().await.unwrap();
    world.advance(6);
    let mut first = world.tx().await;
    assert!(first.oldest_due_link().await.unwrap().is_some());
    let mut jobs = first.start_due_links(4, DAY).await.unwrap().jobs;
    assert_eq!(jobs.len(), 4);
    if world.store.backend() == Backend::Postgres {
        // What the one has locked the other leaves out.
        let mut second = world.tx().await;
        jobs.extend(second.start_due_links(100, DAY).await.unwrap().jobs);
        second.commit().await.unwrap();
        first.commit().await.unwrap();
    } else {
        first.commit().await.unwrap();
        let mut second = world.tx().await;
        jobs.extend(second.start_due_links(100, DAY).await.unwrap().jobs);
        second.commit().await.unwrap();
    }
    assert_eq!(jobs.len(), 7);
    let mut of = BTreeSet::new();
    for id in &jobs {
        let job = world.snapshot(*id).await;
        assert_eq!((job.kind, job.class), (JobKind::Sync, JobClass::Background));
        assert_eq!(job.user_id, acme.user.id);
        assert_eq!(job.deadline_at, world.now() + DAY);
        let link = links
            .iter()
            .find(|link| Some(link.id) == job.request.link_id);
        let link = link.unwrap();
        assert!(link.is_request(&job.request) && job.request.verify);
        assert_eq!(
            job.project_key,
            Some(format!("vercel|x|{}", link.project_id))
        );
        of.insert(link.id);
    }
    assert_eq!(of.len(), 7);
    // A link whose job has not ended gets no other, also when it is due.
    world.advance(7200);
    let mut tx = world.tx().await;
    let none = tx.start_due_links(100, DAY).await.unwrap();
    assert_eq!((none.links, none.jobs.len()), (7, 0));
    assert_eq!(tx.oldest_due_link().await.unwrap(), None);
    tx.commit().await.unwrap();
}

pub(crate) async fn a_run_that_ends_sets_the_next_one(world: &World) {
    let acme = world.place("acme").await;
    let link = on_change(world.link(&acme, "prj_1"));
    let mut tx = world.tx().await;
    tx.upsert_link(&link, PROJECT).await.unwrap();
    world.advance(6);
    let jobs = tx.start_due_links(100, DAY).await.unwrap().jobs;
    tx.commit().await.unwrap();
    let (job, lease) = world.taken(jobs[0]).await;
    let ending = |state, synced| Ending {
        run: LastRun {
            job_id: job.id,
            at: world.now(),
            state,
            error_code: None,
        },
        accepted_at: job.created_at,
        automatic: true,
        synced,
        verified: true,
        drift: None,
    };
    // What was asked for was something else: then the revision is not what this link has seen.
    let other = SyncRequest {
        prefix: Some("B".to_owned()),
        ..job.request.clone()
    };
    let mut tx = world.tx().await;
    let succeeded = ending(JobState::Succeeded, Some(0));
    tx.end_link_run(link.id, &other, succeeded.clone())
        .await
        .unwrap();
    let found = tx.find_link(link.vault_id, link.id).await.unwrap().unwrap();
    assert_eq!(found.upkeep.synced_revision, None);
    tx.end_link_run(link.id, &job.request, succeeded)
        .await
        .unwrap();
    let found = tx.find_link(link.vault_id, link.id).await.unwrap().unwrap();
    assert_eq!(found.upkeep.synced_revision, Some(0));
    assert_eq!(
        found.upkeep.last,
        Some(ending(JobState::Succeeded, None).run)
    );
    let day = Duration::from_hours(23);
    assert!(found.upkeep.next_run_at > Some(world.now() + day));
    // Suspicion makes it due at once.
    assert_eq!(tx.suspect_links(PROJECT, world.now()).await.unwrap(), 1);
    assert_eq!(tx.oldest_due_link().await.unwrap(), Some(world.now()));
    // One that is paused stays so, and is careful when it goes on.
    let mut paused = found.clone();
    paused.upkeep.request_pause(true, world.now());
    tx.update_link(&paused).await.unwrap();
    assert_eq!(tx.oldest_due_link().await.unwrap(), None);
    world.advance(1);
    assert_eq!(tx.suspect_links(PROJECT, world.now()).await.unwrap(), 1);
    assert_eq!(tx.oldest_due_link().await.unwrap(), None);
    let kept = tx.find_link(link.vault_id, link.id).await.unwrap().unwrap();
    assert_eq!(kept.upkeep.suspect_at, Some(world.now()));
    // One that is gone is no error.
    tx.delete_link(link.vault_id, link.id).await.unwrap();
    tx.end_link_run(link.id, &job.request, ending(JobState::Failed, None))
        .await
        .unwrap();
    drop((tx, lease));
}

pub(crate) async fn a_link_that_changes_cancels_its_runs(world: &World) {
    let acme = world.place("acme").await;
    let mut link = on_change(world.link(&acme, "prj_1"));
    let mut tx = world.tx().await;
    tx.upsert_link(&link, PROJECT).await.unwrap();
    world.advance(6);
    let jobs = tx.start_due_links(100, DAY).await.unwrap().jobs;
    let mut asked = world.new_job(&acme, None);
    asked.class = JobClass::Interactive;
    asked.request.link_id = Some(link.id);
    tx.insert_job(&asked).await.unwrap();
    // Another name changes no run.
    link.project_name = Some("other".to_owned());
    tx.update_link(&link).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.snapshot(jobs[0]).await.state, JobState::Queued);
    link.allow_delete = true;
    let mut tx = world.tx().await;
    tx.update_link(&link).await.unwrap();
    tx.commit().await.unwrap();
    let job = world.snapshot(jobs[0]).await;
    assert_eq!(job.state, JobState::Cancelled);
    assert_eq!(job.error_code, Some(ErrorCode::Cancelled));
    // What a person asked for is theirs.
    assert_eq!(world.snapshot(asked.id).await.state, JobState::Queued);
}

pub(crate) async fn connecting_again_ends_the_pause_for_it(world: &World) {
    let acme = world.place("acme").await;
    let mut lapsed = on_change(world.link(&acme, "prj_1"));
    let mut stopped = on_change(world.link(&acme, "prj_2"));
    let pause = |reason| {
        Some(Pause {
            at: world.now(),
            reason,
        })
    };
    let mut tx = world.tx().await;
    for link in [&mut lapsed, &mut stopped] {
        tx.upsert_link(link, &link.project_id).await.unwrap();
    }
    lapsed.upkeep.paused = pause(PauseReason::ReconnectRequired);
    stopped.upkeep.paused = pause(PauseReason::Requested);
    for link in [&lapsed, &stopped] {
        tx.update_link(link).await.unwrap();
    }
    tx.upsert_connection(&acme.connection, &Secret::new("another"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let lapsed = find(world, &lapsed).await.upkeep;
    assert!(lapsed.paused.is_none() && lapsed.next_run_at.is_some());
    assert!(find(world, &stopped).await.upkeep.paused.is_some());
}

pub(crate) async fn links_outlive_their_connection(world: &World) {
    let acme = world.place("acme").await;
    let (user, id) = (acme.user.id, acme.connection.id);
    let follows = on_change(world.link(&acme, "prj_1"));
    let held = on_change(world.link(&acme, "prj_2"));
    let mut tx = world.tx().await;
    for link in [&follows, &held] {
        tx.upsert_link(link, &link.project_id).await.unwrap();
    }
    tx.set_link_paused(held.id, true).await.unwrap();
    let links = tx.disconnect(user, id, world.now()).await.unwrap();
    assert_eq!(links, Some(2));
    tx.commit().await.unwrap();
    let reason = async |link: &Link| find(world, link).await.upkeep.paused.map(|one| one.reason);
    assert_eq!(reason(&follows).await, Some(PauseReason::Disconnected));
    assert_eq!(find(world, &follows).await.upkeep.next_run_at, None);
    assert_eq!(reason(&held).await, Some(PauseReason::Requested));

    // For everybody but the links it is gone, and its token is.
    let mut tx = world.tx().await;
    assert_eq!(tx.find_connection(user, id).await.unwrap(), None);
    assert_eq!(tx.list_connections(user).await.unwrap(), []);
    assert!(tx.connection_credential(user, id).await.unwrap().is_none());
    let again = tx.disconnect(user, id, world.now()).await.unwrap();
    assert_eq!(again, None);
    assert!(
        !tx.mark_needs_reconnect(id, None, ReconnectReason::Refused, world.now())
            .await
            .unwrap()
    );
    assert!(!tx.hold_connection(user, id).await.unwrap());
    let left = tx.connection_of_link(acme.vault.id, follows.id).await;
    let left = left.unwrap().unwrap();
    assert_eq!((left.id, left.status), (id, ConnectionStatus::Disconnected));
    let foreign = tx.connection_of_link(acme.user.id, follows.id).await;
    assert_eq!(foreign.unwrap(), None);
    // A change of the environment does not wake them, and neither does saying that one goes on.
    let (vault, environment, now) = (acme.vault.id, acme.production.id, world.now());
    tx.put_secret(vault, environment, "A", &Secret::new("1"), None, now)
        .await
        .unwrap();
    tx.set_link_paused(held.id, false).await.unwrap();
    tx.commit().await.unwrap();
    for link in [&follows, &held] {
        assert_eq!(find(world, link).await.upkeep.next_run_at, None);
        assert_eq!(reason(link).await, Some(PauseReason::Disconnected));
    }

    // The same account again is the same connection.
    let back = world.connection(&acme.user, "team_acme");
    let mut tx = world.tx().await;
    let back = tx.upsert_connection(&back, &Secret::new("new")).await;
    assert_eq!(back.unwrap().id, id);
    let (connection, credential) = tx.connection_credential(user, id).await.unwrap().unwrap();
    assert_eq!(connection.status, ConnectionStatus::Active);
    assert_eq!(credential.token.expose(), "new");
    tx.commit().await.unwrap();
    for link in [&follows, &held] {
        let upkeep = find(world, link).await.upkeep;
        assert!(upkeep.paused.is_none() && upkeep.next_run_at.is_some());
    }
}

/// Whoever gives the connection up sees the link that somebody is just saving with it.
pub(crate) async fn a_link_that_is_being_saved_is_waited_for(world: &World) {
    let acme = world.place("acme").await;
    let (user, id) = (acme.user.id, acme.connection.id);
    let link = on_change(world.link(&acme, "prj_1"));
    let disconnect = async || {
        let mut tx = world.tx().await;
        let links = tx.disconnect(user, id, world.now()).await.unwrap();
        tx.commit().await.unwrap();
        links
    };
    let mut saver = world.tx().await;
    assert!(saver.hold_connection(user, id).await.unwrap());
    saver.upsert_link(&link, PROJECT).await.unwrap();
    let links = if world.store.backend() == Backend::Sqlite {
        // There is one writer at a time.
        saver.commit().await.unwrap();
        disconnect().await
    } else {
        let (links, ()) = tokio::join!(disconnect(), async {
            world.somebody_waits_for_a_lock().await;
            saver.commit().await.unwrap();
        });
        links
    };
    assert_eq!(links, Some(1));
    assert!(find(world, &link).await.upkeep.paused.is_some());
}

pub(crate) async fn a_link_goes_on_with_another_connection(world: &World) {
    let acme = world.place("acme").await;
    let other = world.connection(&acme.user, "team_other");
    let mut link = on_change(world.link(&acme, "prj_1"));
    let mut tx = world.tx().await;
    tx.upsert_connection(&other, &Secret::new("t"))
        .await
        .unwrap();
    tx.upsert_link(&link, PROJECT).await.unwrap();
    let now = world.now();
    tx.disconnect(acme.user.id, acme.connection.id, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    link = find(world, &link).await;
    link.connection_id = other.id;
    link.upkeep.reconnect();
    let mut tx = world.tx().await;
    tx.update_link(&link).await.unwrap();
    tx.commit().await.unwrap();
    let moved = find(world, &link).await;
    assert_eq!(moved.connection_id, other.id);
    assert!(moved.upkeep.paused.is_none() && moved.upkeep.next_run_at.is_some());

    // Not where there is one already.
    let mut tx = world.tx().await;
    let back = world.connection(&acme.user, "team_acme");
    let back = tx.upsert_connection(&back, &Secret::new("t")).await;
    let mut second = world.link(&acme, "prj_1");
    second.connection_id = back.unwrap().id;
    tx.upsert_link(&second, PROJECT).await.unwrap();
    tx.commit().await.unwrap();
    second.connection_id = other.id;
    let mut tx = world.tx().await;
    let refused = tx.update_link(&second).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Conflict(Constraint::LinksDestination)),
        "{refused:?}"
    );
}
