//! A user with one of everything, and every operation of the OpenAPI document as that user would
//! call it.

use keyway_tests::client::{Answer, Client};
use keyway_tests::database::Profile;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{SYNC, World};

/// What the values of the user's secrets begin with.
pub(super) const CANARY: &str = "canary-7f3a";

/// The user, as what the vault's admin `ada` has.
pub(super) struct Tenant {
    pub(super) world: World,
    /// What stands for `{id}` below each part of a path.
    pub(super) ids: Vec<(&'static str, String)>,
    version: String,
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

impl Tenant {
    pub(super) async fn start(profile: Profile) -> Self {
        let world = World::start(profile).await;
        let vault = "/v1/vaults/acme/my-app";
        let secret = |key: &str| json!({ "key": key, "value": CANARY, "environment": "staging" });
        let secrets = format!("{vault}/secrets");
        let kept = text(&world.me.post(&secrets, secret("KEPT")).await.data(201)["id"]);
        let trashed = text(&world.me.post(&secrets, secret("TRASHED")).await.data(201)["id"]);
        world
            .me
            .delete(&format!("{secrets}/{trashed}"))
            .await
            .data(200);
        let changed = json!({ "value": format!("{CANARY}-2") });
        world
            .me
            .patch(&format!("{secrets}/{kept}"), changed)
            .await
            .data(200);
        let versions = world
            .me
            .get(&format!("{secrets}/{kept}/versions"))
            .await
            .data(200);
        let path = format!("{SYNC}/link");
        let link = json!({ "connectionId": world.connection, "projectId": "prj_myapp",
            "keywayEnvironment": "staging", "providerEnvironment": "preview" });
        let link = text(&world.me.post(&path, link).await.data(200)["link"]["id"]);
        let hook = json!({ "url": "https://hooks.example.com/x", "events": ["sync.failed"] });
        let hook = world
            .me
            .post(&format!("{vault}/webhooks"), hook)
            .await
            .data(201);
        let hook = text(hook["webhook"].get("id").unwrap_or(&hook["id"]));
        let asynchronous = world.me.clone().with("prefer", "respond-async");
        let job = asynchronous.post(SYNC, world.fields()).await;
        let job = text(&job.data(202)["id"]);
        let (session, _) = world.app.session(&world.account.user).await;
        let ids = vec![
            ("/api-keys/", world.account.key.id.to_string()),
            ("/sessions/", session.id.to_string()),
            ("/connections/", world.connection.to_string()),
            ("/jobs/", job),
            ("/links/", link),
            ("/secrets/", kept),
            ("/trash/", trashed),
            ("/webhooks/", hook),
            ("/pauses/", world.app.unknown_id().to_string()),
        ];
        Self {
            world,
            ids,
            version: text(&versions["versions"][0]["id"]),
        }
    }

    /// The operations for callers with a token: id, method and path.
    pub(super) fn operations(&self) -> Vec<(String, Method, String)> {
        let document = serde_json::to_value(keyway_api::openapi()).expect("JSON");
        let mut found = Vec::new();
        for (template, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("methods") {
                let schemes = operation["security"].as_array();
                if schemes.is_some_and(|schemes| schemes.contains(&json!({}))) {
                    continue;
                }
                let method = method.to_uppercase().parse().expect("a method");
                let id = text(&operation["operationId"]);
                found.push((id, method, self.path(template)));
            }
        }
        assert!(found.len() > 55, "{}", found.len());
        found
    }

    fn path(&self, template: &str) -> String {
        let mut path = template.to_owned();
        for (name, value) in [
            ("{owner}", "acme"),
            ("{repo}", "my-app"),
            ("{name}", "staging"),
            ("{user}", "ada"),
            ("{provider}", "vercel"),
            ("{version}", self.version.as_str()),
        ] {
            path = path.replace(name, value);
        }
        for (below, id) in &self.ids {
            path = path.replace(&format!("{below}{{id}}"), &format!("{below}{id}"));
        }
        assert!(!path.contains('{'), "{template}: a rule is missing here");
        path
    }

    /// One call as it is meant to be made, so that nothing but the wall can refuse it.
    pub(super) async fn call(
        &self,
        client: &Client,
        id: &str,
        method: &Method,
        path: &str,
    ) -> Answer {
        let sync = json!({ "connectionId": self.world.connection, "projectId": "prj_myapp" });
        let mut link = sync.clone();
        link["keywayEnvironment"] = json!("staging");
        link["providerEnvironment"] = json!("preview");
        let body = match id {
            "create_api_key" => Some(json!({ "name": "x", "scopes": ["admin:api-keys"] })),
            "connect_provider" => Some(json!({ "token": "x" })),
            "run_sync" => Some(sync),
            "create_link" => Some(link),
            "update_link" => Some(json!({ "allowDelete": true })),
            "create_pause" => Some(json!({})),
            "push_secrets" => Some(json!({ "repoFullName": "acme/my-app",
                "environment": "staging", "secrets": { "A": "1" } })),
            "create_vault" => Some(json!({ "repoFullName": "eve/own" })),
            "create_environment" => Some(json!({ "name": "qa" })),
            "rename_environment" => Some(json!({ "newName": "renamed" })),
            "set_environment_rules" => Some(json!({ "write": "admin" })),
            "check_installation" => Some(json!({ "repoOwner": "acme", "repoName": "my-app" })),
            "set_environment_type" => Some(json!({ "type": "development" })),
            "add_member" => Some(json!({ "username": "eve", "role": "admin" })),
            "create_secret" => Some(json!({ "key": "A", "value": "1", "environment": "staging" })),
            "update_secret" => Some(json!({ "value": "1" })),
            "create_webhook" => {
                Some(json!({ "url": "https://hooks.example.com/y", "events": ["sync.failed"] }))
            }
            "update_webhook" => Some(json!({ "enabled": false })),
            _ => None,
        };
        let mut path = path.to_owned();
        match id {
            "get_sync_status" | "preview_sync" | "diff_sync" => {
                let connection = self.world.connection;
                path = format!("{path}?connectionId={connection}&projectId=prj_myapp");
            }
            "pull_secrets" | "view_secret" => {
                path += "?repo=acme/my-app&environment=staging&key=KEPT";
            }
            _ => {}
        }
        match body {
            Some(body) => {
                let client = client.clone().with("content-type", "application/json");
                client
                    .send(method.clone(), &path, Some(body.to_string().into_bytes()))
                    .await
            }
            None if *method == Method::POST => client.post(&path, json!({})).await,
            None => client.send(method.clone(), &path, None).await,
        }
    }

    /// What ada has.
    pub(super) async fn state(&self) -> Vec<Value> {
        let me = &self.world.me;
        let mut state = Vec::new();
        let vault = "/v1/vaults/acme/my-app";
        for path in [
            vault.to_owned(),
            format!("{vault}/members"),
            format!("{vault}/environments"),
            format!("{vault}/secrets"),
            format!("{vault}/trash"),
            format!("{vault}/webhooks"),
            format!("{SYNC}/links"),
            "/v1/integrations/connections".to_owned(),
            "/v1/integrations/jobs".to_owned(),
            "/v1/secrets/pull?repo=acme/my-app&environment=staging".to_owned(),
        ] {
            let answer = me.get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            state.push(answer.json["data"].clone());
        }
        state
    }
}
