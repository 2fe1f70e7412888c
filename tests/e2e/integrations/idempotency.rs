//! Requests that are sent twice with one `Idempotency-Key`.

use chrono::TimeDelta;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::job::JobState;
use keyway_tests::client::{Answer, Client};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::json;

use super::world::{SYNC, World};

const JOBS: &str = "/v1/integrations/jobs";

fn with(client: &Client, key: &str) -> Client {
    client.clone().with("idempotency-key", key)
}

/// Sends it until it is not told that it is on its way.
async fn insist(client: &Client, path: &str, body: serde_json::Value) -> Answer {
    loop {
        let answer = client.post(path, body.clone()).await;
        if answer.status != 409 || answer.header("retry-after").is_empty() {
            return answer;
        }
        assert_eq!(answer.problem(409, "conflict")["status"], 409);
    }
}

async fn a_sync_is_the_same_job(profile: Profile) {
    let world = World::start(profile).await;
    let me = with(&world.me, "k1").with("prefer", "respond-async");
    let first = me.post(SYNC, world.fields()).await.data(202);
    // Another process, as after a restart; and the job has started, so that it is not joined.
    let elsewhere = with(
        &world.app.another().await.client(&world.account.token),
        "k1",
    );
    let job = world.take().await;
    let impatient = elsewhere.clone().with("prefer", "respond-async");
    let again = impatient.post(SYNC, world.fields()).await.data(202);
    assert_eq!(
        (&again["id"], &again["state"]),
        (&first["id"], &json!("running"))
    );
    let result = json!({ "status": "success" });
    world
        .settle(&job, JobState::Succeeded, None, Some(result.clone()))
        .await;
    assert_eq!(elsewhere.post(SYNC, world.fields()).await.data(200), result);
    let jobs = world.me.get(JOBS).await.data(200);
    assert_eq!(jobs.as_array().map(Vec::len), Some(1));

    let mut other = world.fields();
    other["allowDelete"] = json!(true);
    me.post(SYNC, other)
        .await
        .problem(409, "idempotency-mismatch");
    // A retry makes a job as well.
    let path = format!("{JOBS}/{}/retry", first["id"].as_str().unwrap_or("?"));
    let retried = me.post(&path, json!({})).await.data(202);
    assert_eq!(
        me.post(&path, json!({})).await.data(202)["id"],
        retried["id"]
    );
    let another = with(&me, "k2").post(&path, json!({})).await.data(202);
    assert_eq!(another["requests"], 2, "it joined");
    world.app.advance(TimeDelta::hours(25));
    let next = me.post(SYNC, world.fields()).await.data(202);
    assert_ne!(next["id"], first["id"]);
}

async fn two_at_once_have_one_effect(profile: Profile) {
    let world = World::start(profile).await;
    let me = with(&world.me, "k1");
    let vault = json!({ "repoFullName": "acme/other" });
    let (one, two) = tokio::join!(
        insist(&me, "/v1/vaults", vault.clone()),
        insist(&me, "/v1/vaults", vault.clone())
    );
    assert_eq!(one.data(201), two.data(201));
    let me = me.with("prefer", "respond-async");
    let (one, two) = tokio::join!(
        insist(&me, SYNC, world.fields()),
        insist(&me, SYNC, world.fields())
    );
    assert_eq!(one.data(202)["id"], two.data(202)["id"]);
    assert_eq!(two.data(202)["requests"], 1);
}

async fn a_replay_is_authorised_again(profile: Profile) {
    let world = World::start(profile).await;
    let eve = world.app.account("eve").await;
    let members = "/v1/vaults/acme/my-app/members";
    let invite = json!({ "username": "eve", "role": "write" });
    assert!(world.me.post(members, invite).await.status < 300);
    let push = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": { "ONE": "value-one" } });
    let path = "/v1/secrets/push";
    let she = with(&world.app.client(&eve.token), "k1");
    let first = she.post(path, push.clone()).await.data(200);
    // Not done again: it would tell of nothing new.
    assert_eq!(she.post(path, push.clone()).await.data(200), first);
    let weak = world.app.key(&eve.user, &[Scope::ReadSecrets], None).await;
    let weak = with(&world.app.client(&weak.token), "k1");
    weak.post(path, push.clone())
        .await
        .problem(403, "forbidden");
    let member = format!("{members}/{}", eve.user.username);
    assert!(world.me.delete(&member).await.status < 300);
    she.post(path, push).await.problem(404, "not-found");
}

async fn a_secret_is_not_kept_for_later(profile: Profile) {
    let world = World::start(profile).await;
    let me = with(&world.me, "k1");
    let key = json!({ "name": "ci", "scopes": ["read:secrets"] });
    assert!(me.post("/v1/api-keys", key.clone()).await.data(200)["token"].is_string());
    let again = me.post("/v1/api-keys", key).await;
    again.problem(409, "conflict");
    assert!(!again.text.contains("kw_"));
}

