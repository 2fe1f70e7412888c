//! What is kept for a time only.

use chrono::TimeDelta;
use keyway_shared::domain::activity::{Action, Activity, Platform};
use keyway_shared::domain::connection::{ConnectionStatus, ProviderName};
use keyway_shared::domain::job::JobState;
use keyway_shared::secret::Secret;
use keyway_shared::store::{Backend, Kept, Settlement};
use uuid::Uuid;

use crate::world::{Place, World};

async fn prune(world: &World, kept: Kept, age: TimeDelta, limit: i64) -> u64 {
    let mut tx = world.tx().await;
    let before = world.now() - age;
    let rows = tx.prune(kept, before, limit).await.unwrap();
    tx.commit().await.unwrap();
    rows
}

/// A job that has run and ended, with its report.
async fn ended(world: &World, place: &Place) -> Uuid {
    let id = world.queued(place, None).await;
    let (_, lease_id) = world.taken(id).await;
    let mut tx = world.tx().await;
    let settlement = Settlement {
        id,
        lease_id,
        state: JobState::Succeeded,
        error_code: None,
        error: None,
        provider_calls_add: 1,
        rate_limited_ms_add: 0,
        progress_done: 0,
        progress_total: 0,
    };
    assert!(tx.settle_job(&settlement).await.unwrap().is_some());
    let result = serde_json::json!({"status": "success"});
    tx.write_report(id, None, Some(&result)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

pub(crate) async fn jobs_go_when_they_have_ended_long_ago(world: &World) {
    let acme = world.place("acme").await;
    let (day, month) = (TimeDelta::days(1), TimeDelta::days(30));
    let waiting = world.queued(&acme, None).await;
    let mut old = Vec::new();
    for _ in 0..3 {
        world.advance(1);
        old.push(ended(world, &acme).await);
    }
    world.advance(30 * 24 * 3600);
    let fresh = ended(world, &acme).await;
    assert_eq!(prune(world, Kept::Jobs, month + day, 10).await, 0);
    // The oldest first, so many at a time.
    assert_eq!(prune(world, Kept::Jobs, month - day, 2).await, 2);
    assert_eq!(prune(world, Kept::Jobs, month - day, 2).await, 1);
    assert_eq!(prune(world, Kept::Jobs, month - day, 2).await, 0);
    let mut tx = world.tx().await;
    for id in old {
        assert!(tx.job_snapshot(id).await.unwrap().is_none());
        assert!(tx.find_report(id).await.unwrap().is_none());
        assert!(tx.list_attempts(id).await.unwrap().is_empty());
    }
    // Neither what has not ended, however old, nor what has just ended.
    for id in [waiting, fresh] {
        assert!(tx.job_snapshot(id).await.unwrap().is_some());
    }
    assert_eq!(tx.list_attempts(fresh).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
}

pub(crate) async fn two_prunings_at_once_do_not_meet(world: &World) {
    let acme = world.place("acme").await;
    for _ in 0..4 {
        ended(world, &acme).await;
    }
    world.advance(60);
    let mut first = world.tx().await;
    assert_eq!(first.prune(Kept::Jobs, world.now(), 3).await.unwrap(), 3);
    if world.store.backend() == Backend::Postgres {
        // It neither waits nor takes the same.
        assert_eq!(prune(world, Kept::Jobs, TimeDelta::zero(), 3).await, 1);
    }
    first.commit().await.unwrap();
    prune(world, Kept::Jobs, TimeDelta::zero(), 3).await;
    assert_eq!(prune(world, Kept::Jobs, TimeDelta::zero(), 3).await, 0);
}

pub(crate) async fn activity_goes_by_age(world: &World) {
    let acme = world.place("acme").await;
    let note = async || {
        let mut tx = world.tx().await;
        tx.insert_activity(&Activity {
            id: world.ambient.new_id(),
            at: world.now(),
            action: Action::SecretsPushed,
            user_id: Some(acme.user.id),
            username: acme.user.username.clone(),
            vault_id: None,
            repo_full_name: None,
            platform: Platform::Cli,
            ip: None,
            api_key_id: None,
            session_id: None,
            request_id: None,
            metadata: serde_json::json!({}),
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
    };
    note().await;
    world.advance(100);
    note().await;
    assert_eq!(
        prune(world, Kept::Activity, TimeDelta::seconds(101), 9).await,
        0
    );
    assert_eq!(
        prune(world, Kept::Activity, TimeDelta::seconds(50), 9).await,
        1
    );
    let mut tx = world.tx().await;
    let (left, _) = tx
        .list_activity(acme.user.id, None, None, 9, 0)
        .await
        .unwrap();
    assert_eq!(left.len(), 1);
    tx.commit().await.unwrap();
}

pub(crate) async fn what_is_left_of_a_connection_goes_with_its_last_link(world: &World) {
    let acme = world.place("acme").await;
    let link = world.link(&acme, "prj_1");
    let (user, id) = (acme.user.id, acme.connection.id);
    let mut tx = world.tx().await;
    tx.upsert_link(&link, "vercel|x|prj_1").await.unwrap();
    tx.disconnect(user, id, world.now()).await.unwrap();
    tx.commit().await.unwrap();
    let now = TimeDelta::zero();
    world.advance(10);
    assert_eq!(prune(world, Kept::Disconnected, now, 10).await, 0);
    let mut tx = world.tx().await;
    assert!(tx.delete_link(acme.vault.id, link.id).await.unwrap());
    let other = world.connection(&acme.user, "team_other");
    tx.upsert_connection(&other, &Secret::new("t"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(prune(world, Kept::Disconnected, now, 10).await, 1);
    let mut tx = world.tx().await;
    let left = tx.connection_ids(user, ProviderName::Vercel).await;
    assert_eq!(left.unwrap(), [other.id]);
    tx.commit().await.unwrap();
}

pub(crate) async fn events_are_forgotten_long_after_they_came(world: &World) {
    let acme = world.place("acme").await;
    let receive = async |event: &str| {
        let mut tx = world.tx().await;
        let provider = ProviderName::Vercel;
        let new = tx.receive_event(provider, event, world.now()).await;
        tx.commit().await.unwrap();
        new.unwrap()
    };
    assert!(receive("evt_1").await);
    assert!(!receive("evt_1").await);
    world.advance(3600);
    assert!(receive("evt_2").await);
    let hour = TimeDelta::hours(1);
    assert_eq!(prune(world, Kept::ReceivedEvents, hour, 10).await, 0);
    world.advance(1);
    assert_eq!(prune(world, Kept::ReceivedEvents, hour, 10).await, 1);
    assert!(receive("evt_1").await);
    assert!(!receive("evt_2").await);

    // What is not committed has not come.
    let mut tx = world.tx().await;
    let now = world.now();
    assert!(
        tx.receive_event(ProviderName::Vercel, "evt_3", now)
            .await
            .unwrap()
    );
    drop(tx);
    assert!(receive("evt_3").await);

    // Only connections of that installation are lost.
    let mut tx = world.tx().await;
    for (account, installation) in [("a", Some("icfg_1")), ("b", Some("icfg_2")), ("c", None)] {
        let mut connection = world.connection(&acme.user, account);
        connection.installation_id = installation.map(str::to_owned);
        tx.upsert_connection(&connection, &Secret::new("t"))
            .await
            .unwrap();
    }
    let lost = tx
        .lose_installation(ProviderName::Vercel, "icfg_1", now)
        .await;
    let lost = lost.unwrap();
    let again = tx
        .lose_installation(ProviderName::Vercel, "icfg_1", now)
        .await;
    assert!(again.unwrap().is_empty());
    let all = tx.list_connections(acme.user.id).await.unwrap();
    let dead = all
        .iter()
        .filter(|one| one.status == ConnectionStatus::NeedsReconnect);
    let dead: Vec<_> = dead.map(|one| one.id).collect();
    assert_eq!(dead, lost);
    assert_eq!(lost.len(), 1);
    tx.commit().await.unwrap();
}
