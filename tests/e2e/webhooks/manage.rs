//! Who may have webhooks, and where.

use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_tests::database::Profile;
use serde_json::{Value, json};

use super::HOOKS;
use crate::integrations::world::{World, id};

keyway_tests::on_both_profiles!(
    a_webhook_is_made_changed_and_removed,
    only_admins_see_and_change_them,
    addresses_that_are_not_everybody_s_are_refused,
);

const URL: &str = "https://example.com/hook";

async fn a_webhook_is_made_changed_and_removed(profile: Profile) {
    let world = World::start(profile).await;
    let me = &world.me;
    let made = me.post(HOOKS, json!({ "url": URL })).await.data(201);
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let hook = &made["webhook"];
    let every = [
        "sync.succeeded",
        "sync.partial",
        "sync.failed",
        "drift.detected",
        "connection.needs-reconnect",
    ];
    assert_eq!(hook["events"], json!(every));
    let one = format!("{HOOKS}/{}", hook["id"].as_str().unwrap());
    let shown = me.get(&one).await;
    assert!(!shown.text.contains("whsec_") && !shown.text.contains("secret\""));
    assert_eq!(&shown.data(200)["webhook"], hook);

    let change = json!({ "events": ["sync.failed", "sync.failed"], "enabled": false });
    let changed = me.patch(&one, change).await.data(200);
    assert_eq!(changed["webhook"]["events"], json!(["sync.failed"]));
    assert_eq!(changed["webhook"]["disabledReason"], "requested");
    me.post(&format!("{one}/test"), json!({}))
        .await
        .problem(409, "conflict");
    let enabled = me.patch(&one, json!({ "enabled": true })).await.data(200);
    assert_eq!(enabled["webhook"]["disabledAt"], Value::Null);
    let listed = me.get(HOOKS).await.data(200);
    assert_eq!(listed["webhooks"], json!([enabled["webhook"]]));

    me.delete(&one).await.empty();
    me.get(&one).await.problem(404, "not-found");
    me.delete(&one).await.problem(404, "not-found");
    let activity = me.get("/v1/activity?vault=acme/my-app").await;
    let entries = activity.json["data"].as_array().unwrap().clone();
    let changes: Vec<_> = entries
        .iter()
        .filter(|entry| entry["action"] == Action::WebhookChanged.as_str())
        .map(|entry| entry["metadata"]["change"].as_str().unwrap())
        .collect();
    assert_eq!(changes, ["deleted", "updated", "updated", "created"]);
    assert!(!activity.text.contains(URL), "an address may hold a token");
    for _ in 0..10 {
        me.post(HOOKS, json!({ "url": URL })).await.data(201);
    }
    me.post(HOOKS, json!({ "url": URL }))
        .await
        .problem(409, "conflict");
}

async fn only_admins_see_and_change_them(profile: Profile) {
    let world = World::start(profile).await;
    let made = world.me.post(HOOKS, json!({ "url": URL })).await.data(201);
    let hook = id(&made["webhook"]["id"]);
    let writer = world.app.user("grace").await;
    let stranger = world.app.user("eve").await;
    let member = json!({ "username": "grace", "role": "write" });
    world
        .me
        .post("/v1/vaults/acme/my-app/members", member)
        .await
        .data(201);
    let one = format!("{HOOKS}/{hook}");
    for (client, status, code) in [(&writer, 403, "forbidden"), (&stranger, 404, "not-found")] {
        client.get(HOOKS).await.problem(status, code);
        client.get(&one).await.problem(status, code);
        client
            .get(&format!("{one}/deliveries"))
            .await
            .problem(status, code);
        client
            .post(HOOKS, json!({ "url": URL }))
            .await
            .problem(status, code);
        client
            .patch(&one, json!({ "enabled": false }))
            .await
            .problem(status, code);
        client
            .post(&format!("{one}/rotate"), json!({}))
            .await
            .problem(status, code);
        client
            .post(&format!("{one}/test"), json!({}))
            .await
            .problem(status, code);
        client.delete(&one).await.problem(status, code);
    }
    // An admin of another vault has nothing to do with it.
    stranger
        .post("/v1/vaults", json!({ "repoFullName": "eve/app" }))
        .await
        .data(201);
    let theirs = format!("/v1/vaults/eve/app/webhooks/{hook}");
    stranger.get(&theirs).await.problem(404, "not-found");
    stranger.delete(&theirs).await.problem(404, "not-found");
    let reader = world
        .app
        .key(&world.account.user, &[Scope::ReadSecrets], None)
        .await;
    let reader = world.app.client(&reader.token);
    reader.get(&one).await.data(200);
    reader.delete(&one).await.problem(403, "forbidden");
}

async fn addresses_that_are_not_everybody_s_are_refused(profile: Profile) {
    let world = World::start(profile).await;
    for url in [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/",
        "http://example.com/",
        "https://user:password@example.com/",
        "ftp://example.com/",
        "example.com",
    ] {
        let refused = world.me.post(HOOKS, json!({ "url": url })).await;
        refused.refuses(&["url"]);
        assert!(!refused.text.contains("password@"), "{}", refused.text);
    }
    for (body, field) in [
        (json!({ "url": URL, "events": [] }), "events"),
        (json!({ "url": URL, "events": ["webhook.test"] }), "events"),
        (json!({ "url": URL, "events": ["sync.done"] }), "events[0]"),
        (json!({ "url": URL, "event": ["sync.failed"] }), "event"),
        (
            json!({ "url": format!("{URL}?{}", "x".repeat(2048)) }),
            "url",
        ),
    ] {
        world.me.post(HOOKS, body).await.refuses(&[field]);
    }
}
