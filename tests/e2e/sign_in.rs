//! Signing in: devices and browsers, through GitHub and with an API key.

use chrono::TimeDelta;
use keyway_api::ApiOptions;
use keyway_shared::domain::account::Scope;
use keyway_simulator::fault::{Action, Fault};
use keyway_simulator::github::{GitHub, Permission};
use keyway_tests::app::TestApp;
use keyway_tests::client::{Answer, Client, sent_to};
use keyway_tests::database::Profile;
use reqwest::{Method, Url};
use serde_json::{Value, json};

keyway_tests::on_both_profiles!(
    a_device_signs_in_through_github,
    an_answer_is_told_once_and_a_no_is_a_no,
    a_code_that_took_too_long_is_told_so,
    codes_are_approved_on_our_own_page_only,
    a_browser_signs_in_and_goes_where_it_is_allowed,
    a_sign_in_works_once_and_in_one_browser,
    a_sign_in_that_fails_says_why,
    a_sign_in_keeps_a_token_for_keys_and_jobs,
    a_token_that_ends_is_renewed_once,
    without_an_app_there_is_no_sign_in,
    in_local_mode_an_api_key_signs_in,
    a_key_that_may_less_than_its_user_signs_nobody_in,
);

const PAGE: &str = "https://app.example.com";
const VAULT: &str = "/v1/vaults/acme/web";

struct World {
    github: GitHub,
    app: TestApp,
}

impl World {
    async fn start(profile: Profile) -> Self {
        let github = GitHub::start().await.expect("a stand-in");
        github.add_repo("acme/web", true);
        github.add_user("ada");
        github.grant("acme/web", "ada", Some(Permission::Admin));
        let mut builder = TestApp::builder(profile);
        builder.github_url = Some(github.url());
        builder.github_sign_in = true;
        builder.options = ApiOptions {
            redirect_origins: vec![PAGE.to_owned()],
            ..ApiOptions::default()
        };
        let app = builder.start().await;
        Self { github, app }
    }

    /// Where GitHub sends the browser that came from this answer, once somebody chose who they are.
    /// An empty login declines.
    async fn choose(&self, sent: &Answer, login: &str) -> Url {
        let mut page = location(sent);
        assert_eq!(page.path(), "/login/oauth/authorize");
        page.query_pairs_mut().append_pair("login", login);
        Url::parse(&sent_to(page.as_str()).await).expect("an address")
    }

    /// A browser's way through GitHub; the last answer.
    async fn sign_in(&self, sent: &Answer, login: &str) -> Answer {
        let back = self.choose(sent, login).await;
        returning(&self.app, sent).get(&path_of(&back)).await
    }
}

fn location(answer: &Answer) -> Url {
    let location = answer.header("location");
    Url::parse(location)
        .unwrap_or_else(|_| panic!("{}: {location}: {}", answer.status, answer.text))
}

