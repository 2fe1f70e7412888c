//! The dashboard's pages of vaults, environments and secrets.

use keyway_api::ApiOptions;
use keyway_shared::domain::account::User;
use keyway_tests::app::TestApp;
use serde_json::{Value, json};

use super::Profile;
use super::callers::{Caller, DASHBOARD, Replay, signed_in};

replays!(
    a_dashboard_shows_its_vaults,
    environments_are_made_renamed_and_removed,
    secrets_are_written_shown_and_brought_back,
);

const VAULT: &str = "/v1/vaults/acme/web";

struct Open {
    app: TestApp,
    user: User,
    page: Caller,
}

/// A dashboard of ada's, who has a vault.
async fn start(profile: Profile, replay: &Replay) -> Open {
    let mut builder = TestApp::builder(profile);
    builder.options = ApiOptions {
        cors_origins: vec![DASHBOARD.to_owned()],
        ..ApiOptions::default()
    };
    let app = builder.start().await;
    let account = app.account("ada").await;
    crate::vaults::create(&app.client(&account.token), "acme/web").await;
    let cookies = signed_in(&app, &account.user).await;
    let page = replay.dashboard(&app, &cookies);
    Open {
        app,
        user: account.user,
        page,
    }
}

/// What a page reads of a vault, in lists and alone.
fn check_vault(vault: &Value) {
    for name in ["id", "repoOwner", "repoName", "repoAvatar", "updatedAt"] {
        assert!(vault[name].is_string(), "{name}: {vault}");
    }
    assert!(vault["secretCount"].is_i64());
    assert!(
        vault["environments"]
            .as_array()
            .is_some_and(|names| { names.iter().all(Value::is_string) })
    );
    vault["environmentDetails"]
        .as_array()
        .expect("a list")
        .iter()
        .for_each(check_environment);
    let permissions = ["admin", "maintain", "write", "triage", "read"];
    let permission = vault["permission"].as_str().expect("a permission");
    assert!(permissions.contains(&permission));
    assert!(vault["isPrivate"].is_boolean());
    // A plan makes vaults read-only elsewhere; pages ask for money then.
    assert_eq!(vault["isReadOnly"], false);
    assert_eq!(vault["readonlyReason"], Value::Null);
    assert!(vault["syncs"].is_array());
}

fn check_environment(environment: &Value) {
    assert!(environment["name"].is_string() && environment["displayOrder"].is_i64());
    let types = ["protected", "standard", "development"];
    assert!(types.contains(&environment["type"].as_str().expect("a type")));
}

