//! Sessions: what a user who signed in sends, as a token or as a browser's cookie.

use keyway_api::ApiOptions;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_tests::app::TestApp;
use keyway_tests::client::Client;
use keyway_tests::database::Profile;
use serde_json::json;

use crate::vaults::create;

keyway_tests::on_both_profiles!(
    a_session_is_its_user_for_a_week,
    logging_out_ends_a_session_everywhere,
    sessions_are_listed_and_revoked_by_their_user,
    a_cookie_counts_while_the_page_knows_of_it,
    a_cookie_writes_for_pages_of_allowed_origins_only,
    an_expired_session_is_pruned,
);

const PAGE: &str = "https://app.example.com";

fn browser(app: &TestApp, token: &str) -> Client {
    let cookie = format!("a=b; keyway_session={token}; keyway_logged_in=true");
    app.anonymous().with("cookie", &cookie)
}

async fn a_session_is_its_user_for_a_week(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.account("ada").await;
    create(&app.client(&ada.token), "acme/web").await;
    let (_, token) = app.session(&ada.user).await;
    let session = app.client(&token);
    let me = session.get("/v1/users/me").await.data(200);
    assert_eq!(me["username"], "ada");
    assert_eq!(me["scopes"].as_array().unwrap().len(), Scope::ALL.len());
    let owner = session
        .post("/v1/auth/token/validate", json!({}))
        .await
        .data(200);
    assert_eq!(owner["username"], "ada");
    assert_eq!(owner["login"], "ada");

    // It is the user, not more: the role in a vault stays the user's.
    let bob = app.account("bob").await;
    let (_, token) = app.session(&bob.user).await;
    let bobs = app.client(&token);
    bobs.get("/v1/vaults/acme/web")
        .await
        .problem(404, "not-found");

    app.advance(chrono::TimeDelta::days(7));
    let problem = session
        .get("/v1/users/me")
        .await
        .problem(401, "unauthorized");
    assert_eq!(problem["detail"], "Invalid or expired token");
}

async fn logging_out_ends_a_session_everywhere(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.account("ada").await;
    let (session, token) = app.session(&ada.user).await;
    let elsewhere = app.another().await.client(&token);
    elsewhere.get("/v1/users/me").await.data(200);

    let answer = app.client(&token).post("/v1/auth/logout", json!({})).await;
    assert_eq!(answer.status, 204);
    let cleared = answer.headers.get_all("set-cookie").iter().count();
    assert_eq!(cleared, 2);
    elsewhere
        .get("/v1/users/me")
        .await
        .problem(401, "unauthorized");
    app.client(&token)
        .post("/v1/auth/logout", json!({}))
        .await
        .problem(401, "unauthorized");
    let mut tx = app.store.begin_read().await.unwrap();
    let (entries, _) = tx
        .list_activity(ada.user.id, None, None, 10, 0)
        .await
        .unwrap();
    assert_eq!(entries[0].action, Action::SessionRevoked);
    assert_eq!(entries[0].session_id, Some(session.id));
    assert_eq!(entries[0].api_key_id, None);

    // A key is no session.
    app.client(&ada.token)
        .post("/v1/auth/logout", json!({}))
        .await
        .problem(409, "conflict");
    app.client(&ada.token).get("/v1/users/me").await.data(200);
}

async fn sessions_are_listed_and_revoked_by_their_user(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.account("ada").await;
    let (first, first_token) = app.session(&ada.user).await;
    app.advance(chrono::TimeDelta::seconds(1));
    let (second, token) = app.session(&ada.user).await;
    let client = app.client(&token);
    let list = client.get("/v1/auth/sessions").await;
    assert!(!list.text.contains(&token));
    let list = list.data(200);
    let ids: Vec<_> = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| (session["id"].clone(), session["isCurrent"].clone()))
        .collect();
    assert_eq!(
        ids,
        [
            (json!(second.id), json!(true)),
            (json!(first.id), json!(false))
        ]
    );

    let path = format!("/v1/auth/sessions/{}", first.id);
    let bob = app.user("bob").await;
    bob.delete(&path).await.problem(404, "not-found");
    app.client(&first_token).get("/v1/users/me").await.data(200);
    assert_eq!(client.delete(&path).await.status, 204);
    client.delete(&path).await.problem(404, "not-found");
    app.client(&first_token)
        .get("/v1/users/me")
        .await
        .problem(401, "unauthorized");

    let limited = app.key(&ada.user, &[Scope::ReadSecrets], None).await;
    let limited = app.client(&limited.token);
    limited
        .get("/v1/auth/sessions")
        .await
        .problem(403, "forbidden");
    let path = format!("/v1/auth/sessions/{}", second.id);
    limited.delete(&path).await.problem(403, "forbidden");
    client.get("/v1/users/me").await.data(200);
}

