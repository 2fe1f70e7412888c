//! Pushing and pulling whole environments.

use keyway_shared::domain::account::Scope;
use keyway_tests::app::TestApp;
use keyway_tests::client::{Answer, Client};
use keyway_tests::database::Profile;
use reqwest::Method;
use serde_json::{Value, json};

use crate::vaults::create;

keyway_tests::on_both_profiles!(
    a_push_replaces_the_environment,
    what_is_pulled_is_what_was_pushed,
    a_value_of_several_lines_is_not_torn,
    a_push_that_does_not_fit_changes_nothing,
    deleting_by_a_push_needs_its_scope,
    a_single_secret_can_be_viewed_by_name,
);

const PULL: &str = "/v1/secrets/pull?repo=acme/web&environment=production";

async fn push(client: &Client, secrets: Value) -> Answer {
    let body = json!({
        "repoFullName": "acme/web", "environment": "production", "secrets": secrets,
    });
    client.post("/v1/secrets/push", body).await
}

async fn pull(client: &Client) -> String {
    let data = client.get(PULL).await.data(200);
    data["content"].as_str().unwrap().to_owned()
}

async fn a_push_replaces_the_environment(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;

    let pushed = push(&ada, json!({ "A": "1", "B": "2" })).await.data(200);
    assert_eq!(pushed["success"], true);
    assert_eq!(
        pushed["stats"],
        json!({ "created": 2, "updated": 0, "deleted": 0, "unchanged": 0 })
    );
    let pushed = push(&ada, json!({ "B": "3", "C": "4" })).await.data(200);
    assert_eq!(
        pushed["stats"],
        json!({ "created": 1, "updated": 1, "deleted": 1, "unchanged": 0 })
    );
    assert_eq!(pull(&ada).await, "B=3\nC=4\n");
    let trash = ada.get("/v1/vaults/acme/web/trash").await.data(200);
    assert_eq!(trash[0]["key"], "A");
    assert_eq!(
        ada.get("/v1/vaults/acme/web").await.data(200)["secretCount"],
        2
    );

    // An empty object empties it, and there is nothing to pull then.
    assert_eq!(push(&ada, json!({})).await.data(200)["stats"]["deleted"], 2);
    ada.get(PULL).await.problem(404, "not-found");

    let log = ada.get("/v1/activity").await.data(200);
    assert_eq!(log[0]["action"], "secrets_pushed");
    assert_eq!(log[0]["metadata"]["environment"], "production");
    assert_eq!(log[1]["action"], "secrets_pulled");
    assert_eq!(log[1]["metadata"]["count"], 2);

    let pushed = push(&ada, json!({ "B": "3" })).await.data(200);
    assert_eq!(
        pushed["message"],
        "Pushed 1 secret to production: 1 created, 0 updated, 0 deleted"
    );
}

async fn what_is_pulled_is_what_was_pushed(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let secrets = json!({
        "BARE": "postgres://u:p@h:5432/db?a=b&c=%20",
        "EMPTY": "",
        "HASH": "a#b",
        "JSON": "{\"a\": 1}",
        "QUOTED": "\"x\"",
        "SPACES": " two words ",
        "BOTH": "it's \"both\"",
        "lower_case": "ünï",
    });
    push(&ada, secrets).await.data(200);
    assert_eq!(
        pull(&ada).await,
        "BARE=postgres://u:p@h:5432/db?a=b&c=%20\nBOTH=\"it's \"both\"\"\nEMPTY=\n\
         HASH=\"a#b\"\nJSON='{\"a\": 1}'\nQUOTED='\"x\"'\nSPACES=\" two words \"\n\
         lower_case=ünï\n"
    );
}