async fn a_dashboard_shows_its_vaults(profile: Profile, replay: &Replay) {
    let Open { app, user, page } = start(profile, replay).await;
    let answer = page.get("/v1/vaults").await;
    let vaults = answer.data(200);
    let vaults = vaults.as_array().expect("a list");
    assert_eq!(vaults.len(), 1);
    vaults.iter().for_each(check_vault);
    let pagination = &answer.json["meta"]["pagination"];
    assert_eq!(pagination["total"], 1);
    assert_eq!(pagination["offset"], 0);
    assert_eq!(pagination["hasMore"], false);
    let vault = page.get(VAULT).await.data(200);
    check_vault(&vault);
    assert_eq!(vault["repoFullName"], "acme/web");
    assert!(vault["createdAt"].is_string());

    // A member who only reads is shown the same vault.
    let bob = app.account("bob").await.user;
    let key = app
        .key(&user, keyway_shared::domain::account::Scope::ALL, None)
        .await;
    let invite = json!({ "username": "bob", "role": "read" });
    app.client(&key.token)
        .post(&format!("{VAULT}/members"), invite)
        .await
        .data(201);
    let theirs = replay.dashboard(&app, &signed_in(&app, &bob).await);
    let shown = theirs.get("/v1/vaults").await.data(200);
    check_vault(&shown[0]);
    assert_eq!(shown[0]["permission"], "read");

    let path = format!("{VAULT}/contributors");
    let people = page.get(&path).await.data(200);
    assert_eq!(people["provider"], "github");
    assert!(people["repoId"].is_string());
    let people: Vec<_> = people["contributors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|person| {
            for name in ["avatarUrl", "htmlUrl"] {
                assert!(
                    person[name].is_null(),
                    "nobody here has an account at GitHub"
                );
            }
            (person["login"].clone(), person["permission"].clone())
        })
        .collect();
    assert_eq!(json!(people), json!([["ada", "admin"], ["bob", "read"]]));

    let usage = page.get("/v1/users/me/usage").await.data(200);
    assert_eq!(usage["plan"], "business");
    for limit in [
        "maxPublicRepos",
        "maxPrivateRepos",
        "maxProviders",
        "maxEnvironmentsPerVault",
        "maxSecretsPerPrivateVault",
    ] {
        assert_eq!(usage["limits"][limit], "unlimited");
    }
    assert_eq!(
        usage["usage"],
        json!({ "public": 0, "private": 1, "providers": 0 })
    );
    let orgs = page.get("/v1/orgs").await;
    assert_eq!(orgs.data(200), json!([]));
    assert_eq!(orgs.json["meta"]["pagination"]["total"], 0);

    assert_eq!(theirs.delete(VAULT).await.status, 403);
    page.delete(VAULT).await.empty();
    assert_eq!(page.get("/v1/vaults").await.data(200), json!([]));
    assert_eq!(page.get(VAULT).await.status, 404);
}

async fn environments_are_made_renamed_and_removed(profile: Profile, replay: &Replay) {
    let Open { app, user, page } = start(profile, replay).await;
    let base = format!("{VAULT}/environments");
    let names = |data: &Value| -> Vec<String> {
        let list = data["environments"].as_array().expect("a list");
        list.iter().for_each(check_environment);
        let names = list.iter().map(|e| e["name"].as_str().expect("a name"));
        names.map(str::to_owned).collect()
    };
    let shown = page.get(&base).await.data(200);
    assert_eq!(names(&shown), ["development", "staging", "production"]);
    let made = page.post(&base, json!({ "name": "qa" })).await.data(201);
    check_environment(&made["environment"]);
    assert_eq!(names(&made), ["development", "staging", "production", "qa"]);
    assert_eq!(page.post(&base, json!({ "name": "qa" })).await.status, 409);

    let rename = |name: &str| json!({ "newName": name });
    let renamed = page
        .patch(&format!("{base}/qa"), rename("qa-2"))
        .await
        .data(200);
    assert_eq!(
        (&renamed["oldName"], &renamed["newName"]),
        (&json!("qa"), &json!("qa-2"))
    );
    assert_eq!(names(&renamed)[3], "qa-2");
    let path = format!("{base}/qa-2");
    assert_eq!(page.patch(&path, rename("staging")).await.status, 409);
    let gone = format!("{base}/qa");
    assert_eq!(page.patch(&gone, rename("x1")).await.status, 404);

    let token = app
        .key(&user, keyway_shared::domain::account::Scope::ALL, None)
        .await
        .token;
    let typed = replay
        .nobody(&app, &token)
        .patch(&format!("{path}/type"), json!({ "type": "protected" }))
        .await
        .data(200);
    assert_eq!(typed["environment"]["type"], "protected");

    let deleted = page.delete(&path).await.data(200);
    assert_eq!(deleted["deleted"], "qa-2");
    assert_eq!(names(&deleted).len(), 3);
}

