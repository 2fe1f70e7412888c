//! Vaults.

use keyway_tests::app::TestApp;
use keyway_tests::client::Client;
use keyway_tests::database::Profile;
use serde_json::json;

keyway_tests::on_both_profiles!(
    a_vault_is_created_shown_and_deleted,
    repository_names_are_told_apart_without_regard_to_case,
);

/// Creates a vault.
pub(crate) async fn create(client: &Client, repo: &str) {
    let body = json!({ "repoFullName": repo });
    client.post("/v1/vaults", body).await.data(201);
}

async fn a_vault_is_created_shown_and_deleted(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;

    let body = json!({ "repoFullName": "acme/web" });
    let created = ada.post("/v1/vaults", body).await.data(201);
    assert_eq!(created["repoFullName"], "acme/web");
    assert_eq!(created["vaultId"], created["id"]);
    assert_eq!(
        created["environments"],
        json!(["development", "staging", "production"])
    );

    let vault = ada.get("/v1/vaults/acme/web").await.data(200);
    assert_eq!(vault["id"], created["id"]);
    assert_eq!(vault["repoOwner"], "acme");
    assert_eq!(vault["repoName"], "web");
    assert_eq!(vault["secretCount"], 0);
    assert_eq!(vault["permission"], "admin");
    assert_eq!(vault["isReadOnly"], false);
    assert_eq!(vault["syncs"], json!([]));
    assert_eq!(vault["createdAt"], "2026-01-15T10:00:01.000Z");
    let open = json!({ "read": "read", "write": "write" });
    assert_eq!(
        vault["environmentDetails"],
        json!([
            { "name": "development", "type": "development", "displayOrder": 0, "rules": open },
            { "name": "staging", "type": "standard", "displayOrder": 1, "rules": open },
            { "name": "production", "type": "protected", "displayOrder": 2, "rules": open },
        ])
    );
    assert_eq!(ada.get("/v1/vaults").await.data(200), json!([vault]));

    ada.delete("/v1/vaults/acme/web").await.empty();
    let gone = ada.get("/v1/vaults/acme/web").await;
    assert_eq!(gone.problem(404, "not-found")["detail"], "Vault not found");
    ada.delete("/v1/vaults/acme/web")
        .await
        .problem(404, "not-found");
    // The name is free again.
    create(&ada, "acme/web").await;

    let log = ada.get("/v1/activity").await.data(200);
    let actions: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["action"])
        .collect();
    assert_eq!(actions, ["vault_created", "vault_deleted", "vault_created"]);
    assert_eq!(log[0]["repoFullName"], "acme/web");
    assert_eq!(log[0]["actor"]["username"], "ada");
    assert_eq!(log[0]["platform"], "api");
}

async fn repository_names_are_told_apart_without_regard_to_case(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "Acme/Web").await;
    ada.post("/v1/vaults", json!({ "repoFullName": "acme/WEB" }))
        .await
        .problem(409, "conflict");
    let vault = ada.get("/v1/vaults/aCME/wEB").await.data(200);
    assert_eq!(vault["repoFullName"], "Acme/Web");
    for wrong in ["", "a", "a/b/c", "a/..", "/b", "a/ b", "a/b%00"] {
        ada.post("/v1/vaults", json!({ "repoFullName": wrong }))
            .await
            .refuses(&["repoFullName"]);
    }
}
