//! Authentication, API keys, the caller, activity.

use chrono::TimeDelta;
use keyway_shared::domain::account::Scope;
use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use reqwest::Method;
use serde_json::{Value, json};

use crate::vaults::create;

keyway_tests::on_both_profiles!(
    a_call_needs_a_valid_key,
    a_key_expires_and_can_be_revoked,
    a_key_does_what_its_scopes_allow,
    keys_are_made_shown_and_revoked,
    a_key_cannot_give_what_it_does_not_have,
    the_last_use_is_noted_once_a_minute,
    activity_goes_on_from_a_cursor,
    activity_is_exported_as_json_lines,
);

async fn a_call_needs_a_valid_key(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    let me = ada.get("/v1/users/me").await.data(200);
    assert_eq!(me["username"], "ada");
    assert_eq!(me["forgeType"], "github");
    assert_eq!(me["email"], serde_json::Value::Null);

    let anonymous = app.anonymous();
    let answer = anonymous.get("/v1/users/me").await;
    assert_eq!(
        answer.problem(401, "unauthorized")["detail"],
        "Authentication required"
    );
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
    let cases = [
        ("Bearer kw_live_short", "Invalid API key format"),
        (
            &format!("Bearer kw_live_{}", "é".repeat(20)),
            "Authentication required",
        ),
        (
            &format!("Bearer kw_live_{}", "a".repeat(40)),
            "Invalid or revoked API key",
        ),
        ("Bearer ghp_something", "Invalid or expired token"),
        ("Basic YWRhOmFkYQ==", "Authentication required"),
        ("Bearer ", "Authentication required"),
    ];
    for (header, detail) in cases {
        let client = anonymous.clone().with("authorization", header);
        let problem = client
            .get("/v1/users/me")
            .await
            .problem(401, "unauthorized");
        assert_eq!(problem["detail"], detail, "{header}");
    }
    // A query is no place for a token.
    let account = app.account("bob").await;
    anonymous
        .get(&format!("/v1/users/me?token={}", account.token))
        .await
        .problem(401, "unauthorized");
}

async fn a_key_expires_and_can_be_revoked(profile: Profile) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    let ada = app.client(&account.token);
    let short = app
        .key(&account.user, Scope::ALL, Some(TimeDelta::hours(1)))
        .await;
    let client = app.client(&short.token);
    client.get("/v1/users/me").await.data(200);
    app.advance(TimeDelta::hours(1));
    let problem = client
        .get("/v1/users/me")
        .await
        .problem(401, "unauthorized");
    assert_eq!(problem["detail"], "API key has expired");

    let other = app.key(&account.user, Scope::ALL, None).await;
    let client = app.client(&other.token);
    client.get("/v1/users/me").await.data(200);
    ada.delete(&format!("/v1/api-keys/{}", other.key.id))
        .await
        .empty();
    let problem = client
        .get("/v1/users/me")
        .await
        .problem(401, "unauthorized");
    assert_eq!(problem["detail"], "Invalid or revoked API key");
}

async fn a_key_does_what_its_scopes_allow(profile: Profile) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    let ada = app.client(&account.token);
    create(&ada, "acme/web").await;
    let secret = crate::secrets::write(&ada, "A", "1").await;
    let vault = "/v1/vaults/acme/web";
    let push = json!({ "repoFullName": "acme/web", "environment": "production", "secrets": {} });
    let calls = [
        (
            Scope::ReadSecrets,
            Method::GET,
            "/v1/vaults".to_owned(),
            None,
        ),
        (Scope::ReadSecrets, Method::GET, vault.to_owned(), None),
        (
            Scope::ReadSecrets,
            Method::GET,
            format!("{vault}/secrets"),
            None,
        ),
        (
            Scope::ReadSecrets,
            Method::GET,
            format!("{secret}/value"),
            None,
        ),
        (
            Scope::ReadSecrets,
            Method::GET,
            "/v1/secrets/pull?repo=acme/web&environment=production".to_owned(),
            None,
        ),
        (
            Scope::WriteSecrets,
            Method::POST,
            "/v1/vaults".to_owned(),
            Some(json!({ "repoFullName": "acme/x" })),
        ),
        (
            Scope::WriteSecrets,
            Method::POST,
            "/v1/secrets/push".to_owned(),
            Some(push),
        ),
        (Scope::WriteSecrets, Method::DELETE, vault.to_owned(), None),
        (Scope::DeleteSecrets, Method::DELETE, secret.clone(), None),
        (
            Scope::DeleteSecrets,
            Method::DELETE,
            format!("{vault}/trash"),
            None,
        ),
        (
            Scope::AdminApiKeys,
            Method::GET,
            "/v1/api-keys".to_owned(),
            None,
        ),
    ];
    for (scope, method, path, body) in calls {
        let others: Vec<_> = Scope::ALL.iter().copied().filter(|s| *s != scope).collect();
        let key = app.key(&account.user, &others, None).await;
        let client = app
            .client(&key.token)
            .with("content-type", "application/json");
        let body = body.map(|body| body.to_string().into_bytes());
        let answer = client.send(method, &path, body).await;
        assert_eq!(
            answer.problem(403, "forbidden")["detail"],
            format!("API key missing required scope(s): {scope}"),
            "{path}"
        );
    }
}