async fn a_cookie_counts_while_the_page_knows_of_it(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.account("ada").await;
    let (_, token) = app.session(&ada.user).await;
    let me = browser(&app, &token).get("/v1/users/me").await.data(200);
    assert_eq!(me["username"], "ada");

    // The page logged out: it can clear this one only.
    let session_only = app
        .anonymous()
        .with("cookie", &format!("keyway_session={token}"));
    let problem = session_only
        .get("/v1/users/me")
        .await
        .problem(401, "unauthorized");
    assert_eq!(problem["detail"], "Authentication required");

    // A header counts alone, also when it does not count.
    let both = browser(&app, &token).with("authorization", "Bearer nonsense");
    both.get("/v1/users/me").await.problem(401, "unauthorized");
    // An API key does not belong in a cookie.
    browser(&app, &ada.token)
        .get("/v1/users/me")
        .await
        .problem(401, "unauthorized");

    let answer = browser(&app, "kws_nonsense").get("/v1/users/me").await;
    answer.problem(401, "unauthorized");
    let cleared: Vec<_> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(cleared.len(), 2);
    assert!(cleared.iter().all(|cookie| cookie.contains("Max-Age=0")));
}

async fn a_cookie_writes_for_pages_of_allowed_origins_only(profile: Profile) {
    let mut builder = TestApp::builder(profile);
    builder.options = ApiOptions {
        cors_origins: vec![PAGE.to_owned()],
        ..ApiOptions::default()
    };
    let app = builder.start().await;
    let ada = app.account("ada").await;
    let (_, token) = app.session(&ada.user).await;
    let page = browser(&app, &token);
    let body = json!({ "repoFullName": "acme/web" });
    page.post("/v1/vaults", body.clone())
        .await
        .problem(403, "forbidden");
    for origin in [
        "https://evil.example.com",
        "https://app.example.com.evil.com",
        "http://app.example.com",
        "null",
    ] {
        let evil = page.clone().with("origin", origin);
        evil.post("/v1/vaults", body.clone())
            .await
            .problem(403, "forbidden");
        // Nor by sending it again.
        evil.with("idempotency-key", "k")
            .post("/v1/vaults", body.clone())
            .await
            .problem(403, "forbidden");
    }
    let list = page.get("/v1/vaults").await;
    assert_eq!(list.json["meta"]["pagination"]["total"], 0);

    page.clone()
        .with("origin", PAGE)
        .post("/v1/vaults", body)
        .await
        .data(201);
    page.with("origin", &app.url())
        .post("/v1/vaults", json!({ "repoFullName": "acme/api" }))
        .await
        .data(201);
}

async fn an_expired_session_is_pruned(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.account("ada").await;
    let (old, _) = app.session(&ada.user).await;
    app.advance(chrono::TimeDelta::days(3));
    let (young, _) = app.session(&ada.user).await;
    app.advance(chrono::TimeDelta::days(5));
    let mut tx = app.store.begin().await.unwrap();
    let now = tx.now().await.unwrap();
    let kept = keyway_shared::store::Kept::Sessions;
    assert_eq!(tx.prune(kept, now, 10).await.unwrap(), 1);
    assert_eq!(tx.find_session(ada.user.id, old.id).await.unwrap(), None);
    let left = tx.find_session(ada.user.id, young.id).await.unwrap();
    assert_eq!(left.map(|session| session.id), Some(young.id));
}
