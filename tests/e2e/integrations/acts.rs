//! Whatever changes something or shows a value is in the log of who did what, with from where and
//! with what. Walked along every operation of the OpenAPI document: a new one without a rule fails.

use std::collections::BTreeSet;
use std::time::Duration;

use keyway_simulator::vercel::TOKEN;
use keyway_simulator::{Action, Fault};
use keyway_tests::client::{Answer, Client};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use reqwest::Method;
use serde_json::{Value, json};

use super::pauses::promote;
use super::tenant::Tenant;
use super::whole;
use super::world::{SYNC, World};

on_both_profiles!(every_act_is_noted, syncs_are_noted_however_they_end,);

/// Operations that are GET and show values all the same.
const SHOW: &[&str] = &[
    "get_secret_value",
    "get_secret_version_value",
    "pull_secrets",
    "view_secret",
];
/// Operations that note what they do, in an order in which all of them can be done.
const NOTED: &[(&str, &str)] = &[
    ("get_secret_value", "secret_value_accessed"),
    ("get_secret_version_value", "secret_version_value_accessed"),
    ("restore_secret_version", "secret_version_restored"),
    ("view_secret", "secret_value_accessed"),
    ("pull_secrets", "secrets_pulled"),
    ("create_secret", "secret_created"),
    ("update_secret", "secret_updated"),
    ("restore_secret", "secret_restored"),
    ("delete_secret", "secret_trashed"),
    ("push_secrets", "secrets_pushed"),
    ("empty_trash", "secret_permanently_deleted"),
    ("set_environment_type", "permission_changed"),
    ("set_environment_rules", "permission_changed"),
    ("rename_environment", "environment_renamed"),
    ("create_environment", "environment_created"),
    ("add_member", "permission_changed"),
    ("remove_member", "permission_changed"),
    ("update_link", "link_changed"),
    ("delete_link", "link_changed"),
    ("create_link", "link_changed"),
    ("cancel_job", "job_cancelled"),
    ("retry_job", "job_retried"),
    ("create_pause", "jobs_paused"),
    ("delete_pause", "jobs_resumed"),
    ("update_webhook", "webhook_changed"),
    ("rotate_webhook_secret", "webhook_changed"),
    ("delete_webhook", "webhook_changed"),
    ("create_webhook", "webhook_changed"),
    ("connect_provider", "integration_connected"),
    ("delete_connection", "integration_disconnected"),
    ("create_vault", "vault_created"),
    ("delete_environment", "environment_deleted"),
    ("delete_trashed_secret", "secret_permanently_deleted"),
    ("delete_vault", "vault_deleted"),
    ("create_api_key", "api_key_created"),
    ("revoke_session", "session_revoked"),
    ("revoke_api_key", "api_key_revoked"),
    ("log_out", "session_revoked"),
];
/// The others that are not GET, and why the walk does not find them in the log.
const OTHERWISE: &[(&str, &str)] = &[
    ("run_sync", "noted when its job ends: the test below"),
    ("heal_link", "noted when its job ends, as every sync"),
    ("finish_sign_in", "user_login: tests/e2e/sign_in.rs"),
    ("sign_in_with_key", "user_login: tests/e2e/sign_in.rs"),
    ("poll_device_sign_in", "user_login: tests/e2e/sign_in.rs"),
    ("start_device_sign_in", "nobody has signed in yet"),
    (
        "answer_device_sign_in",
        "user_login when the device has asked: tests/e2e/sign_in.rs",
    ),
    (
        "finish_authorization",
        "integration_connected: tests/e2e/integrations/oauth.rs",
    ),
    (
        "answer_pending_connection",
        "integration_connected: tests/e2e/integrations/pending.rs",
    ),
    (
        "confirm_authorization",
        "sends the browser on; what it comes back with is noted",
    ),
    (
        "create_authorize_ticket",
        "opens a page that asks; what follows is noted",
    ),
    ("validate_token", "asks, and changes nothing"),
    ("check_installation", "asks, and changes nothing"),
    (
        "receive_notice",
        "nobody of ours acts: tests/e2e/integrations/notices.rs",
    ),
    (
        "test_webhook",
        "changes nothing; the delivery is in the webhook's own list",
    ),
];

#[test]
fn every_operation_has_a_rule() {
    let document = serde_json::to_value(keyway_api::openapi()).expect("JSON");
    let mut acts = BTreeSet::new();
    for item in document["paths"].as_object().expect("paths").values() {
        for (method, operation) in item.as_object().expect("methods") {
            let id = operation["operationId"].as_str().expect("an id");
            if method != "get" || SHOW.contains(&id) {
                acts.insert(id.to_owned());
            }
        }
    }
    let known: Vec<_> = NOTED.iter().chain(OTHERWISE).collect();
    let ids: BTreeSet<_> = known.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(ids.len(), known.len(), "one is named twice");
    // Two of those are GET, where a browser comes back.
    let back = ["finish_sign_in", "finish_authorization"].map(ToOwned::to_owned);
    acts.extend(back);
    assert_eq!(ids, acts);
}

/// The newest entry.
async fn last(client: &Client) -> Value {
    client.get("/v1/activity?limit=1").await.data(200)[0].clone()
}

