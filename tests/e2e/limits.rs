//! Limits on requests, and API keys that are bound to networks.

use chrono::TimeDelta;
use keyway_api::ApiOptions;
use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use serde_json::json;

keyway_tests::on_both_profiles!(
    a_credential_has_so_many_requests_a_minute,
    an_address_without_a_credential_has_so_many,
    a_key_is_bound_to_its_networks,
    a_bound_key_makes_no_wider_one,
    only_trusted_proxies_tell_where_a_request_came_from,
);

async fn start(profile: Profile, options: ApiOptions) -> TestApp {
    let mut builder = TestApp::builder(profile);
    builder.options = options;
    builder.start().await
}

async fn a_credential_has_so_many_requests_a_minute(profile: Profile) {
    let options = ApiOptions {
        rate_limit: Some(5),
        ..ApiOptions::default()
    };
    let app = start(profile, options).await;
    let account = app.account("ada").await;
    let ada = app.client(&account.token);
    for left in ["4", "3", "2", "1", "0"] {
        let answer = ada.get("/v1/users/me").await;
        answer.data(200);
        assert_eq!(answer.header("ratelimit-limit"), "5");
        assert_eq!(answer.header("ratelimit-remaining"), left);
        assert!(answer.header("ratelimit-reset").parse::<u64>().unwrap() <= 60);
    }
    let refused = ada
        .post("/v1/vaults", json!({ "repoFullName": "acme/web" }))
        .await;
    refused.problem(429, "rate-limited");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    if profile == Profile::Production {
        // What one process counted holds in the others.
        let elsewhere = app.another().await.client(&account.token);
        elsewhere
            .get("/v1/users/me")
            .await
            .problem(429, "rate-limited");
    }
    // Another one's requests are another's, and machines ask all the same.
    let eve = app.user("eve").await;
    eve.get("/v1/users/me").await.data(200);
    assert_eq!(ada.get("/healthz").await.status, 200);
    app.advance(TimeDelta::seconds(wait));
    // Nothing of what was refused has happened.
    ada.get("/v1/vaults/acme/web")
        .await
        .problem(404, "not-found");
}

async fn an_address_without_a_credential_has_so_many(profile: Profile) {
    let options = ApiOptions {
        address_rate_limit: Some(3),
        ..ApiOptions::default()
    };
    let app = start(profile, options).await;
    let ada = app.user("ada").await;
    let guess = format!("kw_live_{}", "a".repeat(40));
    let guesser = app.client(&guess);
    for _ in 0..3 {
        guesser
            .get("/v1/users/me")
            .await
            .problem(401, "unauthorized");
    }
    guesser
        .get("/v1/users/me")
        .await
        .problem(429, "rate-limited");
    let nobody = app.anonymous();
    nobody
        .post("/v1/auth/device/start", json!({}))
        .await
        .problem(429, "rate-limited");
    // Whoever has a credential is not locked out by others at the same address.
    ada.get("/v1/users/me").await.data(200);
    assert_eq!(nobody.get("/readyz").await.status, 200);
    app.advance(TimeDelta::minutes(1));
    guesser
        .get("/v1/users/me")
        .await
        .problem(401, "unauthorized");
}

async fn a_key_is_bound_to_its_networks(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    let create = |ips: serde_json::Value| {
        let body = json!({ "name": "ci", "scopes": ["read:secrets"], "allowedIps": ips });
        ada.post("/v1/api-keys", body)
    };
    for bad in [
        json!(["10.0.0.7/8"]),
        json!(["10.0.0.0/33"]),
        json!(["localhost"]),
        json!([""]),
        json!(vec!["10.0.0.1"; 51]),
    ] {
        create(bad).await.refuses(&["allowedIps"]);
    }
    for (ips, status) in [
        (json!(["127.0.0.1"]), 200),
        (json!(["203.0.113.0/24", "127.0.0.0/8"]), 200),
        (json!(["::ffff:127.0.0.1"]), 200),
        (json!([]), 200),
        (json!(["203.0.113.0/24", "2001:db8::/32"]), 401),
    ] {
        let key = create(ips.clone()).await.data(200);
        let answer = app
            .client(key["token"].as_str().unwrap())
            .get("/v1/users/me")
            .await;
        assert_eq!(answer.status, status, "{ips}");
        if status == 401 {
            let problem = answer.problem(401, "unauthorized");
            assert_eq!(problem["detail"], "IP address not allowed for this API key");
            let path = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
            assert_eq!(ada.get(&path).await.data(200)["allowedIps"], ips);
        }
    }
}

async fn a_bound_key_makes_no_wider_one(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    let body = json!({
        "name": "admin",
        "scopes": ["admin:api-keys"],
        "allowedIps": ["127.0.0.0/8"],
    });
    let key = ada.post("/v1/api-keys", body).await.data(200);
    let bound = app.client(key["token"].as_str().unwrap());
    let create = |ips: Option<&str>| {
        let mut body = json!({ "name": "x", "scopes": ["admin:api-keys"] });
        if let Some(ips) = ips {
            body["allowedIps"] = json!([ips]);
        }
        bound.post("/v1/api-keys", body)
    };
    for wider in [None, Some("0.0.0.0/0"), Some("126.0.0.0/7"), Some("::/0")] {
        create(wider).await.refuses(&["allowedIps"]);
    }
    create(Some("127.0.0.1")).await.data(200);
}

async fn only_trusted_proxies_tell_where_a_request_came_from(profile: Profile) {
    for (trusted, ip) in [
        (Vec::new(), "127.0.0.1"),
        (vec!["127.0.0.0/8"], "203.0.113.7"),
    ] {
        let options = ApiOptions {
            trusted_proxies: trusted.iter().map(|net| net.parse().unwrap()).collect(),
            ..ApiOptions::default()
        };
        let app = start(profile, options).await;
        let ada = app.user("ada").await;
        let ada = ada.with("x-forwarded-for", "198.51.100.1, 203.0.113.7");
        ada.post("/v1/vaults", json!({ "repoFullName": "acme/web" }))
            .await
            .data(201);
        let activity = ada.get("/v1/activity").await.json;
        assert_eq!(activity["data"][0]["ip"], ip);
    }
}
