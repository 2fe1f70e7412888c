//! Signing in: `keyway login`, `keyway login --token`, and the dashboard's button.

use chrono::TimeDelta;
use keyway_api::ApiOptions;
use keyway_simulator::github::{GitHub, Permission};
use keyway_tests::app::TestApp;
use keyway_tests::client::{Answer, sent_to};
use reqwest::Url;
use serde_json::{Value, json};

use super::Profile;
use super::callers::{Caller, DASHBOARD, Replay, kept, told};

replays!(
    a_device_is_let_in_through_a_browser,
    a_wait_for_a_code_comes_to_an_end,
    a_pasted_token_of_githubs_is_taken,
    a_dashboard_is_signed_in_and_out,
);

const REPO: &str = "acme/web";
const VERIFY: &str = "/v1/auth/device/verify";

/// A service in GitHub mode whose users sign in through a GitHub App, and a token of ada's.
async fn start(profile: Profile) -> (GitHub, TestApp, String) {
    let github = GitHub::start().await.expect("a stand-in");
    github.add_repo(REPO, true);
    github.add_repo("acme/other", true);
    let token = github.add_user("ada");
    github.grant(REPO, "ada", Some(Permission::Admin));
    let mut builder = TestApp::builder(profile);
    builder.github_url = Some(github.url());
    builder.github_sign_in = true;
    builder.options = ApiOptions {
        redirect_origins: vec![DASHBOARD.to_owned()],
        cors_origins: vec![DASHBOARD.to_owned()],
        ..ApiOptions::default()
    };
    (github, builder.start().await, token)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {value}"))
}

