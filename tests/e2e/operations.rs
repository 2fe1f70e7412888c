//! Health, metrics, the reference.

use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;

keyway_tests::on_both_profiles!(
    health_is_told_to_anybody,
    without_the_schema_it_is_not_ready,
    without_the_store_it_lives_but_is_not_ready,
    metrics_name_routes_and_the_queue,
    the_reference_loads_nothing_from_elsewhere,
    a_stop_lets_the_port_go,
);

async fn health_is_told_to_anybody(profile: Profile) {
    let app = TestApp::start(profile).await;
    let anybody = app.anonymous();
    let alive = anybody.get("/healthz").await;
    assert_eq!((alive.status, &alive.json["status"]), (200, &"ok".into()));
    let version = anybody.get("/v1/health").await;
    assert_eq!(version.json["version"], "v1");
    assert_eq!(version.json["timestamp"], "2026-01-15T10:00:02.000Z");
    let health = anybody.get("/health").await;
    assert_eq!(
        (health.status, &health.json["status"]),
        (200, &"healthy".into())
    );

    // No worker runs here: it works, and says that jobs wait.
    let ready = anybody.get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json["status"], "degraded");
    assert_eq!(ready.json["liveWorkers"], 0);
    assert_eq!(ready.json["queueOk"], true);

    let mut tx = app.store.begin().await.unwrap();
    let now = tx.now().await.unwrap();
    tx.beat("worker-1", "worker", now).await.unwrap();
    tx.commit().await.unwrap();
    let ready = anybody.get("/readyz").await;
    assert_eq!(ready.json["status"], "ready", "{}", ready.text);
    assert_eq!(ready.json["liveWorkers"], 1);
}

async fn without_the_schema_it_is_not_ready(profile: Profile) {
    let mut builder = TestApp::builder(profile);
    builder.migrate = false;
    let app = builder.start().await;
    let ready = app.anonymous().get("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.text);
    assert_eq!(ready.json["status"], "unavailable");
    assert!(
        !ready.json["pendingMigrations"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    app.store.migrate().await.unwrap();
    assert_eq!(app.anonymous().get("/readyz").await.status, 200);
}

async fn without_the_store_it_lives_but_is_not_ready(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    app.store.close().await;
    assert_eq!(ada.get("/healthz").await.status, 200);
    assert_eq!(ada.get("/health").await.status, 503);
    let ready = ada.get("/readyz").await;
    assert_eq!(
        (ready.status, &ready.json["store"]),
        (503, &"unavailable".into())
    );
    let answer = ada.get("/v1/vaults").await;
    let problem = answer.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "2");
    let detail = problem["detail"].as_str().unwrap();
    assert!(!detail.to_lowercase().contains("sql"), "{detail}");
    assert_eq!(ada.get("/metrics").await.status, 200);
}

async fn metrics_name_routes_and_the_queue(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    ada.get("/v1/vaults/canary-owner/canary-repo")
        .await
        .problem(404, "not-found");
    ada.get("/canary-path").await.problem(404, "not-found");
    let metrics = app.anonymous().get("/metrics").await;
    assert_eq!(metrics.status, 200);
    for line in [
        r#"http_requests_total{route="/v1/vaults/{owner}/{repo}",method="GET",status="404"}"#,
        r#"http_requests_total{route="unmatched",method="GET",status="404"}"#,
        r#"http_request_duration_seconds_bucket{route="/v1/vaults/{owner}/{repo}""#,
        r#"keyway_jobs_due{class="interactive"} 0"#,
        r#"keyway_jobs_oldest_due_seconds{class="background"} 0"#,
    ] {
        assert!(metrics.text.contains(line), "{line} in {}", metrics.text);
    }
    assert!(!metrics.text.contains("canary"));

    let mut builder = TestApp::builder(profile);
    builder.options.metrics_on_api = false;
    let app = builder.start().await;
    app.anonymous()
        .get("/metrics")
        .await
        .problem(404, "not-found");
}

async fn the_reference_loads_nothing_from_elsewhere(profile: Profile) {
    let app = TestApp::start(profile).await;
    let anybody = app.anonymous();
    let document = anybody.get("/openapi.json").await;
    assert_eq!(document.header("content-type"), "application/json");
    assert_eq!(document.json["openapi"], "3.1.0");

    let redirect = anybody.get("/docs").await;
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (303, "/docs/")
    );
    let page = anybody.get("/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("http"), "{policy}");
    // The policy allows no inline script, so there must be none; what is named is here.
    let mut files = 0;
    for part in page
        .text
        .split("src=\"")
        .chain(page.text.split("href=\""))
        .skip(1)
    {
        let name = part.split('"').next().unwrap_or_default();
        let extension = name.rsplit('.').next();
        if !matches!(extension, Some("js" | "css" | "png")) {
            continue;
        }
        assert!(!name.contains("//"), "{name}");
        let file = anybody
            .get(&format!("/docs/{}", name.trim_start_matches("./")))
            .await;
        assert_eq!(file.status, 200, "{name}");
        files += 1;
    }
    assert!(files > 3, "{}", page.text);
    assert!(!page.text.contains("<script>"), "{}", page.text);
    let start = anybody.get("/docs/swagger-initializer.js").await.text;
    assert!(start.contains("/openapi.json"), "{start}");
    assert!(start.contains(r#""validatorUrl": "none""#), "{start}");
    anybody
        .get("/docs/nothing.js")
        .await
        .problem(404, "not-found");
}

async fn a_stop_lets_the_port_go(profile: Profile) {
    let app = TestApp::start(profile).await;
    app.anonymous().get("/healthz").await;
    app.lifecycle.soft.cancel();
    app.lifecycle.tracker.close();
    app.lifecycle.tracker.wait().await;
    assert!(tokio::net::TcpStream::connect(app.address).await.is_err());
}
