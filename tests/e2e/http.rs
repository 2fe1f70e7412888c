//! What all calls have in common: errors, ids, headers, paging, bodies.

use keyway_api::ApiOptions;
use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use reqwest::Method;
use serde_json::json;

keyway_tests::on_both_profiles!(
    unknown_paths_and_methods_are_problems,
    bodies_that_do_not_fit_are_told_apart,
    a_request_id_is_taken_or_made,
    clients_that_know_no_problem_documents_get_json,
    lists_come_in_pages,
    only_configured_origins_may_call_from_a_browser,
);

async fn unknown_paths_and_methods_are_problems(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;

    let problem = ada.get("/v1/nothing").await.problem(404, "not-found");
    assert_eq!(problem["instance"], "/v1/nothing");
    ada.get("/").await.problem(404, "not-found");
    ada.get("/v1/vaults/").await.problem(404, "not-found");

    let answer = ada.send(Method::PUT, "/v1/vaults", None).await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
}

async fn bodies_that_do_not_fit_are_told_apart(profile: Profile) {
    let options = ApiOptions {
        max_body: 1000,
        ..ApiOptions::default()
    };
    let mut builder = TestApp::builder(profile);
    builder.options = options;
    let app = builder.start().await;
    let ada = app.user("ada").await;
    let post = async |body: &str| {
        let client = ada.clone().with("content-type", "application/json");
        let body = Some(body.as_bytes().to_vec());
        client.send(Method::POST, "/v1/vaults", body).await
    };

    for malformed in [
        "",
        "{",
        "nonsense",
        "{\"repoFullName\": \"a/b\"} x",
        "[1,",
        "\u{1}",
    ] {
        post(malformed).await.problem(400, "bad-request");
    }
    post("{}").await.refuses(&["repoFullName"]);
    post(r#"{"repoFullName": 5}"#)
        .await
        .refuses(&["repoFullName"]);
    post(r#"{"repoFullName": null}"#)
        .await
        .refuses(&["repoFullName"]);
    post(r#"{"repoFullName": "no-slash"}"#)
        .await
        .refuses(&["repoFullName"]);
    for whole in ["[]", r#"["acme/web"]"#, "5", "null", r#""acme/web""#] {
        post(whole).await.refuses(&[""]);
    }
    // In what is ignored as well.
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"color": {open}{close}, "repoFullName": "no-slash"}}"#)
    };
    post(&nested(31)).await.refuses(&["repoFullName"]);
    let deep = post(&nested(32)).await.problem(400, "bad-request");
    assert_eq!(
        deep["detail"],
        "The body has more than 32 objects and lists in one another"
    );
    let long = format!(r#"{{"repoFullName": "{}"}}"#, "x".repeat(2000));
    post(&long).await.problem(413, "payload-too-large");

    let body = Some(br#"{"repoFullName": "acme/web"}"#.to_vec());
    let typed = ada.clone().with("content-type", "text/plain");
    typed
        .send(Method::POST, "/v1/vaults", body.clone())
        .await
        .problem(415, "unsupported-media-type");
    // Unknown fields are ignored, and so is a content type that is left out.
    ada.send(Method::POST, "/v1/vaults", body).await.data(201);
    post(r#"{"repoFullName": "acme/api", "color": "red"}"#)
        .await
        .data(201);
}

async fn a_request_id_is_taken_or_made(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;

    let given = ada.clone().with("x-request-id", "trace.1_a-B");
    let answer = given.get("/v1/users/me").await;
    answer.data(200);
    assert_eq!(answer.header("x-request-id"), "trace.1_a-B");

    let long = "x".repeat(65);
    for unsafe_id in ["with space", "semi;colon", "", &long] {
        let answer = ada
            .clone()
            .with("x-request-id", unsafe_id)
            .get("/v1/nothing")
            .await;
        answer.problem(404, "not-found");
        let made = answer.header("x-request-id");
        assert!(uuid::Uuid::parse_str(made).is_ok(), "{made}");
    }
}

async fn clients_that_know_no_problem_documents_get_json(profile: Profile) {
    let app = TestApp::start(profile).await;
    let mcp = app.anonymous().with("user-agent", "keyway-mcp/1.0");
    let answer = mcp.get("/v1/vaults").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json["detail"], "Authentication required");
}

async fn lists_come_in_pages(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    for name in ["a", "b", "c"] {
        let body = json!({ "repoFullName": format!("acme/{name}") });
        ada.post("/v1/vaults", body).await.data(201);
    }

    let page = async |query: &str| ada.get(&format!("/v1/vaults{query}")).await;
    let all = page("").await;
    assert_eq!(all.data(200).as_array().unwrap().len(), 3);
    assert_eq!(
        all.json["meta"]["pagination"],
        json!({ "total": 3, "limit": 25, "offset": 0, "hasMore": false })
    );
    let first = page("?limit=2").await;
    assert_eq!(first.data(200)[0]["repoName"], "c", "last changed first");
    assert_eq!(
        first.json["meta"]["pagination"],
        json!({ "total": 3, "limit": 2, "offset": 0, "hasMore": true })
    );
    let second = page("?limit=2&offset=2&color=red").await;
    assert_eq!(second.data(200)[0]["repoName"], "a");
    assert_eq!(second.json["meta"]["pagination"]["hasMore"], false);
    assert_eq!(page("?offset=9").await.data(200), json!([]));

    for wrong in ["?limit=0", "?limit=101", "?limit=x", "?limit=", "?limit=-1"] {
        page(wrong).await.refuses(&["limit"]);
    }
    page("?limit=0&offset=-1")
        .await
        .refuses(&["limit", "offset"]);
}

async fn only_configured_origins_may_call_from_a_browser(profile: Profile) {
    let mut builder = TestApp::builder(profile);
    builder.options.cors_origins = vec!["https://app.example.com".to_owned()];
    let app = builder.start().await;
    let preflight = async |origin: &str| {
        let browser = app
            .anonymous()
            .with("origin", origin)
            .with("access-control-request-method", "PATCH")
            .with("access-control-request-headers", "content-type");
        browser.send(Method::OPTIONS, "/v1/vaults", None).await
    };

    let allowed = preflight("https://app.example.com").await;
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    assert!(
        allowed
            .header("access-control-allow-methods")
            .contains("PATCH")
    );
    for other in [
        "https://evil.example.com",
        "https://app.example.com.evil.com",
        "null",
    ] {
        let refused = preflight(other).await;
        assert_eq!(refused.header("access-control-allow-origin"), "");
    }
}
