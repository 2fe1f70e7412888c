//! Webhooks: what their receivers get, and what becomes of those that do not take it.

mod attempts;
mod manage;
mod receiver;
mod told;

use std::sync::Arc;
use std::time::Duration;

use keyway_shared::domain::job::JobState;
use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use keyway_worker::{RetryPolicy, WorkerContext, WorkerOptions};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::integrations::world::{World, id};
use receiver::Receiver;

/// Base of the vault's webhooks.
const HOOKS: &str = "/v1/vaults/acme/my-app/webhooks";

/// A vault on the machine's clock, whose operator lets webhooks be anywhere.
async fn world(profile: Profile) -> World {
    World::start_with(profile, |builder| {
        builder.system_time = true;
        builder.options.webhooks_allow_private = true;
    })
    .await
}

/// What a worker of this app works with.
async fn context(app: &TestApp, webhooks_allow_private: bool) -> WorkerContext {
    WorkerContext {
        store: app.store.clone(),
        queue: app.queue.clone(),
        roles: app.state.roles.clone(),
        providers: Arc::clone(&app.state.providers),
        fingerprint_key: app.store.unlock().await.expect("a key"),
        ambient: app.ambient.clone(),
        lifecycle: app.lifecycle.clone(),
        options: WorkerOptions {
            sweep_every: Duration::from_millis(20),
            retry: RetryPolicy {
                first: Duration::from_millis(5),
                ..RetryPolicy::default()
            },
            webhooks_allow_private,
            ..WorkerOptions::default()
        },
        name: format!("worker-{}", app.ambient.new_id()),
    }
}

async fn work(world: &World, webhooks_allow_private: bool) {
    let context = context(&world.app, webhooks_allow_private).await;
    world
        .app
        .lifecycle
        .tracker
        .spawn(keyway_worker::run(context));
}

/// Adds a webhook; gives its id and its secret.
async fn hook(world: &World, url: &str, events: Value) -> (Uuid, String) {
    let mut body = json!({ "url": url });
    if !events.is_null() {
        body["events"] = events;
    }
    let made = world.me.post(HOOKS, body).await.data(201);
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    (id(&made["webhook"]["id"]), secret)
}

async fn set_secrets(world: &World, secrets: Value) {
    let body = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": secrets });
    world.me.post("/v1/secrets/push", body).await.data(200);
}

/// A webhook's deliveries once the newest of them is in this state.
async fn deliveries(world: &World, hook: Uuid, state: JobState) -> Value {
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    loop {
        looks.tick().await;
        let listed = world.me.get(&format!("{HOOKS}/{hook}/deliveries")).await;
        let listed = listed.data(200);
        if listed[0]["state"] == state.as_str() {
            return listed;
        }
    }
}