async fn what_was_done_is_not_done_again_without_its_answer(profile: Profile) {
    let world = World::start(profile).await;
    // As if the process died between the change and the keeping of its answer.
    world
        .app
        .database
        .execute(match profile {
            Profile::Embedded => {
                "CREATE TRIGGER lost BEFORE UPDATE OF locked_until ON idempotency_keys
                 BEGIN SELECT RAISE(ABORT, 'lost'); END"
            }
            Profile::Production => {
                "ALTER TABLE idempotency_keys ADD CONSTRAINT lost CHECK (locked_until > created_at)"
            }
        })
        .await;
    let me = with(&world.me, "k1");
    let key = json!({ "name": "once", "scopes": ["read:secrets"] });
    me.post("/v1/api-keys", key.clone()).await.data(200);
    let again = me.post("/v1/api-keys", key.clone()).await;
    again.problem(409, "conflict");
    assert!(!again.header("retry-after").is_empty(), "on its way");
    world.app.advance(TimeDelta::minutes(3));
    let again = me.post("/v1/api-keys", key).await;
    let problem = again.problem(409, "conflict");
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("carried out"))
    );
    assert!(again.header("retry-after").is_empty());
    let keys = world.me.get("/v1/api-keys").await.text;
    assert_eq!(keys.matches("\"once\"").count(), 1, "{keys}");
}

async fn what_failed_may_be_sent_again(profile: Profile) {
    let world = World::start(profile).await;
    let me = with(&world.me, "k1");
    let vault = |name: &str| json!({ "repoFullName": name });
    me.post("/v1/vaults", vault("nonsense"))
        .await
        .refuses(&["repoFullName"]);
    me.post("/v1/vaults", vault("acme/other")).await.data(201);
}

async fn a_key_has_a_form(profile: Profile) {
    let world = World::start(profile).await;
    let vault = json!({ "repoFullName": "acme/other" });
    for key in ["", &"x".repeat(256)] {
        with(&world.me, key)
            .post("/v1/vaults", vault.clone())
            .await
            .problem(400, "bad-request");
    }
    with(&world.app.anonymous(), "k1")
        .post("/v1/vaults", vault.clone())
        .await
        .problem(401, "unauthorized");
    with(&world.me, &"x".repeat(255))
        .post("/v1/vaults", vault)
        .await
        .data(201);
    // Calls that have no effect of their own take no notice of it.
    with(&world.me, "").get(JOBS).await.data(200);
}

async fn an_answer_of_another_form_is_not_given_again(profile: Profile) {
    let world = World::start(profile).await;
    let keyed = world.me.clone().with("idempotency-key", "a-device");
    let start = "/v1/auth/device/start";
    let first = keyed.post(start, json!({})).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert!(first.json["deviceCode"].is_string(), "{}", first.text);
    let again = keyed.post(start, json!({})).await;
    again.problem(409, "conflict");
}

on_both_profiles!(
    a_sync_is_the_same_job,
    an_answer_of_another_form_is_not_given_again,
    two_at_once_have_one_effect,
    a_replay_is_authorised_again,
    a_secret_is_not_kept_for_later,
    what_was_done_is_not_done_again_without_its_answer,
    what_failed_may_be_sent_again,
    a_key_has_a_form,
);

/// What is kept for 24 hours must hold no secret: an answer with one is sent as `ShownOnce`.
#[test]
fn answers_with_secrets_are_known() {
    const SECRET: [&str; 4] = ["token", "secret", "value", "content"];
    let openapi = serde_json::to_value(keyway_api::openapi()).expect("JSON");
    let mut found = Vec::new();
    for item in openapi["paths"].as_object().expect("paths").values() {
        let post = &item["post"];
        let answers = post["responses"].as_object().into_iter().flatten();
        for (_, answer) in answers.filter(|(status, _)| status.starts_with('2')) {
            let mut names = Vec::new();
            properties(&openapi, answer, &mut names);
            if names.iter().any(|name| SECRET.contains(&name.as_str())) {
                found.push(post["operationId"].as_str().unwrap_or("?").to_owned());
            }
        }
    }
    assert_eq!(
        found,
        ["create_api_key", "create_webhook", "rotate_webhook_secret"],
        "each must answer with ShownOnce"
    );
}

/// The names of all properties of a schema, through its references.
fn properties(openapi: &serde_json::Value, part: &serde_json::Value, names: &mut Vec<String>) {
    if let Some(reference) = part["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        properties(
            openapi,
            &openapi.pointer(pointer).cloned().unwrap_or_default(),
            names,
        );
    }
    if let Some(list) = part["properties"].as_object() {
        names.extend(list.keys().cloned());
    }
    let inner: Vec<_> = match part {
        serde_json::Value::Object(object) => object.values().collect(),
        serde_json::Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    };
    for part in inner {
        properties(openapi, part, names);
    }
}
