//! A process that is killed in the middle of a sync loses nothing.

use std::time::Duration;

use keyway_simulator::vercel::{Preset, TOKEN};
use keyway_tests::database::{Database, Profile, redis_url};
use keyway_tests::stand_in::StandIn;
use serde_json::{Value, json};

use crate::support::{Caller, Home, Running, hex_key, tick, wait_until};

const PROJECT: &str = "prj_myapp";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_serve_finishes_the_sync_after_its_restart() {
    let vercel = StandIn::start(Preset::LivedIn).await.unwrap();
    let home = Home::new();
    let provider = vercel.url();
    let env = [("VERCEL_API_URL", provider.as_str())];
    let mut first = home.spawn_with(&["serve"], &env);
    let key = first.line();
    let key = key.strip_prefix("API key: ").unwrap();
    let caller = Caller::new(first.url(), key);
    let job = begin(&caller, &vercel).await;
    first.kill();

    let mut second = home.spawn_with(&["serve"], &env);
    let caller = Caller::new(second.url(), key);
    finished(&caller, &vercel, &job).await;
    assert_eq!(second.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_worker_finishes_the_sync_of_a_killed_one() {
    let vercel = StandIn::start(Preset::LivedIn).await.unwrap();
    let home = Home::new();
    let database = Database::create_empty(Profile::Production).await;
    let (provider, redis) = (vercel.url(), redis_url());
    let keys = hex_key("k1", "ab");
    let prefix = format!("kwcrash:{}:", database.url().rsplit('/').next().unwrap());
    let env = [
        ("VERCEL_API_URL", provider.as_str()),
        ("DATABASE_URL", database.url()),
        ("REDIS_URL", redis.as_str()),
        ("KEYWAY_REDIS_PREFIX", prefix.as_str()),
        ("KEYWAY_ENCRYPTION_KEYS", keys.as_str()),
        ("KEYWAY_LEASE", "3s"),
        ("KEYWAY_PROVIDER_TIMEOUT", "1s"),
    ];
    assert!(home.run_with(&["migrate"], &env).success);
    let scopes = "read:secrets,write:secrets,delete:secrets";
    let create = ["keys", "create", "--user", "ada", "--scopes", scopes];
    let key = home.run_with(&create, &env).out;
    let mut api = home.spawn_with(&["api"], &env);
    let caller = Caller::new(api.url(), key.trim());
    let worker = home.spawn_with(&["worker"], &env);
    let job = begin(&caller, &vercel).await;
    worker.kill();

    let _next: Running = home.spawn_with(&["worker"], &env);
    finished(&caller, &vercel, &job).await;
    assert_eq!(api.terminate(), Some(0));
}

/// Starts a sync that takes a shared row apart, and returns when it has made its first write.
async fn begin(caller: &Caller, vercel: &StandIn) -> String {
    let connected = caller
        .post(
            "/v1/integrations/vercel/connect",
            &json!({ "token": TOKEN }),
        )
        .await;
    caller
        .post("/v1/vaults", &json!({ "repoFullName": "acme/my-app" }))
        .await;
    let secrets = json!({ "API_URL": "https://new", "OTHER": "1" });
    let push =
        json!({ "repoFullName": "acme/my-app", "environment": "production", "secrets": secrets });
    caller.post("/v1/secrets/push", &push).await;
    vercel.set_latency(Duration::from_millis(300));
    vercel.reset_calls();
    let sync = json!({ "connectionId": connected["connection"]["id"], "projectId": PROJECT });
    let accepted = caller
        .post("/v1/integrations/vaults/acme/my-app/sync", &sync)
        .await;
    assert_eq!(accepted["status"], "running", "{accepted}");
    // Production has been taken off the shared row, and its own row is not there yet.
    wait_until(|| {
        let calls = vercel.requests();
        calls
            .iter()
            .any(|call| call.method == "PATCH" && call.ended.is_some())
    })
    .await;
    assert_eq!(vercel.value(PROJECT, "API_URL", "production", None), None);
    accepted["jobId"].as_str().unwrap().to_owned()
}

async fn finished(caller: &Caller, vercel: &StandIn, job: &str) {
    let path = format!("/v1/integrations/jobs/{job}");
    let mut document = Value::Null;
    for _ in 0..600 {
        document = caller.get(&path).await;
        if document["finishedAt"].is_string() {
            break;
        }
        tick().await;
    }
    assert_eq!(document["state"], "succeeded", "{document}");
    assert_eq!(document["result"]["status"], "success", "{document}");
    let value = |scope| vercel.value(PROJECT, "API_URL", scope, None);
    assert_eq!(value("production").as_deref(), Some("https://new"));
    assert_eq!(value("preview").as_deref(), Some("https://api.acme.dev"));
    assert!(
        document["attempts"].as_array().unwrap().len() >= 2,
        "{document}"
    );
}
