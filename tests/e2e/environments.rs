//! Environments.

use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use serde_json::json;

use crate::vaults::create;

keyway_tests::on_both_profiles!(
    environments_are_made_renamed_and_removed,
    names_follow_one_rule,
);

async fn environments_are_made_renamed_and_removed(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let base = "/v1/vaults/acme/web/environments";

    let made = ada.post(base, json!({ "name": "main" })).await.data(201);
    let main = json!({ "name": "main", "type": "protected", "displayOrder": 3,
        "rules": { "read": "read", "write": "write" } });
    assert_eq!(made["environment"], main);
    assert_eq!(made["environments"][3], main);
    let qa = json!({ "name": "qa", "type": "development" });
    let made = ada.post(base, qa.clone()).await.data(201);
    assert_eq!(made["environment"]["type"], "development");
    ada.post(base, qa).await.problem(409, "conflict");

    let secret = json!({ "key": "A", "value": "1", "environment": "qa" });
    ada.post("/v1/vaults/acme/web/secrets", secret)
        .await
        .data(201);
    let renamed = ada
        .patch(&format!("{base}/qa"), json!({ "newName": "qa-2" }))
        .await
        .data(200);
    assert_eq!(renamed["oldName"], "qa");
    assert_eq!(renamed["newName"], "qa-2");
    assert_eq!(renamed["environments"].as_array().unwrap().len(), 5);
    let listed = ada
        .get("/v1/vaults/acme/web/secrets?environment=qa-2")
        .await
        .data(200);
    assert_eq!(listed[0]["environment"], "qa-2", "secrets go along");
    ada.patch(&format!("{base}/qa-2"), json!({ "newName": "main" }))
        .await
        .problem(409, "conflict");
    ada.patch(&format!("{base}/qa"), json!({ "newName": "other" }))
        .await
        .problem(404, "not-found");

    let typed = ada
        .patch(&format!("{base}/qa-2/type"), json!({ "type": "protected" }))
        .await
        .data(200);
    assert_eq!(typed["environment"]["type"], "protected");
    ada.patch(&format!("{base}/qa-2/type"), json!({ "type": "holy" }))
        .await
        .refuses(&["type"]);

    let deleted = ada.delete(&format!("{base}/qa-2")).await.data(200);
    assert_eq!(deleted["deleted"], "qa-2");
    assert_eq!(deleted["environments"].as_array().unwrap().len(), 4);
    ada.delete(&format!("{base}/qa-2"))
        .await
        .problem(404, "not-found");
    let left = ada.get(base).await.data(200);
    assert_eq!(left["environments"], deleted["environments"]);
    assert_eq!(
        ada.get("/v1/vaults/acme/web").await.data(200)["secretCount"],
        0
    );
}

async fn names_follow_one_rule(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let base = "/v1/vaults/acme/web/environments";
    let long = "a".repeat(31);
    for wrong in ["", "q", "Production", "-a", "a b", &long] {
        ada.post(base, json!({ "name": wrong }))
            .await
            .refuses(&["name"]);
        ada.patch(&format!("{base}/staging"), json!({ "newName": wrong }))
            .await
            .refuses(&["newName"]);
    }
    ada.post(base, json!({ "name": "a".repeat(30) }))
        .await
        .data(201);
    // What cannot be a name names nothing.
    ada.get("/v1/vaults/acme/web/secrets?environment=NOPE")
        .await
        .problem(404, "not-found");
}