async fn secrets_are_written_shown_and_brought_back(profile: Profile, replay: &Replay) {
    let Open {
        page, app: _app, ..
    } = start(profile, replay).await;
    let base = format!("{VAULT}/secrets");
    let secret =
        |key: &str, value: &str| json!({ "key": key, "value": value, "environment": "production" });
    let made = page
        .post(&base, secret("API_KEY", "first-value"))
        .await
        .data(201);
    assert_eq!(made["status"], "created");
    let id = made["id"].as_str().expect("an id").to_owned();
    let changed = page
        .post(&base, secret("API_KEY", "second-value"))
        .await
        .data(200);
    assert_eq!(
        (&changed["status"], &changed["id"]),
        (&json!("updated"), &json!(id))
    );
    page.post(&base, secret("OTHER", "x")).await.data(201);

    let listed = page.get(&format!("{base}?limit=100")).await.data(200);
    let listed = listed.as_array().expect("a list");
    for item in listed {
        for name in ["id", "key", "environment", "createdAt", "updatedAt"] {
            assert!(item[name].is_string(), "{name}: {item}");
        }
        assert_eq!(item["lastModifiedBy"]["username"], "ada");
        assert!(item["lastModifiedBy"].get("avatarUrl").is_some());
        assert!(item.get("value").is_none());
    }
    assert_eq!(listed[0]["key"], "OTHER", "the last change comes first");

    // The page sends `key`, and upstream read `name`: both are taken.
    let one = format!("{base}/{id}");
    for name in ["key", "name"] {
        let mut body = json!({ "value": "third-value" });
        body[name] = json!("API_TOKEN");
        let item = page.patch(&one, body).await.data(200);
        assert_eq!(item["key"], "API_TOKEN");
    }
    assert_eq!(page.patch(&one, json!({})).await.status, 400);
    let value = page.get(&format!("{one}/value")).await.data(200);
    assert_eq!(value["value"], "third-value");
    assert_eq!(value["preview"], "th••••ue");

    let versions = page.get(&format!("{one}/versions")).await.data(200);
    let versions = versions["versions"].as_array().expect("a list");
    for version in versions {
        assert!(version["id"].is_string() && version["versionNumber"].is_i64());
        assert!(version["createdAt"].is_string());
        assert_eq!(version["createdBy"]["username"], "ada");
    }
    let oldest = versions.last().expect("a version");
    let version = format!("{one}/versions/{}", oldest["id"].as_str().expect("an id"));
    let old = page.get(&format!("{version}/value")).await.data(200);
    assert_eq!(old["value"], "first-value");
    assert_eq!(old["versionNumber"], oldest["versionNumber"]);
    let restored = page
        .post_nothing(&format!("{version}/restore"))
        .await
        .data(200);
    assert_eq!(restored["key"], "API_TOKEN");
    assert_eq!(restored["versionNumber"], oldest["versionNumber"]);
    assert!(restored["message"].is_string());
    let value = page.get(&format!("{one}/value")).await.data(200);
    assert_eq!(value["value"], "first-value");

    let deleted = page.delete(&one).await.data(200);
    for name in [
        "id",
        "key",
        "environment",
        "deletedAt",
        "expiresAt",
        "message",
    ] {
        assert!(deleted[name].is_string(), "{name}: {deleted}");
    }
    let trash = format!("{VAULT}/trash");
    let lying = page.get(&format!("{trash}?limit=100")).await.data(200);
    assert_eq!(lying[0]["key"], "API_TOKEN");
    assert_eq!(lying[0]["daysRemaining"], 30);
    assert!(lying[0]["deletedAt"].is_string() && lying[0]["expiresAt"].is_string());
    let back = format!("{trash}/{id}/restore");
    let restored = page.post_nothing(&back).await.data(200);
    assert_eq!(restored["key"], "API_TOKEN");
    assert_eq!(restored["environment"], "production");
    assert!(restored["message"].is_string());
    page.delete(&one).await.data(200);
    page.post(&base, secret("API_TOKEN", "new")).await.data(201);
    assert_eq!(page.post_nothing(&back).await.status, 409);
    page.delete(&format!("{trash}/{id}")).await.empty();
    let emptied = page.delete(&trash).await.data(200);
    assert_eq!(emptied["deleted"], 0);
    assert!(emptied["message"].is_string());
}
