//! Single secrets and their versions.

use keyway_tests::app::TestApp;
use keyway_tests::client::Client;
use keyway_tests::database::Profile;
use serde_json::{Value, json};

use crate::vaults::create;

keyway_tests::on_both_profiles!(
    a_secret_is_written_read_changed_and_listed,
    old_values_stay_as_versions,
    names_and_values_have_limits,
    no_answer_but_those_for_values_bears_a_value,
);

const SECRETS: &str = "/v1/vaults/acme/web/secrets";

/// Writes a secret and gives the path to it.
pub(crate) async fn write(client: &Client, key: &str, value: &str) -> String {
    let body = json!({ "key": key, "value": value, "environment": "production" });
    let answer = client.post(SECRETS, body).await;
    assert!(answer.status < 300, "{}", answer.text);
    format!("{SECRETS}/{}", answer.json["data"]["id"].as_str().unwrap())
}

async fn value(client: &Client, secret: &str) -> Value {
    client.get(&format!("{secret}/value")).await.data(200)["value"].clone()
}

async fn a_secret_is_written_read_changed_and_listed(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;

    let body =
        json!({ "key": "API_KEY", "value": "sk_live_123456789", "environment": "production" });
    let created = ada.post(SECRETS, body.clone()).await.data(201);
    assert_eq!(created["status"], "created");
    let path = format!("{SECRETS}/{}", created["id"].as_str().unwrap());
    let again = ada.post(SECRETS, body).await.data(200);
    assert_eq!(again, json!({ "id": created["id"], "status": "updated" }));
    let shown = ada.get(&format!("{path}/value")).await.data(200);
    assert_eq!(
        shown,
        json!({ "value": "sk_live_123456789", "preview": "sk_l••••6789" })
    );

    // The dashboard sends `key`, older clients `name`.
    let changed = ada
        .patch(&path, json!({ "name": "api_key", "value": "" }))
        .await
        .data(200);
    assert_eq!(changed["key"], "api_key");
    assert_eq!(changed["environment"], "production");
    assert_eq!(
        changed["lastModifiedBy"],
        json!({ "username": "ada", "avatarUrl": null })
    );
    assert_eq!(value(&ada, &path).await, "");
    ada.patch(&path, json!({}))
        .await
        .problem(400, "bad-request");
    write(&ada, "OTHER", "x").await;
    ada.patch(&path, json!({ "key": "OTHER" }))
        .await
        .problem(409, "conflict");

    let listed = ada.get(SECRETS).await.data(200);
    let keys: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["key"])
        .collect();
    assert_eq!(keys, ["OTHER", "api_key"], "last changed first");
    assert_eq!(listed[1]["id"], created["id"]);
    assert_eq!(
        ada.get(&format!("{SECRETS}?environment=staging"))
            .await
            .data(200),
        json!([])
    );
    let unknown = app.unknown_id();
    for id in [unknown.to_string(), "nonsense".to_owned()] {
        let path = format!("{SECRETS}/{id}");
        ada.patch(&path, json!({ "value": "1" }))
            .await
            .problem(404, "not-found");
        ada.get(&format!("{path}/value"))
            .await
            .problem(404, "not-found");
        ada.get(&format!("{path}/versions"))
            .await
            .problem(404, "not-found");
        ada.delete(&path).await.problem(404, "not-found");
    }
    ada.post(
        SECRETS,
        json!({ "key": "A", "value": "1", "environment": "nope" }),
    )
    .await
    .problem(404, "not-found");
}

