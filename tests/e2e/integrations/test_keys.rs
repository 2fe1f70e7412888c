//! A test key never touches production.

use keyway_shared::domain::account::Scope;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::world::{SYNC, World};

on_both_profiles!(
    a_test_key_reads_and_writes_no_production_secret,
    a_test_key_syncs_no_production,
    a_test_key_makes_no_live_key,
);

const VAULT: &str = "/v1/vaults/acme/my-app";

/// A key of ada's that may do all, but is for tests.
pub(super) async fn test_key(world: &World) -> keyway_tests::client::Client {
    let all: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    let body = json!({ "name": "tests", "environment": "test", "scopes": all });
    let key = world.me.post("/v1/api-keys", body).await.data(200);
    world.app.client(key["token"].as_str().expect("a token"))
}

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

async fn a_test_key_reads_and_writes_no_production_secret(profile: Profile) {
    let world = World::start(profile).await;
    let tester = test_key(&world).await;
    let secrets = format!("{VAULT}/secrets");
    let secret =
        |environment: &str| json!({ "key": "A", "value": "1", "environment": environment });
    let production = world
        .me
        .post(&secrets, secret("production"))
        .await
        .data(201);
    let production = format!("{secrets}/{}", id(&production));
    let staging = tester.post(&secrets, secret("staging")).await.data(201);
    let staging = format!("{secrets}/{}", id(&staging));
    let trashed = world.me.post(
        &secrets,
        json!({ "key": "B", "value": "1", "environment": "production" }),
    );
    let trashed = id(&trashed.await.data(201));
    world
        .me
        .delete(&format!("{secrets}/{trashed}"))
        .await
        .data(200);

    let push = |environment: &str| json!({ "repoFullName": "acme/my-app", "environment": environment, "secrets": { "A": "2" } });
    let type_of = format!("{VAULT}/environments/production/type");
    for answer in [
        tester.post(&secrets, secret("production")).await,
        tester.get(&format!("{production}/value")).await,
        tester.get(&format!("{production}/versions")).await,
        tester.patch(&production, json!({ "value": "2" })).await,
        tester.delete(&production).await,
        tester.post("/v1/secrets/push", push("production")).await,
        tester
            .get("/v1/secrets/pull?repo=acme/my-app&environment=production")
            .await,
        tester
            .get("/v1/secrets/view?repo=acme/my-app&environment=production&key=A")
            .await,
        tester
            .patch(&type_of, json!({ "type": "development" }))
            .await,
        tester
            .patch(
                &format!("{VAULT}/environments/production"),
                json!({ "newName": "qa" }),
            )
            .await,
        tester
            .delete(&format!("{VAULT}/environments/production"))
            .await,
        tester
            .post(&format!("{VAULT}/trash/{trashed}/restore"), json!({}))
            .await,
        tester.delete(&format!("{VAULT}/trash/{trashed}")).await,
        tester.delete(&format!("{VAULT}/trash")).await,
        tester.delete(VAULT).await,
    ] {
        let problem = answer.problem(403, "forbidden");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("test key"), "{detail}");
    }
    let value = world.me.get(&format!("{production}/value")).await.data(200);
    assert_eq!(value["value"], "1");
    tester.get(&format!("{staging}/value")).await.data(200);
    tester
        .post("/v1/secrets/push", push("staging"))
        .await
        .data(200);
}

async fn a_test_key_syncs_no_production(profile: Profile) {
    let world = World::start(profile).await;
    let tester = test_key(&world).await.with("prefer", "respond-async");
    let link = |from: &str, to: &str| {
        json!({ "connectionId": world.connection, "projectId": "prj_myapp",
            "keywayEnvironment": from, "providerEnvironment": to })
    };
    let path = format!("{SYNC}/link");
    let made = world.me.post(&path, link("production", "production")).await;
    let made = format!("{SYNC}/links/{}", id(&made.data(200)["link"]));
    for (from, to) in [
        ("production", "production"),
        ("production", "preview"),
        ("staging", "production"),
    ] {
        tester
            .post(SYNC, link(from, to))
            .await
            .problem(403, "forbidden");
        tester
            .post(&path, link(from, to))
            .await
            .problem(403, "forbidden");
        for call in ["preview", "diff"] {
            let path = format!(
                "{}&keywayEnvironment={from}&providerEnvironment={to}",
                world.query(call)
            );
            tester.get(&path).await.problem(403, "forbidden");
        }
    }
    for answer in [
        tester.patch(&made, json!({ "allowDelete": true })).await,
        tester.post(&format!("{made}/heal"), json!({})).await,
        tester.delete(&made).await,
    ] {
        answer.problem(403, "forbidden");
    }
    let status = |environment: &str| {
        let path = format!("{}&environment={environment}", world.query("status"));
        let tester = tester.clone();
        async move { tester.get(&path).await.status }
    };
    assert_eq!(status("production").await, 403);
    assert_eq!(status("staging").await, 202);
    // Nothing tells what `qa` is at a provider but its link.
    let qa = json!({ "name": "qa", "type": "standard" });
    let environments = "/v1/vaults/acme/my-app/environments";
    world.me.post(environments, qa).await.data(201);
    assert_eq!(status("qa").await, 403);
    let path = format!("{SYNC}/link");
    let answer = world.me.post(&path, link("qa", "preview")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(status("qa").await, 202);
    tester
        .post(SYNC, link("staging", "preview"))
        .await
        .data(202);
}

async fn a_test_key_makes_no_live_key(profile: Profile) {
    let world = World::start(profile).await;
    let tester = test_key(&world).await;
    for (environment, status) in [(None, 403), (Some("live"), 403), (Some("test"), 200)] {
        let mut body = json!({ "name": "x", "scopes": ["read:secrets"] });
        if let Some(environment) = environment {
            body["environment"] = json!(environment);
        }
        let answer = tester.post("/v1/api-keys", body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}
