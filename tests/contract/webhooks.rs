//! Webhooks and their deliveries.

use keyway_shared::domain::activity::{Action, Activity, Platform};
use keyway_shared::domain::connection::ReconnectReason;
use keyway_shared::domain::job::{JobClass, JobKind, JobState};
use keyway_shared::domain::webhook::{Attempt, DisabledReason, Event, EventType, OVERLAP, Webhook};
use keyway_shared::secret::Secret;
use keyway_shared::store::{JobFilter, StoreError};
use uuid::Uuid;

use crate::world::{Place, World};

const SECRET: &str = "whsec_canary";

/// Adds a webhook that wants these.
async fn webhook(world: &World, place: &Place, events: &[EventType]) -> Webhook {
    let webhook = Webhook {
        id: world.ambient.new_id(),
        vault_id: place.vault.id,
        created_by: place.user.id,
        url: "https://example.com/hook".to_owned(),
        events: events.to_vec(),
        previous_until: None,
        failing_since: None,
        disabled: None,
        created_at: world.now(),
        updated_at: world.now(),
    };
    let mut tx = world.tx().await;
    let secret = Secret::new(SECRET);
    tx.insert_webhook(&webhook, &secret).await.unwrap();
    tx.commit().await.unwrap();
    webhook
}

async fn publish(world: &World, vault: Uuid, kind: EventType) -> Vec<Uuid> {
    let event = Event {
        kind,
        data: serde_json::json!({ "key": "A" }),
    };
    let mut tx = world.tx().await;
    let jobs = tx.publish(vault, &event).await.unwrap();
    tx.commit().await.unwrap();
    jobs
}

async fn attempt(world: &World, job: Uuid, status: Option<u16>) {
    let mut tx = world.tx().await;
    tx.record_attempt(job, Attempt { status }).await.unwrap();
    tx.commit().await.unwrap();
}

pub(crate) async fn webhooks_belong_to_their_vault(world: &World) {
    let (acme, other) = (world.place("acme").await, world.place("other").await);
    let made = webhook(world, &acme, &[EventType::SyncFailed]).await;
    let mut tx = world.tx().await;
    let found = tx.find_webhook(acme.vault.id, made.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&made));
    let listed = tx.list_webhooks(acme.vault.id).await.unwrap();
    assert_eq!(listed.as_slice(), std::slice::from_ref(&made));
    assert!(
        tx.find_webhook(other.vault.id, made.id)
            .await
            .unwrap()
            .is_none()
    );
    assert!(tx.list_webhooks(other.vault.id).await.unwrap().is_empty());
    assert!(
        !tx.delete_webhook(other.vault.id, made.id, world.now())
            .await
            .unwrap()
    );
    let stolen = Webhook {
        vault_id: other.vault.id,
        ..made.clone()
    };
    let refused = tx.update_webhook(&stolen).await.unwrap_err();
    assert!(matches!(refused, StoreError::RowsAffected { rows: 0, .. }));
    let changed = Webhook {
        url: "https://example.org/".to_owned(),
        events: vec![EventType::SyncPartial, EventType::DriftDetected],
        disabled: Some((world.now(), DisabledReason::Requested)),
        ..made
    };
    tx.update_webhook(&changed).await.unwrap();
    let found = tx.find_webhook(acme.vault.id, changed.id).await.unwrap();
    assert_eq!(found, Some(changed));
}

pub(crate) async fn an_event_is_a_job_for_each_that_wants_it(world: &World) {
    let (acme, other) = (world.place("acme").await, world.place("other").await);
    let wants = webhook(
        world,
        &acme,
        &[EventType::SyncFailed, EventType::SyncPartial],
    )
    .await;
    webhook(world, &acme, &[EventType::SyncSucceeded]).await;
    webhook(world, &other, &[EventType::SyncFailed]).await;
    let mut deaf = webhook(world, &acme, &[EventType::SyncFailed]).await;
    deaf.disabled = Some((world.now(), DisabledReason::Requested));
    let mut tx = world.tx().await;
    tx.update_webhook(&deaf).await.unwrap();
    tx.commit().await.unwrap();

    let [id] = publish(world, acme.vault.id, EventType::SyncFailed)
        .await
        .try_into()
        .unwrap();
    let job = world.snapshot(id).await;
    assert_eq!(
        (job.kind, job.class),
        (JobKind::Webhook, JobClass::Background)
    );
    assert_eq!((job.state, job.project_key), (JobState::Queued, None));
    assert_eq!(
        (job.environment_id, job.connection_id),
        (Uuid::nil(), Uuid::nil())
    );
    let mut tx = world.tx().await;
    let (listed, total) = tx.list_deliveries(wants.id, 10, 0).await.unwrap();
    assert_eq!((listed.len(), total), (1, 1));
    assert_eq!((listed[0].id, listed[0].event), (id, EventType::SyncFailed));
    let outgoing = tx.outgoing(id).await.unwrap().unwrap();
    let body: serde_json::Value = serde_json::from_str(&outgoing.body).unwrap();
    assert_eq!(body["type"], "sync.failed");
    assert_eq!(body["data"]["vault"], "acme/app");
    assert_eq!(body["data"]["key"], "A");
    // Nobody's jobs, and not what a connection that goes away takes with it.
    let filter = JobFilter::default();
    let (jobs, total) = tx.list_jobs(acme.user.id, &filter, 10, 0).await.unwrap();
    assert_eq!((jobs.len(), total), (0, 0));
    assert!(tx.find_job(acme.user.id, id).await.unwrap().is_none());
    tx.cancel_connection_jobs(acme.connection.id, world.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.snapshot(id).await.state, JobState::Queued);
}