async fn keys_are_made_shown_and_revoked(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    let body = json!({
        "name": "CI", "environment": "live", "scopes": ["read:secrets"], "expiresInDays": 30,
    });
    let made = ada.post("/v1/api-keys", body).await.data(200);
    let token = made["token"].as_str().unwrap();
    assert!(
        token.starts_with("kw_live_") && token.len() == 48,
        "{token}"
    );
    assert_eq!(made["prefix"], token[..16]);
    assert_eq!(made["scopes"], json!(["read:secrets"]));
    assert_eq!(made["isActive"], true);
    assert_eq!(made["lastUsedAt"], serde_json::Value::Null);
    app.client(token).get("/v1/vaults").await.data(200);

    let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
    let shown = ada.get(&path).await;
    assert!(!shown.text.contains(token), "a token is shown once");
    assert_eq!(shown.data(200)["usageCount"], 1);
    let listed = ada.get("/v1/api-keys").await;
    assert!(!listed.text.contains(token));
    assert_eq!(listed.data(200)["keys"].as_array().unwrap().len(), 2);

    ada.delete(&path).await.empty();
    let problem = ada.delete(&path).await.problem(400, "bad-request");
    assert_eq!(problem["detail"], "API key is already revoked");
    let shown = ada.get(&path).await.data(200);
    assert_eq!(shown["isActive"], false);
    assert!(shown["revokedAt"].is_string());

    for (body, field) in [
        (json!({ "scopes": ["read:secrets"] }), "name"),
        (json!({ "name": " ", "scopes": ["read:secrets"] }), "name"),
        (
            json!({ "name": "a\nb", "scopes": ["read:secrets"] }),
            "name",
        ),
        (json!({ "name": "x", "scopes": [] }), "scopes"),
        (json!({ "name": "x", "scopes": ["all"] }), "scopes[0]"),
        (
            json!({ "name": "x", "scopes": ["read:secrets"], "expiresInDays": 0 }),
            "expiresInDays",
        ),
        (
            json!({ "name": "x", "scopes": ["read:secrets"], "environment": "dev" }),
            "environment",
        ),
        (
            json!({ "name": "x", "scopes": ["read:secrets"], "allowedIps": ["::g"] }),
            "allowedIps",
        ),
    ] {
        ada.post("/v1/api-keys", body).await.refuses(&[field]);
    }
    for id in [app.unknown_id().to_string(), "x".to_owned()] {
        ada.get(&format!("/v1/api-keys/{id}"))
            .await
            .problem(404, "not-found");
        ada.delete(&format!("/v1/api-keys/{id}"))
            .await
            .problem(404, "not-found");
    }
}

async fn a_key_cannot_give_what_it_does_not_have(profile: Profile) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    let scopes = [Scope::AdminApiKeys, Scope::ReadSecrets];
    let client = app.client(&app.key(&account.user, &scopes, None).await.token);
    let make = async |scopes: serde_json::Value| {
        client
            .post("/v1/api-keys", json!({ "name": "x", "scopes": scopes }))
            .await
    };
    make(json!(["read:secrets", "admin:api-keys"]))
        .await
        .data(200);
    let problem = make(json!(["read:secrets", "write:secrets"]))
        .await
        .problem(403, "forbidden");
    assert_eq!(
        problem["detail"],
        "API key missing required scope(s): write:secrets"
    );
}

