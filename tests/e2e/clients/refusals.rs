//! What clients make of errors, and of answers that concern all calls.

use keyway_api::ApiOptions;
use keyway_tests::app::TestApp;
use reqwest::Method;
use serde_json::json;

use super::Profile;
use super::callers::{DASHBOARD, Replay, signed_in, told};
use super::table;

replays!(an_error_is_told_as_each_reads_it, a_doctor_finds_it_well);

async fn start(profile: Profile) -> TestApp {
    let mut builder = TestApp::builder(profile);
    builder.options = ApiOptions {
        cors_origins: vec![DASHBOARD.to_owned()],
        ..ApiOptions::default()
    };
    builder.start().await
}

async fn an_error_is_told_as_each_reads_it(profile: Profile, replay: &Replay) {
    let app = start(profile).await;
    let account = app.account("ada").await;
    let path = "/v1/vaults/acme/none";
    // The command line client looks at no type, and shows `detail`.
    let cli = replay.cli(&app, Some(&account.token)).get(path).await;
    assert_eq!(told(&cli), "Vault not found");
    assert_eq!(cli.header("content-type"), "application/problem+json");
    // The MCP server shows what it does not know the type of as it came.
    let mcp = replay.mcp(&app, &account.token).get(path).await;
    assert_eq!(mcp.header("content-type"), "application/json");
    for answer in [&cli, &mcp] {
        let problem = &answer.json;
        assert_eq!(problem["type"], "https://keyway.sh/errors/not-found");
        assert_eq!(problem["status"], 404);
        assert!(problem["title"].is_string());
        assert_eq!(problem["traceId"], answer.header("x-request-id"));
    }
    // A page that is not let in may read why.
    let page = replay.dashboard(&app, "").get("/v1/users/me").await;
    assert_eq!(page.status, 401);
    assert_eq!(page.json["detail"], "Authentication required");

    // Before a page sends what is not simple, its browser asks.
    let cookies = signed_in(&app, &account.user).await;
    for method in ["POST", "PATCH", "PUT", "DELETE"] {
        let asked = app
            .anonymous()
            .with("origin", DASHBOARD)
            .with("access-control-request-method", method)
            .with("access-control-request-headers", "content-type")
            .send(Method::OPTIONS, "/v1/vaults", None)
            .await;
        assert_eq!(asked.status, 200);
        assert_eq!(asked.header("access-control-allow-origin"), DASHBOARD);
        assert_eq!(asked.header("access-control-allow-credentials"), "true");
        let has = |name: &str, word: &str| {
            let mut words = asked.header(name).split(',');
            words.any(|given| given.trim().eq_ignore_ascii_case(word))
        };
        assert!(has("access-control-allow-methods", method));
        assert!(has("access-control-allow-headers", "content-type"));
    }
    // A page from elsewhere reads nothing and writes nothing.
    let elsewhere = app
        .anonymous()
        .with("cookie", &cookies)
        .with("origin", "https://evil.example.com");
    let read = elsewhere.get("/v1/users/me").await;
    assert_eq!(read.header("access-control-allow-origin"), "");
    let body = json!({ "repoFullName": "acme/web" });
    elsewhere
        .post("/v1/vaults", body)
        .await
        .problem(403, "forbidden");

    // What is not served is told so, in words that pages show.
    for call in table::missing() {
        let (method, path) = call.split_once(' ').expect("a method and a path");
        let path = path.replace("{org}", "acme").replace("{username}", "ada");
        let client = app.anonymous().with("cookie", &cookies);
        let client = client.with("origin", DASHBOARD);
        let answer = client
            .send(method.parse().expect("a method"), &path, None)
            .await;
        assert_eq!(answer.status, 404, "{call}");
        assert_eq!(told(&answer), "There is nothing at this path");
        assert_eq!(answer.header("access-control-allow-origin"), DASHBOARD);
    }
}

async fn a_doctor_finds_it_well(profile: Profile, replay: &Replay) {
    let app = start(profile).await;
    let cli = replay.cli(&app, None);
    let answer = cli.get("/v1/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["version"], "v1");
    assert_eq!(answer.json["status"], "ok");
    let answer = cli.get("/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["status"], "healthy");
    for name in ["timestamp", "environment", "database", "crypto"] {
        assert!(answer.json[name].is_string(), "{name}");
    }
}
