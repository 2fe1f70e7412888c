//! The dashboard's pages of API keys and of activity.

use keyway_api::ApiOptions;
use keyway_shared::domain::account::User;
use keyway_tests::app::TestApp;
use serde_json::{Value, json};

use super::Profile;
use super::callers::{Caller, DASHBOARD, Replay, signed_in, told};

replays!(
    api_keys_are_made_shown_and_revoked,
    activity_has_the_words_that_pages_know,
);

async fn start(profile: Profile, replay: &Replay) -> (TestApp, User, Caller) {
    let mut builder = TestApp::builder(profile);
    builder.options = ApiOptions {
        cors_origins: vec![DASHBOARD.to_owned()],
        ..ApiOptions::default()
    };
    let app = builder.start().await;
    let user = app.account("ada").await.user;
    let cookies = signed_in(&app, &user).await;
    let page = replay.dashboard(&app, &cookies);
    (app, user, page)
}

/// What a page reads of a key.
fn check(key: &Value) {
    for name in ["id", "name", "prefix", "environment", "createdAt"] {
        assert!(key[name].is_string(), "{name}: {key}");
    }
    for name in ["expiresAt", "lastUsedAt", "revokedAt", "revokedReason"] {
        let field = key.get(name).unwrap_or_else(|| panic!("{name}: {key}"));
        assert!(field.is_null() || field.is_string(), "{name}: {key}");
    }
    assert!(key["scopes"].is_array() && key["usageCount"].is_i64());
    assert!(key["isActive"].is_boolean());
}

async fn api_keys_are_made_shown_and_revoked(profile: Profile, replay: &Replay) {
    let (app, _, page) = start(profile, replay).await;
    let body = json!({ "name": "CI", "environment": "live",
        "scopes": ["read:secrets", "write:secrets"], "expiresInDays": 90 });
    let made = page.post("/v1/api-keys", body).await.data(200);
    check(&made);
    let token = made["token"].as_str().expect("a token");
    let (prefix, rest) = token.split_at("kw_live_".len());
    assert_eq!(prefix, "kw_live_");
    assert!(rest.len() == 40 && rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(made["prefix"], token[.."kw_live_".len() + 8]);

    let id = made["id"].as_str().expect("an id");
    let listed = page.get("/v1/api-keys").await.data(200);
    let keys = listed["keys"].as_array().expect("a list");
    keys.iter().for_each(check);
    assert!(
        keys.iter()
            .any(|key| key["id"] == id && key.get("token").is_none())
    );
    let path = format!("/v1/api-keys/{id}");
    let one = page.get(&path).await.data(200);
    check(&one);
    assert_eq!(one["allowedIps"], Value::Null);

    page.delete(&path).await.empty();
    let again = page.delete(&path).await;
    assert_eq!(again.status, 400);
    assert_eq!(told(&again), "API key is already revoked");
    let unknown = format!("/v1/api-keys/{}", app.unknown_id());
    assert_eq!(page.delete(&unknown).await.status, 404);
    let revoked = page.get(&path).await.data(200);
    assert_eq!(revoked["isActive"], false);
    assert!(revoked["revokedAt"].is_string());

    // What a key may not do is told with the scope that it lacks.
    let body = json!({ "name": "reader", "environment": "test", "scopes": ["read:secrets"] });
    let reader = page.post("/v1/api-keys", body).await.data(200);
    let reader = app.client(reader["token"].as_str().expect("a token"));
    let body = json!({ "repoFullName": "acme/web" });
    let refused = reader.post("/v1/vaults", body).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        told(&refused),
        "API key missing required scope(s): write:secrets"
    );
}

async fn activity_has_the_words_that_pages_know(profile: Profile, replay: &Replay) {
    let (app, user, page) = start(profile, replay).await;
    let key = app
        .key(&user, keyway_shared::domain::account::Scope::ALL, None)
        .await;
    let others = app.client(&key.token);
    let vault = json!({ "repoFullName": "acme/web" });
    let agents = [
        ("keyway-cli/dev", "cli"),
        ("keyway-mcp/1.0.0", "mcp"),
        ("Mozilla/5.0", "web"),
        ("curl/8", "api"),
    ];
    others
        .clone()
        .with("user-agent", "keyway-cli/dev")
        .post("/v1/vaults", vault)
        .await
        .data(201);
    for (agent, _) in agents {
        let push = json!({ "repoFullName": "acme/web", "environment": "production",
            "secrets": { "AGENT": agent } });
        others
            .clone()
            .with("user-agent", agent)
            .post("/v1/secrets/push", push)
            .await
            .data(200);
    }
    let answer = page.get("/v1/activity?limit=100").await;
    let entries = answer.data(200);
    let entries = entries.as_array().expect("a list");
    assert_eq!(entries.len(), 1 + agents.len());
    assert_eq!(answer.json["meta"]["pagination"]["limit"], 100);
    for (entry, (_, platform)) in entries.iter().zip(agents.iter().rev()) {
        assert_eq!(entry["action"], "secrets_pushed");
        assert_eq!(entry["platform"], *platform);
        assert_eq!(entry["repoFullName"], "acme/web");
        assert_eq!(entry["actor"]["username"], "ada");
        assert!(entry["actor"].get("avatarUrl").is_some());
        assert_eq!(entry["metadata"]["environment"], "production");
        assert_eq!(entry["metadata"]["count"], 1);
        let timestamp = entry["timestamp"].as_str().expect("a time");
        assert!(timestamp.ends_with('Z') && timestamp.len() == "2026-01-15T10:00:00.000Z".len());
    }
    assert!(!answer.text.contains("curl/8"), "no value is in it");
}