async fn the_last_use_is_noted_once_a_minute(profile: Profile) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    let ada = app.client(&account.token);
    let path = format!("/v1/api-keys/{}", account.key.id);
    let first = ada.get(&path).await.data(200);
    assert_eq!(first["usageCount"], 1);
    assert_eq!(ada.get(&path).await.data(200), first);
    app.advance(TimeDelta::minutes(1));
    let later = ada.get(&path).await.data(200);
    assert_eq!(later["usageCount"], 2);
    assert_ne!(later["lastUsedAt"], first["lastUsedAt"]);
}

async fn activity_is_exported_as_json_lines(profile: Profile) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    let ada = app.client(&account.token);
    for n in 0..3 {
        create(&ada, &format!("acme/v{n}")).await;
    }
    let lines = |text: &str| -> Vec<Value> {
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON in each line"))
            .collect()
    };
    let all = ada.get("/v1/activity/export").await;
    assert_eq!(
        (all.status, all.header("content-type")),
        (200, "application/x-ndjson")
    );
    assert!(all.text.ends_with('\n'));
    let all = lines(&all.text);
    let listed = ada.get("/v1/activity?limit=100").await.json["data"].clone();
    assert_eq!(json!(all), listed);
    assert_eq!(all[0]["apiKeyId"], account.key.id.to_string());
    assert!(all[0]["requestId"].is_string());

    let one = lines(&ada.get("/v1/activity/export?vault=acme/v1").await.text);
    assert_eq!(one.len(), 1);
    let at = one[0]["timestamp"].as_str().unwrap();
    let since = lines(
        &ada.get(&format!("/v1/activity/export?since={at}"))
            .await
            .text,
    );
    let until = lines(
        &ada.get(&format!("/v1/activity/export?until={at}"))
            .await
            .text,
    );
    assert_eq!((since.len(), until.len()), (2, 1));
    ada.get("/v1/activity/export?since=yesterday")
        .await
        .refuses(&["since"]);
    let eve = app.user("eve").await;
    assert_eq!(eve.get("/v1/activity/export").await.text, "");
    eve.get("/v1/activity/export?vault=acme/v1")
        .await
        .problem(404, "not-found");
}

async fn activity_goes_on_from_a_cursor(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await.with("user-agent", "keyway-cli/dev");
    for n in 0..5 {
        create(&ada, &format!("acme/v{n}")).await;
    }
    let first = ada.get("/v1/activity?limit=2").await;
    let names = |data: serde_json::Value| -> Vec<String> {
        let entries = data.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| entry["repoFullName"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(first.data(200)), ["acme/v4", "acme/v3"]);
    assert_eq!(first.data(200)[0]["platform"], "cli");
    let pagination = &first.json["meta"]["pagination"];
    assert_eq!(pagination["total"], 5);
    assert_eq!(pagination["hasMore"], true);
    let cursor = pagination["nextCursor"].as_str().unwrap();
    // What is added meanwhile does not move the pages.
    create(&ada, "acme/new").await;
    let second = ada
        .get(&format!("/v1/activity?limit=2&cursor={cursor}"))
        .await;
    assert_eq!(names(second.data(200)), ["acme/v2", "acme/v1"]);
    let cursor = second.json["meta"]["pagination"]["nextCursor"]
        .as_str()
        .unwrap();
    let last = ada
        .get(&format!("/v1/activity?limit=2&cursor={cursor}"))
        .await;
    assert_eq!(names(last.data(200)), ["acme/v0"]);
    assert_eq!(last.json["meta"]["pagination"]["hasMore"], false);
    assert!(last.json["meta"]["pagination"].get("nextCursor").is_none());
    let offset = ada.get("/v1/activity?limit=2&offset=4").await;
    assert_eq!(names(offset.data(200)), ["acme/v1", "acme/v0"]);
    let one = ada.get("/v1/activity?vault=acme/v1").await;
    assert_eq!(names(one.data(200)), ["acme/v1"]);
    ada.get("/v1/activity?cursor=x").await.refuses(&["cursor"]);
    ada.get("/v1/activity?vault=acme/none")
        .await
        .problem(404, "not-found");
}