async fn a_value_of_several_lines_is_not_torn(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let pem = "-----BEGIN KEY-----\nabcd==\n-----END KEY-----";
    push(&ada, json!({ "PEM": pem, "A": "1" })).await.data(200);
    assert_eq!(pull(&ada).await, format!("A=1\nPEM=\"{pem}\"\n"));

    // What the command line client makes of that text.
    let torn = json!({ "PEM": "\"-----BEGIN KEY-----", "abcd": "=", "A": "2" });
    let problem = push(&ada, torn).await.problem(409, "conflict");
    assert!(problem["detail"].as_str().unwrap().contains("PEM"));
    assert_eq!(pull(&ada).await, format!("A=1\nPEM=\"{pem}\"\n"));
    // Another value is another value.
    push(&ada, json!({ "PEM": "new", "A": "2" }))
        .await
        .data(200);
}

async fn a_push_that_does_not_fit_changes_nothing(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    push(&ada, json!({ "A": "1" })).await.data(200);

    push(&ada, json!({ "B": "2", "not a name": "x", "ok": "y" }))
        .await
        .refuses(&["secrets.not a name"]);
    push(&ada, json!({ "B": 2 })).await.refuses(&["secrets.B"]);
    push(&ada, json!({ "B": null }))
        .await
        .refuses(&["secrets.B"]);
    push(&ada, json!(["B"])).await.refuses(&["secrets"]);
    push(&ada, json!({ "B": "x".repeat(65_537) }))
        .await
        .refuses(&["secrets.B"]);
    let many: serde_json::Map<_, _> = (0..1001).map(|n| (format!("K{n}"), json!("v"))).collect();
    push(&ada, Value::Object(many)).await.refuses(&["secrets"]);
    let twice =
        r#"{"repoFullName":"acme/web","environment":"production","secrets":{"A":"1","A":"2"}}"#;
    ada.send(Method::POST, "/v1/secrets/push", Some(twice.into()))
        .await
        .refuses(&["secrets"]);

    let body = |repo: &str, environment: &str| json!({ "repoFullName": repo, "environment": environment, "secrets": {} });
    let unknown = ada.post("/v1/secrets/push", body("acme/web", "prod")).await;
    assert_eq!(
        unknown.problem(400, "bad-request")["detail"],
        "Environment 'prod' does not exist in this vault. Available environments: development, \
         staging, production"
    );
    ada.post("/v1/secrets/push", body("acme/nope", "production"))
        .await
        .problem(404, "not-found");
    ada.post("/v1/secrets/push", body("nope", "production"))
        .await
        .refuses(&["repoFullName"]);
    ada.get("/v1/secrets/pull").await.refuses(&["repo"]);
    ada.get("/v1/secrets/pull?repo=acme/web")
        .await
        .refuses(&["environment"]);
    ada.get("/v1/secrets/pull?repo=web&environment=production")
        .await
        .refuses(&["repo"]);
    assert_eq!(pull(&ada).await, "A=1\n");
}

async fn deleting_by_a_push_needs_its_scope(profile: Profile) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    let ada = app.client(&account.token);
    create(&ada, "acme/web").await;
    push(&ada, json!({ "A": "1", "B": "2" })).await.data(200);
    let scopes = [Scope::ReadSecrets, Scope::WriteSecrets];
    let writer = app.client(&app.key(&account.user, &scopes, None).await.token);
    push(&writer, json!({ "A": "9", "B": "2", "C": "3" }))
        .await
        .data(200);
    let problem = push(&writer, json!({ "A": "0" }))
        .await
        .problem(403, "forbidden");
    assert_eq!(
        problem["detail"],
        "API key missing required scope(s): delete:secrets"
    );
    assert_eq!(pull(&ada).await, "A=9\nB=2\nC=3\n", "nothing was written");
}

async fn a_single_secret_can_be_viewed_by_name(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    push(&ada, json!({ "A": "1" })).await.data(200);
    let view = "/v1/secrets/view?repo=acme/web&environment=production";
    assert_eq!(
        ada.get(&format!("{view}&key=A")).await.data(200),
        json!({ "key": "A", "value": "1", "environment": "production" })
    );
    ada.get(&format!("{view}&key=B"))
        .await
        .problem(404, "not-found");
    ada.get(view).await.refuses(&["key"]);
}