fn path_of(url: &Url) -> String {
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// The browser that was sent away, with the cookie that it was given.
fn returning(app: &TestApp, sent: &Answer) -> Client {
    app.anonymous().with("cookie", &cookies(sent))
}

fn cookies(answer: &Answer) -> String {
    let pairs: Vec<_> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .collect();
    pairs.join("; ")
}

async fn start_device(app: &TestApp) -> Value {
    let cli = app.anonymous().with("user-agent", "keyway-cli/1.0");
    let answer = cli.post("/v1/auth/device/start", json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

async fn poll(app: &TestApp, codes: &Value) -> Value {
    let cli = app.anonymous().with("user-agent", "keyway-cli/1.0");
    let body = json!({ "deviceCode": codes["deviceCode"] });
    let answer = cli.post("/v1/auth/device/poll", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

/// Sends a form as a page of our own does.
async fn submit(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
    submit_from(app, path, fields, Some(&app.url())).await
}

async fn submit_from(
    app: &TestApp,
    path: &str,
    fields: &[(&str, &str)],
    origin: Option<&str>,
) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let mut client = app
        .anonymous()
        .with("content-type", "application/x-www-form-urlencoded");
    if let Some(origin) = origin {
        client = client.with("origin", origin);
    }
    client
        .send(Method::POST, path, Some(body.into_bytes()))
        .await
}

async fn answer_device(app: &TestApp, codes: &Value, decision: &str) -> Answer {
    let code = codes["userCode"].as_str().unwrap();
    let fields = [("user_code", code), ("decision", decision)];
    submit(app, "/v1/auth/device/verify", &fields).await
}

async fn a_device_signs_in_through_github(profile: Profile) {
    let world = World::start(profile).await;
    let app = &world.app;
    let codes = start_device(app).await;
    assert_eq!(codes["expiresIn"], 900);
    assert_eq!(codes["interval"], 5);
    assert_eq!(poll(app, &codes).await, json!({ "status": "pending" }));

    let complete = Url::parse(codes["verificationUriComplete"].as_str().unwrap()).unwrap();
    assert_eq!(
        complete.as_str(),
        format!(
            "{}?user_code={}",
            codes["verificationUri"].as_str().unwrap(),
            codes["userCode"].as_str().unwrap()
        )
    );
    let page = app.anonymous().get(&path_of(&complete)).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains(codes["userCode"].as_str().unwrap()));
    assert!(page.text.contains("cli"), "who asks: {}", page.text);
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("form-action 'self' {}", world.github.url())));

    let sent = answer_device(app, &codes, "approve").await;
    assert_eq!(sent.status, 303);
    assert_eq!(poll(app, &codes).await["status"], "pending");
    let done = world.sign_in(&sent, "ada").await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert!(done.text.contains("signed in as ada"));
    assert!(
        !cookies(&done).contains("keyway_session"),
        "only the device"
    );

    let approved = poll(app, &codes).await;
    assert_eq!(approved["status"], "approved");
    assert_eq!(approved["githubLogin"], "ada");
    assert!(approved["expiresAt"].is_string());
    let ada = app.client(approved["keywayToken"].as_str().unwrap());
    let owner = ada
        .post("/v1/auth/token/validate", json!({}))
        .await
        .data(200);
    assert_eq!(owner["username"], "ada");
    ada.post("/v1/vaults", json!({ "repoFullName": "acme/web" }))
        .await
        .data(201);
    let vault = ada.get(VAULT).await.data(200);
    assert_eq!(vault["permission"], "admin");
    let activity = ada.get("/v1/activity").await.json;
    let login = activity["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["action"] == "user_login")
        .expect("an entry");
    assert_eq!(login["platform"], "cli");
}

async fn an_answer_is_told_once_and_a_no_is_a_no(profile: Profile) {
    let world = World::start(profile).await;
    let app = &world.app;
    let codes = start_device(app).await;
    let refused = answer_device(app, &codes, "deny").await;
    assert_eq!(refused.status, 200);
    let later = answer_device(app, &codes, "approve").await;
    assert_eq!(later.status, 404, "it was answered");
    let told = poll(app, &codes).await;
    assert_eq!(told["status"], "denied");
    assert_eq!(told["error"], "access_denied");
    let body = json!({ "deviceCode": codes["deviceCode"] });
    app.anonymous()
        .post("/v1/auth/device/poll", body)
        .await
        .problem(404, "not-found");

    // Declined at GitHub, which is a no for the device.
    let codes = start_device(app).await;
    let sent = answer_device(app, &codes, "approve").await;
    let back = world.sign_in(&sent, "").await;
    assert_eq!(back.status, 400);
    assert_eq!(poll(app, &codes).await["status"], "denied");

    // Approved, and told once.
    let codes = start_device(app).await;
    let sent = answer_device(app, &codes, "approve").await;
    world.sign_in(&sent, "ada").await;
    let device = app.anonymous();
    let body = json!({ "deviceCode": codes["deviceCode"] });
    let (one, other) = tokio::join!(
        device.post("/v1/auth/device/poll", body.clone()),
        device.post("/v1/auth/device/poll", body.clone())
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
}

async fn a_code_that_took_too_long_is_told_so(profile: Profile) {
    let world = World::start(profile).await;
    let app = &world.app;
    let codes = start_device(app).await;
    let sent = answer_device(app, &codes, "approve").await;
    app.advance(TimeDelta::minutes(9));
    let back = world.choose(&sent, "ada").await;
    app.advance(TimeDelta::minutes(7));
    let late = returning(app, &sent).get(&path_of(&back)).await;
    assert_eq!(late.status, 400);
    let told = poll(app, &codes).await;
    assert_eq!(told["status"], "expired");
    assert_eq!(answer_device(app, &codes, "approve").await.status, 404);
    app.anonymous()
        .post("/v1/auth/device/poll", json!({ "deviceCode": "x" }))
        .await
        .problem(404, "not-found");
}

async fn codes_are_approved_on_our_own_page_only(profile: Profile) {
    let world = World::start(profile).await;
    let app = &world.app;
    let codes = start_device(app).await;
    let code = codes["userCode"].as_str().unwrap();
    let fields = [("user_code", code), ("decision", "approve")];
    for origin in [
        None,
        Some("null"),
        Some("https://evil.example.com"),
        Some(PAGE),
    ] {
        let answer = submit_from(app, "/v1/auth/device/verify", &fields, origin).await;
        assert_eq!(answer.status, 403, "{origin:?}");
    }
    let typed = code.replace('-', " ").to_lowercase();
    let asked = submit(app, "/v1/auth/device/verify", &[("user_code", &typed)]).await;
    assert_eq!(asked.status, 200, "the page asks before anything happens");
    assert!(asked.text.contains(code));
    let evil = "%22%3E%3Cscript%3E";
    let page = app
        .anonymous()
        .get(&format!("/v1/auth/device/verify?user_code={evil}"))
        .await;
    assert_eq!(page.status, 404);
    assert!(!page.text.contains("<script"));
    assert_eq!(poll(app, &codes).await["status"], "pending");
}

async fn a_browser_signs_in_and_goes_where_it_is_allowed(profile: Profile) {
    let world = World::start(profile).await;
    let app = &world.app;
    for bad in ["https://evil.example.com/", "javascript:alert(1)", "/x"] {
        let bad: String = form_urlencoded::byte_serialize(bad.as_bytes()).collect();
        app.anonymous()
            .get(&format!("/v1/auth/github/start?redirect_uri={bad}"))
            .await
            .problem(400, "bad-request");
    }
    let start = format!("/v1/auth/github/start?redirect_uri={PAGE}/auth/callback");
    let sent = app.anonymous().get(&start).await;
    assert_eq!(sent.status, 303);
    let page = location(&sent);
    assert!(page.query().unwrap().contains("code_challenge_method=S256"));
    let callback = format!("{}/v1/auth/callback", app.url());
    assert!(
        page.query_pairs()
            .any(|(name, value)| name == "redirect_uri" && value == callback)
    );
    let done = world.sign_in(&sent, "ada").await;
    assert_eq!(done.status, 302);
    assert_eq!(done.header("location"), format!("{PAGE}/auth/callback"));
    let cookies = cookies(&done);
    assert!(cookies.contains("keyway_logged_in=true"), "{cookies}");
    let me = app
        .anonymous()
        .with("cookie", &cookies)
        .get("/v1/users/me")
        .await
        .data(200);
    assert_eq!(me["username"], "ada");
    assert!(
        me["forgeUserId"].as_str().unwrap().parse::<i64>().is_ok(),
        "{me}"
    );
    assert_eq!(me["githubId"], me["forgeUserId"]);

    let sent = app.anonymous().get("/v1/auth/github/start").await;
    let done = world.sign_in(&sent, "ada").await;
    assert_eq!(done.status, 200);
    assert!(done.text.contains("signed in as ada"));
}

async fn a_sign_in_works_once_and_in_one_browser(profile: Profile) {
    let world = World::start(profile).await;
    let app = &world.app;
    let sent = app.anonymous().get("/v1/auth/github/start").await;
    let back = path_of(&world.choose(&sent, "ada").await);
    let other = app.anonymous().get("/v1/auth/github/start").await;
    let stranger = returning(app, &other).get(&back).await;
    assert_eq!(stranger.status, 400);
    assert!(!cookies(&stranger).contains("keyway_session=kws_"));
    // The state is spent by the stranger's try: its owner begins again.
    assert_eq!(returning(app, &sent).get(&back).await.status, 400);
    // A state that nobody gave out.
    let forged = app
        .anonymous()
        .get("/v1/auth/callback?code=x&state=y")
        .await;
    assert_eq!(forged.status, 400);
}

async fn a_sign_in_that_fails_says_why(profile: Profile) {
    let world = World::start(profile).await;
    let app = &world.app;
    let start = format!("/v1/auth/github/start?redirect_uri={PAGE}/auth/callback?x=1");
    let sent = app.anonymous().get(&start).await;
    let declined = world.sign_in(&sent, "").await;
    let at = |word: &str| format!("{PAGE}/auth/callback?error={word}");
    assert_eq!(declined.header("location"), at("access_denied"));

    let sent = app.anonymous().get(&start).await;
    let back = world.choose(&sent, "ada").await;
    world.github.fault(
        Fault::next(Action::Respond {
            status: 503,
            headers: std::collections::BTreeMap::new(),
            body: String::new(),
        })
        .path("/login/oauth"),
    );
    let away = returning(app, &sent).get(&path_of(&back)).await;
    assert_eq!(away.header("location"), at("temporarily_unavailable"));

    let sent = app.anonymous().get("/v1/auth/github/start").await;
    let mut back = world.choose(&sent, "ada").await;
    let state = back
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    back.query_pairs_mut()
        .clear()
        .append_pair("code", "forged")
        .append_pair("state", &state);
    let refused = returning(app, &sent).get(&path_of(&back)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("did not accept"));
    assert!(!refused.text.contains("forged"));
}

async fn a_sign_in_keeps_a_token_for_keys_and_jobs(profile: Profile) {
    let world = World::start(profile).await;
    let app = &world.app;
    let session = signed_in(&world, "ada").await;
    session
        .post("/v1/vaults", json!({ "repoFullName": "acme/web" }))
        .await
        .data(201);
    let body = json!({ "name": "ci", "environment": "live", "scopes": ["read:secrets"] });
    let key = session.post("/v1/api-keys", body).await.data(200);
    let key = app.client(key["token"].as_str().unwrap());
    app.advance(TimeDelta::minutes(2));
    key.get(VAULT).await.data(200);
    world.github.grant("acme/web", "ada", None);
    app.advance(TimeDelta::minutes(2));
    key.get(VAULT).await.problem(404, "not-found");
}

async fn signed_in(world: &World, login: &str) -> Client {
    let sent = world.app.anonymous().get("/v1/auth/github/start").await;
    let done = world.sign_in(&sent, login).await;
    let cookies = cookies(&done);
    let token = cookies
        .split("; ")
        .find_map(|pair| pair.strip_prefix("keyway_session="))
        .expect("a session");
    world.app.client(token)
}

async fn a_token_that_ends_is_renewed_once(profile: Profile) {
    let world = World::start(profile).await;
    let app = &world.app;
    world.github.let_tokens_last(28_800);
    let session = signed_in(&world, "ada").await;
    session
        .post("/v1/vaults", json!({ "repoFullName": "acme/web" }))
        .await
        .data(201);
    app.advance(TimeDelta::hours(8));
    world.github.end_tokens();
    let exchanges = world.github.calls("/login/oauth/access_token");
    // One of them renews; the others wait for it, which is told.
    let asked = futures::future::join_all((0..4).map(|_| session.get(VAULT))).await;
    assert!(
        asked
            .iter()
            .all(|answer| [200, 503].contains(&answer.status))
    );
    assert_eq!(
        world.github.calls("/login/oauth/access_token"),
        exchanges + 1
    );
    session.get(VAULT).await.data(200);

    // Refused: the user has to come again, and nothing is believed meanwhile.
    app.advance(TimeDelta::hours(8));
    world.github.end_tokens();
    world.github.fault(
        Fault::next(Action::Respond {
            status: 200,
            headers: std::collections::BTreeMap::new(),
            body: json!({ "error": "bad_refresh_token" }).to_string(),
        })
        .path("/login/oauth"),
    );
    session.get(VAULT).await.problem(403, "forbidden");
    session.get("/v1/users/me").await.data(200);
    signed_in(&world, "ada").await.get(VAULT).await.data(200);
}

async fn without_an_app_there_is_no_sign_in(profile: Profile) {
    let github = GitHub::start().await.expect("a stand-in");
    let mut builder = TestApp::builder(profile);
    builder.github_url = Some(github.url());
    let app = builder.start().await;
    let page = app.anonymous().get("/v1/auth/github/start").await;
    assert_eq!(page.status, 409);
    assert!(page.text.contains("GITHUB_CLIENT_ID"));
    assert_eq!(
        app.anonymous()
            .get("/v1/auth/callback?state=x")
            .await
            .status,
        409
    );
    let fields = [("api_key", "kw_live_x")];
    assert_eq!(submit(&app, "/v1/auth/sign-in", &fields).await.status, 404);
}

async fn in_local_mode_an_api_key_signs_in(profile: Profile) {
    let mut builder = TestApp::builder(profile);
    builder.options.redirect_origins = vec![PAGE.to_owned()];
    let app = builder.start().await;
    let key = live_key(&app).await;
    let start = format!("/v1/auth/github/start?redirect_uri={PAGE}/done");
    let page = app.anonymous().get(&start).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("name=\"api_key\""));
    let done = format!("{PAGE}/done");
    let fields = [("api_key", key.as_str()), ("redirect_uri", &done)];
    for origin in [None, Some(PAGE)] {
        let answer = submit_from(&app, "/v1/auth/sign-in", &fields, origin).await;
        assert_eq!(answer.status, 403, "{origin:?}");
    }
    let answer = submit(&app, "/v1/auth/sign-in", &fields).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), done);
    let browser = app.anonymous().with("cookie", &cookies(&answer));
    assert_eq!(
        browser.get("/v1/users/me").await.data(200)["username"],
        "ada"
    );
    let evil = [
        ("api_key", key.as_str()),
        ("redirect_uri", "https://evil.example.com"),
    ];
    let answer = submit(&app, "/v1/auth/sign-in", &evil).await;
    assert_eq!((answer.status, answer.header("location")), (200, ""));

    // A device, with the same key.
    let codes = start_device(&app).await;
    let code = codes["userCode"].as_str().unwrap();
    let fields = [
        ("user_code", code),
        ("decision", "approve"),
        ("api_key", &key),
    ];
    let approved = submit(&app, "/v1/auth/device/verify", &fields).await;
    assert_eq!(approved.status, 200, "{}", approved.text);
    let told = poll(&app, &codes).await;
    assert_eq!(told["status"], "approved");
    let device = app.client(told["keywayToken"].as_str().unwrap());
    assert_eq!(
        device.get("/v1/users/me").await.data(200)["username"],
        "ada"
    );
}

