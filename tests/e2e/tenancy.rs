//! What belongs to others does not exist.

use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use serde_json::json;

use crate::secrets::write;
use crate::vaults::create;

keyway_tests::on_both_profiles!(
    another_users_things_are_not_found,
    ids_of_one_vault_are_not_those_of_another,
);

async fn another_users_things_are_not_found(profile: Profile) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    let (ada, eve) = (app.client(&account.token), app.user("eve").await);
    create(&ada, "acme/web").await;
    let secret = write(&ada, "A", "1").await;
    let trashed = write(&ada, "B", "1").await;
    ada.delete(&trashed).await.data(200);
    let vault = "/v1/vaults/acme/web";
    let trashed = format!("{vault}/trash/{}", trashed.rsplit('/').next().unwrap());
    let push = json!({ "repoFullName": "acme/web", "environment": "production", "secrets": {} });
    let key = format!("/v1/api-keys/{}", account.key.id);

    for answer in [
        eve.get(vault).await,
        eve.delete(vault).await,
        eve.get(&format!("{vault}/members")).await,
        eve.post(
            &format!("{vault}/members"),
            json!({ "username": "eve", "role": "admin" }),
        )
        .await,
        eve.delete(&format!("{vault}/members/ada")).await,
        eve.get(&format!("{vault}/environments")).await,
        eve.post(&format!("{vault}/environments"), json!({ "name": "qa" }))
            .await,
        eve.patch(
            &format!("{vault}/environments/staging"),
            json!({ "newName": "qa" }),
        )
        .await,
        eve.patch(
            &format!("{vault}/environments/staging/type"),
            json!({ "type": "standard" }),
        )
        .await,
        eve.delete(&format!("{vault}/environments/staging")).await,
        eve.get(&format!("{vault}/secrets")).await,
        eve.post(
            &format!("{vault}/secrets"),
            json!({ "key": "A", "value": "2", "environment": "production" }),
        )
        .await,
        eve.patch(&secret, json!({ "value": "2" })).await,
        eve.delete(&secret).await,
        eve.get(&format!("{secret}/value")).await,
        eve.get(&format!("{secret}/versions")).await,
        eve.get(&format!("{vault}/trash")).await,
        eve.delete(&format!("{vault}/trash")).await,
        eve.post(&format!("{trashed}/restore"), json!({})).await,
        eve.delete(&trashed).await,
        eve.post("/v1/secrets/push", push).await,
        eve.get("/v1/secrets/pull?repo=acme/web&environment=production")
            .await,
        eve.get("/v1/secrets/view?repo=acme/web&environment=production&key=A")
            .await,
        eve.get("/v1/activity?vault=acme/web").await,
        eve.get(&key).await,
        eve.delete(&key).await,
    ] {
        // The same words as for what does not exist at all.
        answer.problem(404, "not-found");
        assert!(!answer.text.contains("role"), "{}", answer.text);
    }
    let nowhere = eve
        .get("/v1/vaults/acme/nowhere")
        .await
        .problem(404, "not-found");
    let foreign = eve.get(vault).await.problem(404, "not-found");
    assert_eq!(nowhere["detail"], foreign["detail"]);

    assert_eq!(eve.get("/v1/vaults").await.data(200), json!([]));
    assert_eq!(eve.get("/v1/activity").await.data(200), json!([]));
    let keys = eve.get("/v1/api-keys").await.data(200);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    let shown = ada.get(&format!("{secret}/value")).await.data(200);
    assert_eq!(shown["value"], "1");
}

async fn ids_of_one_vault_are_not_those_of_another(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    create(&ada, "acme/other").await;
    let secret = write(&ada, "A", "1").await;
    let id = secret.rsplit('/').next().unwrap();
    let moved = format!("/v1/vaults/acme/other/secrets/{id}");
    ada.get(&format!("{moved}/value"))
        .await
        .problem(404, "not-found");
    ada.patch(&moved, json!({ "value": "2" }))
        .await
        .problem(404, "not-found");
    ada.delete(&moved).await.problem(404, "not-found");
    ada.delete(&secret).await.data(200);
    let moved = format!("/v1/vaults/acme/other/trash/{id}");
    ada.post(&format!("{moved}/restore"), json!({}))
        .await
        .problem(404, "not-found");
    ada.delete(&moved).await.problem(404, "not-found");
}
