//! Who may use an environment, and what that is good for without a provider.

use keyway_tests::app::TestApp;
use keyway_tests::client::{Answer, Client};
use keyway_tests::database::Profile;
use serde_json::{Value, json};

use crate::vaults::create;

keyway_tests::on_both_profiles!(
    rules_are_set_by_admins_and_make_sense,
    an_environment_is_changed_by_whom_it_says,
    an_environment_is_seen_by_whom_it_says,
    a_kept_answer_is_given_under_the_rules_of_now,
);

const VAULT: &str = "/v1/vaults/acme/web";

/// Ada's vault, and a member of each other role.
struct World {
    app: TestApp,
    ada: Client,
    writer: Client,
    reader: Client,
}

async fn start(profile: Profile) -> World {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let mut others = Vec::new();
    for role in ["write", "read"] {
        others.push(app.user(role).await);
        let invite = json!({ "username": role, "role": role });
        let members = format!("{VAULT}/members");
        ada.post(&members, invite).await.data(201);
    }
    let reader = others.pop().expect("two");
    let writer = others.pop().expect("two");
    World {
        app,
        ada,
        writer,
        reader,
    }
}

fn rules_of(environment: &str) -> String {
    format!("{VAULT}/environments/{environment}/rules")
}

impl World {
    async fn rule(&self, environment: &str, rules: Value) {
        self.ada
            .patch(&rules_of(environment), rules)
            .await
            .data(200);
    }
}

/// 403 that names the environment.
#[track_caller]
fn is_refused(answer: &Answer, needed: &str, own: &str) {
    let problem = answer.problem(403, "forbidden");
    assert_eq!(
        problem["detail"],
        format!("This needs the role {needed} in the environment production; your role is {own}")
    );
}

async fn rules_are_set_by_admins_and_make_sense(profile: Profile) {
    let World {
        app: _app,
        ada,
        writer,
        reader,
    } = start(profile).await;
    let path = rules_of("production");
    for body in [json!({ "write": "admin" }), json!({ "read": "read" })] {
        for client in [&writer, &reader] {
            client
                .patch(&path, body.clone())
                .await
                .problem(403, "forbidden");
        }
    }
    ada.patch(&path, json!({}))
        .await
        .problem(400, "bad-request");
    ada.patch(&path, json!({ "write": "owner" }))
        .await
        .refuses(&["write"]);
    // The role `read` changes nothing, and nobody changes what they may not see.
    ada.patch(&path, json!({ "write": "read" }))
        .await
        .refuses(&["write"]);
    ada.patch(&path, json!({ "read": "admin" }))
        .await
        .refuses(&["write"]);
    ada.patch(&rules_of("nowhere"), json!({ "write": "admin" }))
        .await
        .problem(404, "not-found");

    let body = json!({ "write": "admin" });
    let set = ada.patch(&path, body.clone()).await.data(200);
    let rules = json!({ "read": "read", "write": "admin" });
    assert_eq!(set["environment"]["rules"], rules);
    assert_eq!(set["environment"]["name"], "production");
    ada.patch(&path, body).await.data(200);
    let set = ada.patch(&path, json!({ "read": "write" })).await.data(200);
    let rules = json!({ "read": "write", "write": "admin" });
    assert_eq!(set["environment"]["rules"], rules, "the other stays");
    // Everybody sees what they are.
    let listed = reader.get(&format!("{VAULT}/environments")).await.data(200);
    assert_eq!(listed["environments"][2]["rules"], rules);
    let vault = reader.get(VAULT).await.data(200);
    assert_eq!(vault["environmentDetails"][2]["rules"], rules);
    let renamed = json!({ "newName": "live" });
    let renamed = ada
        .patch(&format!("{VAULT}/environments/production"), renamed)
        .await
        .data(200);
    assert_eq!(renamed["environments"][2]["rules"], rules, "it keeps them");

    let log = ada.get("/v1/activity").await.data(200);
    let changes: Vec<_> = log
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["metadata"].get("rules").is_some())
        .collect();
    assert_eq!(changes.len(), 2, "what changes nothing is not told of");
    assert_eq!(changes[1]["action"], "permission_changed");
    assert_eq!(changes[1]["metadata"]["environment"], "production");
    assert_eq!(changes[1]["metadata"]["previousRules"]["write"], "write");
}