pub(crate) async fn what_is_not_committed_tells_nobody(world: &World) {
    let acme = world.place("acme").await;
    let hook = webhook(world, &acme, &[EventType::SyncFailed]).await;
    let event = Event {
        kind: EventType::SyncFailed,
        data: serde_json::json!({}),
    };
    let mut tx = world.tx().await;
    assert_eq!(tx.publish(acme.vault.id, &event).await.unwrap().len(), 1);
    drop(tx);
    let mut tx = world.tx().await;
    let (_, total) = tx.list_deliveries(hook.id, 10, 0).await.unwrap();
    assert_eq!(total, 0);
}

pub(crate) async fn an_entry_of_a_job_tells_whether_anybody_listens(world: &World) {
    let acme = world.place("acme").await;
    let entry = || Activity {
        id: world.ambient.new_id(),
        at: world.now(),
        action: Action::SecretsSynced,
        user_id: Some(acme.user.id),
        username: String::new(),
        vault_id: Some(acme.vault.id),
        repo_full_name: None,
        platform: Platform::Api,
        ip: None,
        api_key_id: None,
        session_id: None,
        request_id: None,
        metadata: serde_json::json!({}),
    };
    let mut tx = world.tx().await;
    assert!(!tx.insert_job_activity(&entry(), Uuid::nil()).await.unwrap());
    tx.commit().await.unwrap();
    let mut hook = webhook(world, &acme, &[EventType::SyncFailed]).await;
    let mut tx = world.tx().await;
    assert!(tx.insert_job_activity(&entry(), Uuid::nil()).await.unwrap());
    hook.disabled = Some((world.now(), DisabledReason::Requested));
    tx.update_webhook(&hook).await.unwrap();
    assert!(!tx.insert_job_activity(&entry(), Uuid::nil()).await.unwrap());
}