fn path_of(address: &str) -> String {
    let url = Url::parse(address).expect("an address");
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Where GitHub sends a browser back to, once somebody has chosen who they are there.
async fn at_github(sent: &Answer, login: &str) -> String {
    let mut page = Url::parse(sent.header("location")).expect("GitHub's page");
    page.query_pairs_mut().append_pair("login", login);
    path_of(&sent_to(page.as_str()).await)
}

/// What the client keeps of the start: no envelope around it.
async fn start_device(cli: &Caller, body: Value) -> Value {
    let answer = cli.post("/v1/auth/device/start", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let codes = answer.json;
    // An interval below 3 is taken as 5, a life of 0 or above 1800 as 1800.
    assert!(codes["interval"].as_i64() >= Some(3), "{codes}");
    assert!((1..=1800).contains(&codes["expiresIn"].as_i64().unwrap()));
    for name in ["deviceCode", "userCode", "verificationUri"] {
        assert!(!text(&codes, name).is_empty());
    }
    codes
}

async fn poll(cli: &Caller, codes: &Value) -> Value {
    let body = json!({ "deviceCode": codes["deviceCode"] });
    let answer = cli.post("/v1/auth/device/poll", body).await;
    // It goes on asking after any other status, to the very end.
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

async fn a_device_is_let_in_through_a_browser(profile: Profile, replay: &Replay) {
    let (_github, app, _) = start(profile).await;
    let cli = replay.cli(&app, None);
    // Before there is a token. Without numbers the client asks GitHub itself.
    let ids = cli.get("/v1/github/repo-ids?repo=acme%2Fweb").await;
    assert_eq!(
        ids.data(200),
        json!({ "ownerId": null, "repoId": null }),
        "nobody is told which repositories there are"
    );
    let body = json!({ "repository": REPO, "ownerId": 1, "repoId": 2 });
    let codes = start_device(&cli, body).await;
    assert_eq!(poll(&cli, &codes).await, json!({ "status": "pending" }));

    // What the client opens in the browser.
    let browser = replay.browser(&app, "");
    let page = browser
        .get(&path_of(text(&codes, "verificationUriComplete")))
        .await;
    assert!(page.header("content-type").starts_with("text/html"));
    let code = text(&codes, "userCode");
    assert!(page.text.contains(code));
    // Upstream's form has the code alone; here the page asks once more what to do with it.
    let asked = browser.submit(&app, VERIFY, &[("user_code", code)]).await;
    assert_eq!(asked.status, 200);
    let fields = [("user_code", code), ("decision", "approve")];
    let sent = browser.submit(&app, VERIFY, &fields).await;
    assert_eq!(sent.status, 303);
    let back = at_github(&sent, "ada").await;
    let done = replay.browser(&app, &kept(&sent)).get(&back).await;
    assert_eq!(done.status, 200, "{}", done.text);

    let approved = poll(&cli, &codes).await;
    assert_eq!(approved["status"], "approved");
    assert_eq!(approved["githubLogin"], "ada");
    assert!(text(&approved, "expiresAt").ends_with('Z'));
    let token = text(&approved, "keywayToken");
    // It goes into a header and into an address as it is.
    assert!(
        token
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_')
    );

    let cli = replay.cli(&app, Some(token));
    let owner = cli
        .post("/v1/auth/token/validate", json!({}))
        .await
        .data(200);
    assert_eq!(owner["username"], "ada");
    assert_eq!(owner["login"], owner["username"]);
    assert_eq!(owner["forgeType"], "github");
    assert_eq!(owner["githubId"], owner["forgeUserId"]);
    assert!(text(&owner, "forgeUserId").parse::<i64>().is_ok());
    assert!(owner["plan"].is_string() && owner["createdAt"].is_string());

    // `keyway init`: the app, whether there is a vault, the vault.
    for (name, installed) in [("web", true), ("other", false)] {
        let body = json!({ "repoOwner": "acme", "repoName": name });
        let path = "/v1/github/check-installation";
        let told = cli.post(path, body).await.data(200);
        assert_eq!(told["installed"], installed, "{name}");
        let url = text(&told, "installUrl");
        assert!(url.ends_with("/settings/installations"), "{url}");
    }
    let none = cli.get("/v1/vaults/acme/web").await;
    assert_eq!(none.status, 404);
    let made = cli
        .post("/v1/vaults", json!({ "repoFullName": REPO }))
        .await
        .data(201);
    assert_eq!(made["repoFullName"], REPO);
    assert!(made["vaultId"].is_string() && made["message"].is_string());
    let body = json!({ "repoFullName": "acme/other" });
    let unknown = cli.post("/v1/vaults", body).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(told(&unknown), "Repository not found");
}

async fn a_wait_for_a_code_comes_to_an_end(profile: Profile, replay: &Replay) {
    let (_github, app, _) = start(profile).await;
    let cli = replay.cli(&app, None);
    let codes = start_device(&cli, json!({})).await;
    let fields = [
        ("user_code", text(&codes, "userCode")),
        ("decision", "deny"),
    ];
    let browser = replay.browser(&app, "");
    assert_eq!(browser.submit(&app, VERIFY, &fields).await.status, 200);
    let denied = poll(&cli, &codes).await;
    assert_eq!(denied["status"], "denied");
    assert!(!text(&denied, "error").is_empty() && !text(&denied, "message").is_empty());

    let codes = start_device(&cli, json!({ "repository": REPO })).await;
    app.advance(TimeDelta::minutes(16));
    let expired = poll(&cli, &codes).await;
    assert_eq!(expired["status"], "expired");
    assert!(!text(&expired, "message").is_empty());

    let body = json!({ "deviceCode": "0".repeat(64) });
    let unknown = cli.post("/v1/auth/device/poll", body).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(told(&unknown), "Device code not found");
}

async fn a_pasted_token_of_githubs_is_taken(profile: Profile, replay: &Replay) {
    let (github, app, token) = start(profile).await;
    let validate = "/v1/auth/token/validate";
    let cli = replay.cli(&app, Some(&token));
    let owner = cli.post(validate, json!({})).await.data(200);
    assert_eq!(owner["login"], "ada");
    github.revoke_token(&token);
    app.advance(TimeDelta::minutes(2));
    let refused = cli.post(validate, json!({})).await;
    assert_eq!(refused.status, 401);
    assert_eq!(told(&refused), "Invalid access token");
    for (token, why) in [
        (Some("kw_live_short"), "Invalid API key format"),
        (
            Some("eyJhbGciOiJIUzI1NiJ9.e30.x"),
            "Invalid or expired token",
        ),
        (None, "Authentication required"),
    ] {
        let refused = replay.cli(&app, token).post(validate, json!({})).await;
        assert_eq!(refused.status, 401);
        assert_eq!(told(&refused), why);
    }
}

/// The attributes of a cookie that an answer sets.
fn cookie<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let start = format!("{name}=");
    let cookie = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok())
        .find(|cookie| cookie.starts_with(&start));
    cookie.unwrap_or_default().split("; ").collect()
}

async fn a_dashboard_is_signed_in_and_out(profile: Profile, replay: &Replay) {
    let (_github, app, _) = start(profile).await;
    let me = "/v1/users/me";
    assert_eq!(replay.dashboard(&app, "").get(me).await.status, 401);

    let browser = replay.browser(&app, "");
    let page = format!("{DASHBOARD}/auth/callback");
    let start = format!("/v1/auth/github/start?redirect_uri={page}");
    let sent = browser.get(&start).await;
    assert_eq!(sent.status, 303);
    let back = at_github(&sent, "ada").await;
    let done = replay.browser(&app, &kept(&sent)).get(&back).await;
    assert_eq!((done.status, done.header("location")), (302, page.as_str()));
    let (session, hint) = (
        cookie(&done, "keyway_session"),
        cookie(&done, "keyway_logged_in"),
    );
    for cookie in [&session, &hint] {
        assert!(cookie.contains(&"Path=/") && cookie.contains(&"SameSite=Lax"));
    }
    assert!(session.contains(&"HttpOnly"));
    // What the pages look for before they show anything, and clear to log out.
    assert_eq!(hint[0], "keyway_logged_in=true");
    assert!(!hint.contains(&"HttpOnly"));

    let user = replay.dashboard(&app, &kept(&done)).get(me).await.data(200);
    assert_eq!(user["username"], "ada");
    assert_eq!(user["forgeType"], "github");
    assert_eq!(user["plan"], "business");
    assert!(user["id"].is_string() && user["createdAt"].is_string());
    for name in ["email", "avatarUrl"] {
        assert!(user[name].is_null() || user[name].is_string());
    }
    // Logged out by a script, which cannot reach the cookie with the session.
    let out = replay.dashboard(&app, session[0]).get(me).await;
    assert_eq!(out.status, 401);
    assert_eq!(cookie(&out, "keyway_session")[0], "keyway_session=");
    assert_eq!(cookie(&out, "keyway_logged_in")[0], "keyway_logged_in=");

    // What went wrong is told where the pages look for it.
    let sent = browser.get(&start).await;
    let back = at_github(&sent, "").await;
    let declined = replay.browser(&app, &kept(&sent)).get(&back).await;
    assert_eq!(
        declined.header("location"),
        format!("{DASHBOARD}/auth/callback?error=access_denied")
    );
    let stranger = "/v1/auth/github/start?redirect_uri=https://evil.example.com/";
    assert_eq!(browser.get(stranger).await.status, 400);

    let token = session[0].split_once('=').expect("a pair").1;
    let ended = replay.nobody(&app, token);
    ended.post_nothing("/v1/auth/logout").await.empty();
    let late = replay.dashboard(&app, &kept(&done)).get(me).await;
    assert_eq!(late.status, 401);
}
