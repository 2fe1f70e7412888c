//! The trash.

use chrono::TimeDelta;
use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use serde_json::json;

use crate::secrets::write;
use crate::vaults::create;

keyway_tests::on_both_profiles!(a_deleted_secret_can_be_restored, the_trash_can_be_emptied,);

const TRASH: &str = "/v1/vaults/acme/web/trash";

async fn a_deleted_secret_can_be_restored(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let secret = write(&ada, "A", "one").await;
    let deleted = ada.delete(&secret).await.data(200);
    assert_eq!(deleted["key"], "A");
    assert_eq!(deleted["environment"], "production");
    assert!(deleted["message"].is_string());
    ada.get(&format!("{secret}/value"))
        .await
        .problem(404, "not-found");
    ada.delete(&secret).await.problem(404, "not-found");

    app.advance(TimeDelta::hours(36));
    let trash = ada.get(TRASH).await.data(200);
    assert_eq!(trash[0]["id"], deleted["id"]);
    assert_eq!(trash[0]["deletedAt"], deleted["deletedAt"]);
    assert_eq!(trash[0]["expiresAt"], deleted["expiresAt"]);
    assert_eq!(trash[0]["daysRemaining"], 29);

    let restore = format!("{TRASH}/{}/restore", deleted["id"].as_str().unwrap());
    let blocking = write(&ada, "A", "two").await;
    ada.post(&restore, json!({})).await.problem(409, "conflict");
    ada.patch(&blocking, json!({ "key": "B" })).await.data(200);
    let restored = ada.post(&restore, json!({})).await.data(200);
    assert_eq!(restored["key"], "A");
    assert_eq!(restored["environment"], "production");
    let shown = ada.get(&format!("{secret}/value")).await.data(200);
    assert_eq!(shown["value"], "one");
    ada.post(&restore, json!({}))
        .await
        .problem(404, "not-found");
    assert_eq!(ada.get(TRASH).await.data(200), json!([]));
}

async fn the_trash_can_be_emptied(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let mut ids = Vec::new();
    for key in ["A", "B", "C"] {
        let secret = write(&ada, key, "x").await;
        let id = ada.delete(&secret).await.data(200)["id"].clone();
        ids.push(id.as_str().unwrap().to_owned());
    }
    let living = write(&ada, "D", "x").await;
    let living_id = living.rsplit('/').next().unwrap();
    ada.delete(&format!("{TRASH}/{living_id}"))
        .await
        .problem(404, "not-found");

    ada.delete(&format!("{TRASH}/{}", ids[0])).await.empty();
    ada.delete(&format!("{TRASH}/{}", ids[0]))
        .await
        .problem(404, "not-found");
    assert_eq!(ada.delete(TRASH).await.data(200)["deleted"], 2);
    assert_eq!(ada.delete(TRASH).await.data(200)["deleted"], 0);
    ada.get(&format!("{living}/value")).await.data(200);
    let log = ada.get("/v1/activity?limit=4").await.data(200);
    assert_eq!(log[1]["action"], "secret_permanently_deleted");
    assert_eq!(log[1]["metadata"]["count"], 2);
}