async fn an_environment_is_changed_by_whom_it_says(profile: Profile) {
    let world = start(profile).await;
    let (ada, writer) = (&world.ada, &world.writer);
    let secrets = format!("{VAULT}/secrets");
    let secret = |key: &str, environment: &str| json!({ "key": key, "value": "1", "environment": environment });
    // Until somebody says otherwise, whoever writes in the vault writes here.
    let kept = writer.post(&secrets, secret("KEPT", "production")).await;
    let kept = format!("{secrets}/{}", kept.data(201)["id"].as_str().unwrap());
    writer.patch(&kept, json!({ "value": "2" })).await.data(200);
    let mut trashed = Vec::new();
    for environment in ["production", "staging"] {
        let made = ada.post(&secrets, secret("TRASHED", environment)).await;
        let id = made.data(201)["id"].as_str().unwrap().to_owned();
        ada.delete(&format!("{secrets}/{id}")).await.data(200);
        trashed.push(format!("{VAULT}/trash/{id}"));
    }
    world.rule("production", json!({ "write": "admin" })).await;
    let versions = writer.get(&format!("{kept}/versions")).await.data(200);
    let version = versions["versions"][0]["id"].as_str().unwrap();
    let push = |environment: &str| {
        json!({ "repoFullName": "acme/web", "environment": environment,
            "secrets": { "KEPT": "3" } })
    };
    for answer in [
        writer.post(&secrets, secret("NEW", "production")).await,
        writer.post(&secrets, secret("KEPT", "production")).await,
        writer.patch(&kept, json!({ "value": "3" })).await,
        writer.patch(&kept, json!({ "key": "OTHER" })).await,
        writer.delete(&kept).await,
        writer
            .post(&format!("{kept}/versions/{version}/restore"), json!({}))
            .await,
        writer
            .post(&format!("{}/restore", trashed[0]), json!({}))
            .await,
        writer.delete(&trashed[0]).await,
        writer.delete(&format!("{VAULT}/trash")).await,
        writer.post("/v1/secrets/push", push("production")).await,
    ] {
        is_refused(&answer, "admin", "write");
    }
    let value = writer.get(&format!("{kept}/value")).await.data(200);
    assert_eq!(value["value"], "2", "it is still seen, and nothing changed");
    let pull = "/v1/secrets/pull?repo=acme/web&environment=production";
    assert_eq!(
        writer.get(pull).await.data(200)["content"],
        "KEPT=2\n",
        "nothing came or went"
    );
    assert_eq!(
        ada.get(&format!("{VAULT}/trash")).await.data(200)[1]["key"],
        "TRASHED"
    );
    // Other environments are as before.
    writer
        .post(&format!("{}/restore", trashed[1]), json!({}))
        .await
        .data(200);
    writer
        .post("/v1/secrets/push", push("staging"))
        .await
        .data(200);
    writer
        .post(&secrets, secret("NEW", "development"))
        .await
        .data(201);
    // Admins go on.
    ada.patch(&kept, json!({ "value": "4" })).await.data(200);
    ada.post("/v1/secrets/push", push("production"))
        .await
        .data(200);
    ada.delete(&format!("{VAULT}/trash")).await.data(200);
    // And it can be opened again.
    world.rule("production", json!({ "write": "write" })).await;
    writer.patch(&kept, json!({ "value": "5" })).await.data(200);
    writer.delete(&format!("{VAULT}/trash")).await.data(200);
}

async fn an_environment_is_seen_by_whom_it_says(profile: Profile) {
    let world = start(profile).await;
    let (ada, writer, reader) = (&world.ada, &world.writer, &world.reader);
    let secrets = format!("{VAULT}/secrets");
    let secret = json!({ "key": "A", "value": "canary-1", "environment": "production" });
    let one = ada.post(&secrets, secret).await.data(201)["id"].clone();
    let one = format!("{secrets}/{}", one.as_str().unwrap());
    ada.patch(&one, json!({ "value": "canary-2" }))
        .await
        .data(200);
    let versions = ada.get(&format!("{one}/versions")).await.data(200);
    let version = versions["versions"][0]["id"].as_str().unwrap().to_owned();
    let reads = [
        format!("{one}/value"),
        format!("{one}/versions"),
        format!("{one}/versions/{version}/value"),
        "/v1/secrets/pull?repo=acme/web&environment=production".to_owned(),
        "/v1/secrets/view?repo=acme/web&environment=production&key=A".to_owned(),
    ];
    for path in &reads {
        reader.get(path).await.data(200);
    }
    world.rule("production", json!({ "read": "write" })).await;
    for path in &reads {
        let answer = reader.get(path).await;
        is_refused(&answer, "write", "read");
        assert!(!answer.text.contains("canary"));
        writer.get(path).await.data(200);
    }
    let rules = json!({ "read": "admin", "write": "admin" });
    world.rule("production", rules).await;
    for path in &reads {
        is_refused(&writer.get(path).await, "admin", "write");
        ada.get(path).await.data(200);
    }
    // Names are for every member: without them nobody could say what is missing.
    for path in [secrets.clone(), format!("{secrets}?environment=production")] {
        let listed = reader.get(&path).await.data(200);
        assert_eq!(listed[0]["key"], "A");
        assert!(listed[0].get("value").is_none());
    }
    // What is not there is not there, whatever may be seen.
    let nowhere = "/v1/secrets/pull?repo=acme/web&environment=nowhere";
    reader.get(nowhere).await.problem(404, "not-found");
    // Leaving is nobody's to forbid.
    reader
        .delete(&format!("{VAULT}/members/read"))
        .await
        .empty();
    let stranger = world.app.user("eve").await;
    for path in &reads {
        stranger.get(path).await.problem(404, "not-found");
    }
}

async fn a_kept_answer_is_given_under_the_rules_of_now(profile: Profile) {
    let world = start(profile).await;
    let writer = world.writer.clone().with("idempotency-key", "once");
    let push = json!({ "repoFullName": "acme/web", "environment": "production",
        "secrets": { "A": "1" } });
    let first = writer.post("/v1/secrets/push", push.clone()).await;
    let first = first.data(200);
    let again = writer.post("/v1/secrets/push", push.clone()).await;
    assert_eq!(again.data(200), first);
    world.rule("production", json!({ "write": "admin" })).await;
    let refused = writer.post("/v1/secrets/push", push).await;
    is_refused(&refused, "admin", "write");
}