async fn old_values_stay_as_versions(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let secret = write(&ada, "A", "one").await;
    assert_eq!(
        ada.get(&format!("{secret}/versions")).await.data(200)["versions"],
        json!([])
    );
    write(&ada, "A", "two").await;
    ada.patch(&secret, json!({ "key": "B", "value": "three" }))
        .await
        .data(200);

    let versions = ada.get(&format!("{secret}/versions")).await.data(200)["versions"].clone();
    assert_eq!(versions.as_array().unwrap().len(), 2);
    assert_eq!(versions[0]["versionNumber"], 2);
    assert_eq!(versions[1]["versionNumber"], 1);
    assert_eq!(versions[1]["createdBy"]["username"], "ada");
    let first = format!("{secret}/versions/{}", versions[1]["id"].as_str().unwrap());
    let old = ada.get(&format!("{first}/value")).await.data(200);
    assert_eq!(old, json!({ "value": "one", "versionNumber": 1 }));

    let restored = ada
        .post(&format!("{first}/restore"), json!({}))
        .await
        .data(200);
    assert_eq!(restored["key"], "B");
    assert_eq!(restored["versionNumber"], 1);
    assert_eq!(value(&ada, &secret).await, "one");
    let versions = ada.get(&format!("{secret}/versions")).await.data(200)["versions"].clone();
    assert_eq!(versions.as_array().unwrap().len(), 3, "nothing is lost");

    // A version belongs to its secret.
    let other = write(&ada, "C", "x").await;
    let stolen = format!("{other}/versions/{}", versions[0]["id"].as_str().unwrap());
    ada.get(&format!("{stolen}/value"))
        .await
        .problem(404, "not-found");
    ada.post(&format!("{stolen}/restore"), json!({}))
        .await
        .problem(404, "not-found");
}

async fn names_and_values_have_limits(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let post = async |key: &str, value: &str| {
        let body = json!({ "key": key, "value": value, "environment": "production" });
        ada.post(SECRETS, body).await
    };
    let long = "K".repeat(257);
    for key in ["", "1A", "A-B", "A B", "É", &long] {
        post(key, "x").await.refuses(&["key"]);
    }
    post("A", &"v".repeat(65_537)).await.refuses(&["value"]);
    post("A", "nul\0").await.refuses(&["value"]);
    post("1", &"v".repeat(65_537))
        .await
        .refuses(&["key", "value"]);
    post("_lower", &"é".repeat(32_768)).await.data(201);
    ada.post(
        SECRETS,
        json!({ "key": "A", "value": 5, "environment": "production" }),
    )
    .await
    .refuses(&["value"]);

    // A thousand are the most, whichever way they come.
    let secrets: serde_json::Map<_, _> = (0..1000).map(|n| (format!("K{n}"), json!("v"))).collect();
    let push = json!({
        "repoFullName": "acme/web", "environment": "production", "secrets": secrets,
    });
    ada.post("/v1/secrets/push", push).await.data(200);
    let full = post("ONE_MORE", "x").await;
    let detail = full.problem(422, "validation-error")["detail"].clone();
    assert!(detail.as_str().unwrap().contains("1000"), "{detail}");
    post("K1", "changed").await.data(200);
}

async fn no_answer_but_those_for_values_bears_a_value(profile: Profile) {
    const CANARY: &str = "canary-5f1c";
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let secret = write(&ada, "A", CANARY).await;
    write(&ada, "A", &format!("{CANARY}-2")).await;
    for answer in [
        ada.get(SECRETS).await,
        ada.get("/v1/vaults").await,
        ada.get("/v1/vaults/acme/web").await,
        ada.get(&format!("{secret}/versions")).await,
        ada.delete(&secret).await,
        ada.get("/v1/vaults/acme/web/trash").await,
        ada.get("/v1/activity").await,
        ada.post(
            SECRETS,
            json!({ "key": CANARY, "value": CANARY, "environment": "production" }),
        )
        .await,
        ada.post(
            SECRETS,
            json!({ "key": "A", "value": [CANARY], "environment": "production" }),
        )
        .await,
        ada.post("/v1/vaults", json!({ "repoFullName": CANARY }))
            .await,
        ada.get("/metrics").await,
    ] {
        assert!(!answer.text.contains(CANARY), "{}", answer.text);
    }
}