/// Where the walk differs from what the wall is asked: what an earlier step has made or taken.
async fn act(tenant: &Tenant, client: &Client, id: &str, method: &Method, path: &str) -> Answer {
    let vault = "/v1/vaults/acme/my-app";
    match id {
        "connect_provider" => client.post(path, json!({ "token": TOKEN })).await,
        "remove_member" => client.delete(&format!("{vault}/members/eve")).await,
        "delete_environment" => client.delete(&format!("{vault}/environments/qa")).await,
        "push_secrets" | "create_secret" | "create_link" => {
            let mut body = match id {
                "push_secrets" => json!({ "repoFullName": "acme/my-app", "secrets": { "A": "1" } }),
                "create_secret" => json!({ "key": "B", "value": "1" }),
                _ => json!({ "connectionId": tenant.world.connection, "projectId": "prj_myapp",
                    "providerEnvironment": "preview" }),
            };
            let name = if id == "create_link" {
                "keywayEnvironment"
            } else {
                "environment"
            };
            body[name] = json!("development");
            client.post(path, body).await
        }
        "delete_pause" => {
            let list = client.get("/v1/operations/pauses").await.data(200);
            let pause = list[0]["id"].as_str().expect("a pause");
            client
                .delete(&format!("/v1/operations/pauses/{pause}"))
                .await
        }
        "delete_trashed_secret" => {
            let secrets = client.get(&format!("{vault}/secrets")).await.data(200);
            let one = secrets[0]["id"].as_str().expect("a secret");
            client
                .delete(&format!("{vault}/secrets/{one}"))
                .await
                .data(200);
            client.delete(&format!("{vault}/trash/{one}")).await
        }
        _ => tenant.call(client, id, method, path).await,
    }
}

async fn every_act_is_noted(profile: Profile) {
    let tenant = Tenant::start(profile).await;
    let app = &tenant.world.app;
    app.user("eve").await;
    promote(&tenant.world).await;
    let user = &tenant.world.account.user;
    let (_, looking) = app.session(user).await;
    let looking = app.client(&looking);
    let (session, leaving) = app.session(user).await;
    let leaving = app.client(&leaving).with("user-agent", "keyway-cli/1.0");
    let key = tenant.world.account.key.id;
    let operations = tenant.operations();
    for (id, action) in NOTED {
        let found = operations.iter().find(|(known, ..)| known == id);
        let (_, method, path) = found.expect("an operation");
        let with_session = *id == "log_out";
        let client = if with_session {
            &leaving
        } else {
            &tenant.world.me
        };
        let answer = act(&tenant, client, id, method, path).await;
        assert!(
            answer.status < 300,
            "{id}: {} {}",
            answer.status,
            answer.text
        );
        let entry = last(&looking).await;
        assert_eq!(entry["action"], *action, "{id}: {entry}");
        assert_eq!(entry["actor"]["username"], "ada", "{id}");
        assert_eq!(entry["ip"], "127.0.0.1", "{id}");
        assert_eq!(entry["requestId"], answer.header("x-request-id"), "{id}");
        let (with_key, with, kind) = if with_session {
            (json!(null), json!(session.id), "cli")
        } else {
            (json!(key), json!(null), "api")
        };
        assert_eq!(
            (&entry["apiKeyId"], &entry["sessionId"]),
            (&with_key, &with),
            "{id}"
        );
        assert_eq!(entry["platform"], kind, "{id}");
    }
    // What was done in the vault outlives it.
    let all = looking.get("/v1/activity?limit=100").await.data(200);
    let in_vault = all.as_array().into_iter().flatten();
    let in_vault = in_vault.filter(|entry| entry["repoFullName"] == "acme/my-app");
    assert!(in_vault.count() > 25);
}

/// The newest entry of a sync, once there is one for this job.
async fn noted(world: &World, job: &Value) -> Value {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        let entry = last(&world.me).await;
        if entry["metadata"]["jobId"] == *job {
            return entry;
        }
    }
}

async fn syncs_are_noted_however_they_end(profile: Profile) {
    let world = whole::start(profile).await;
    promote(&world).await;
    let me = world.me.clone().with("user-agent", "keyway-cli/1.0");
    let refuse = json!({ "error": { "code": "bad_request", "message": "no" } });
    for status in ["success", "error"] {
        if status == "error" {
            let fault = Fault::next(Action::json(400, &refuse)).method("GET");
            world.vercel.fault(fault);
        }
        let answer = me.post(SYNC, world.fields()).await;
        let report = answer.data(200);
        assert_eq!(report["status"], status, "{report}");
        let entry = noted(&world, &report["jobId"]).await;
        assert_eq!(entry["action"], "secrets_synced");
        assert_eq!(entry["metadata"]["status"], status);
        assert_eq!(entry["metadata"]["errorCode"], report["errorCode"]);
        assert_eq!(entry["actor"]["username"], "ada");
        assert_eq!(entry["apiKeyId"], json!(world.account.key.id));
        assert_eq!(entry["requestId"], answer.header("x-request-id"));
        assert_eq!(
            (&entry["ip"], &entry["platform"]),
            (&json!("127.0.0.1"), &json!("cli"))
        );
    }
    // One that never ran.
    me.post("/v1/operations/pauses", json!({})).await.data(201);
    let job = me.clone().with("prefer", "respond-async");
    let job = job.post(SYNC, world.fields()).await.data(202)["id"].clone();
    let id = job.as_str().expect("an id").replace('-', "");
    let ids = match profile {
        Profile::Embedded => format!("x'{id}'"),
        Profile::Production => format!("'{id}'"),
    };
    let late = format!("UPDATE jobs SET deadline_at = created_at WHERE id = {ids}");
    world.app.database.execute(&late).await;
    let entry = noted(&world, &job).await;
    assert_eq!(entry["metadata"]["errorCode"], "deadline", "{entry}");
    assert_eq!(entry["apiKeyId"], json!(world.account.key.id));
}