pub(crate) async fn secrets_are_sealed_in_their_row_and_overlap(world: &World) {
    let acme = world.place("acme").await;
    let hook = webhook(world, &acme, &[EventType::SyncFailed]).await;
    let other = webhook(world, &acme, &[EventType::SyncPartial]).await;
    let [job] = publish(world, acme.vault.id, EventType::SyncFailed)
        .await
        .try_into()
        .unwrap();
    assert!(!world.database.dump().await.contains("canary"));
    let secrets = async || {
        let mut tx = world.tx().await;
        let outgoing = tx.outgoing(job).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let texts = outgoing
            .secrets
            .iter()
            .map(|secret| secret.expose().to_owned());
        texts.collect::<Vec<_>>()
    };
    assert_eq!(secrets().await, [SECRET]);
    let mut tx = world.tx().await;
    let new = Secret::new("whsec_new");
    let until = world.now() + OVERLAP;
    tx.rotate_webhook_secret(hook.id, &new, until, world.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(secrets().await, ["whsec_new", SECRET]);
    world.clock.advance(OVERLAP.to_std().unwrap());
    assert_eq!(secrets().await, ["whsec_new"]);
    // A secret of another row does not open here.
    world
        .meddle(
            "UPDATE webhooks SET secret_ciphertext =
                 (SELECT o.secret_ciphertext FROM webhooks o WHERE o.id = $2) WHERE id = $1",
            &[hook.id, other.id],
        )
        .await;
    let mut tx = world.tx().await;
    let damaged = tx.outgoing(job).await.unwrap_err();
    assert!(
        matches!(
            damaged,
            StoreError::Corrupt {
                table: "webhooks",
                ..
            }
        ),
        "{damaged}"
    );
}

pub(crate) async fn failing_for_days_disables(world: &World) {
    let acme = world.place("acme").await;
    let hook = webhook(world, &acme, &[EventType::SyncFailed]).await;
    let [job] = publish(world, acme.vault.id, EventType::SyncFailed)
        .await
        .try_into()
        .unwrap();
    let found = async || {
        let mut tx = world.tx().await;
        tx.find_webhook(acme.vault.id, hook.id)
            .await
            .unwrap()
            .unwrap()
    };
    attempt(world, job, Some(500)).await;
    let first = world.now();
    assert_eq!(found().await.failing_since, Some(first));
    world.advance(3600);
    attempt(world, job, None).await;
    assert_eq!(found().await.failing_since, Some(first));
    attempt(world, job, Some(200)).await;
    assert_eq!(found().await.failing_since, None);
    attempt(world, job, Some(500)).await;
    world.advance(5 * 24 * 3600 - 1);
    attempt(world, job, Some(500)).await;
    assert_eq!(found().await.disabled, None);
    world.advance(1);
    attempt(world, job, Some(500)).await;
    let disabled = Some((world.now(), DisabledReason::Failing));
    assert_eq!(found().await.disabled, disabled);
    world.advance(1);
    attempt(world, job, Some(410)).await;
    assert_eq!(found().await.disabled, disabled, "once");
    let mut tx = world.tx().await;
    let vault = Some(acme.vault.id);
    let (entries, _) = tx
        .list_activity(acme.user.id, vault, None, 10, 0)
        .await
        .unwrap();
    let [entry] = entries.try_into().unwrap();
    assert_eq!(
        (entry.action, entry.user_id),
        (Action::WebhookChanged, None)
    );
    assert_eq!(entry.repo_full_name.as_deref(), Some("acme/app"));
    let (listed, _) = tx.list_deliveries(hook.id, 10, 0).await.unwrap();
    assert_eq!(listed[0].last_status, Some(410));
}

pub(crate) async fn a_deleted_webhook_takes_what_waits_with_it(world: &World) {
    let acme = world.place("acme").await;
    let hook = webhook(world, &acme, &[EventType::SyncFailed]).await;
    let [waits] = publish(world, acme.vault.id, EventType::SyncFailed)
        .await
        .try_into()
        .unwrap();
    let [runs] = publish(world, acme.vault.id, EventType::SyncFailed)
        .await
        .try_into()
        .unwrap();
    world.taken(runs).await;
    let mut tx = world.tx().await;
    assert!(
        tx.delete_webhook(acme.vault.id, hook.id, world.now())
            .await
            .unwrap()
    );
    assert!(tx.outgoing(runs).await.unwrap().is_none());
    tx.commit().await.unwrap();
    assert_eq!(world.snapshot(waits).await.state, JobState::Cancelled);
    assert_eq!(world.snapshot(runs).await.state, JobState::Running);
    attempt(world, runs, Some(200)).await;
}

pub(crate) async fn a_dead_connection_is_told_in_every_vault_that_uses_it(world: &World) {
    let (acme, other) = (world.place("acme").await, world.place("other").await);
    let kind = EventType::ConnectionNeedsReconnect;
    let hook = webhook(world, &acme, &[kind]).await;
    webhook(world, &other, &[kind]).await;
    let link = world.link(&acme, "prj_1");
    let mut tx = world.tx().await;
    tx.upsert_link(&link, "vercel|x|prj_1").await.unwrap();
    let connection = acme.connection.id;
    assert!(
        tx.mark_needs_reconnect(connection, None, ReconnectReason::Refused, world.now())
            .await
            .unwrap()
    );
    assert!(
        !tx.mark_needs_reconnect(connection, None, ReconnectReason::Refused, world.now())
            .await
            .unwrap()
    );
    let jobs = tx.publish_needs_reconnect(connection, None).await.unwrap();
    assert_eq!(jobs.len(), 1);
    let (listed, _) = tx.list_deliveries(hook.id, 10, 0).await.unwrap();
    assert_eq!((listed[0].id, listed[0].event), (jobs[0], kind));
    let also = Some(other.vault.id);
    let jobs = tx.publish_needs_reconnect(connection, also).await.unwrap();
    assert_eq!(jobs.len(), 2);
    let gone = tx.publish_needs_reconnect(Uuid::nil(), also).await.unwrap();
    assert!(gone.is_empty());
}