/// A key of ada's that may do all.
async fn live_key(app: &TestApp) -> String {
    let ada = app.user("ada").await;
    let all: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    let body = json!({ "name": "all", "environment": "live", "scopes": all });
    let key = ada.post("/v1/api-keys", body).await.data(200);
    key["token"].as_str().unwrap().to_owned()
}

async fn a_key_that_may_less_than_its_user_signs_nobody_in(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.account("ada").await;
    let client = app.client(&ada.token);
    let all: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    let codes = start_device(&app).await;
    let code = codes["userCode"].as_str().unwrap();
    for (environment, scopes) in [("live", &all[..1]), ("test", &all[..])] {
        let body = json!({ "name": "x", "environment": environment, "scopes": scopes });
        let key = client.post("/v1/api-keys", body).await.data(200);
        let key = key["token"].as_str().unwrap();
        let answer = submit(&app, "/v1/auth/sign-in", &[("api_key", key)]).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
        assert!(!answer.text.contains(key));
        let fields = [
            ("user_code", code),
            ("decision", "approve"),
            ("api_key", key),
        ];
        let answer = submit(&app, "/v1/auth/device/verify", &fields).await;
        assert_eq!(answer.status, 401);
    }
    for key in ["", "nonsense", &format!("kw_live_{}", "a".repeat(40))] {
        let answer = submit(&app, "/v1/auth/sign-in", &[("api_key", key)]).await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(poll(&app, &codes).await["status"], "pending");
}
