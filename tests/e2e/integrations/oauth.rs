//! Connecting by OAuth, with the test as the browser.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use keyway_shared::domain::account::{Scope, User};
use keyway_shared::domain::connection::{Connection, ReconnectReason};
use keyway_simulator::vercel::{TEAM, USER};
use keyway_simulator::{Action, Fault};
use keyway_tests::app::{AppBuilder, TestApp};
use keyway_tests::client::{Answer, Client};
use keyway_tests::database::Profile;
use keyway_tests::{leaks, on_both_profiles};
use serde_json::{Value, json};

use super::world::{World, id};

const AUTHORIZE: &str = "/v1/integrations/vercel/authorize";
const CALLBACK: &str = "/v1/integrations/vercel/callback";
const CONNECTIONS: &str = "/v1/integrations/connections";

/// What a browser has when it comes back.
struct Returning {
    cookie: String,
    path: String,
}

async fn start(profile: Profile) -> World {
    start_with(profile, |_| {}).await
}

async fn start_with(profile: Profile, change: impl FnOnce(&mut AppBuilder)) -> World {
    let world = World::start_with(profile, |builder| {
        builder.options.redirect_origins = vec!["https://app.example.com".to_owned()];
        change(builder);
    })
    .await;
    let path = format!("{CONNECTIONS}/{}", world.connection);
    world.me.delete(&path).await.empty();
    world
}

/// Goes to the provider and agrees.
async fn agree(world: &World, query: &str) -> Returning {
    agree_for(world, query, USER).await
}

/// The same for an account of one's choice; for none, it declines.
async fn agree_for(world: &World, query: &str, scope: &str) -> Returning {
    let answer = world.me.get(&format!("{AUTHORIZE}{query}")).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    let cookie = answer.header("set-cookie").to_owned();
    for part in [
        "HttpOnly",
        "SameSite=Lax",
        "Path=/v1/integrations",
        "Max-Age=600",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    let page = answer.header("location").to_owned();
    let path = page
        .strip_prefix(&world.vercel.url())
        .expect("the provider's page");
    assert!(path.starts_with("/integrations/keyway/new?state="));
    let back = world.allowing(path, CALLBACK, scope).await;
    Returning {
        cookie: cookie.split(';').next().unwrap_or_default().to_owned(),
        path: back
            .strip_prefix(&world.app.url())
            .expect("our callback")
            .to_owned(),
    }
}

fn browser(world: &World, cookie: &str) -> Client {
    world.app.anonymous().with("cookie", cookie)
}

/// A page of ours: nothing runs on it, nothing on it comes from elsewhere or leads there, and nobody is
/// told its address.
pub(super) fn is_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.header("content-type").starts_with("text/html"));
    let policy = answer.header("content-security-policy");
    let (start, rest) = policy.split_once("'nonce-").expect("a nonce");
    assert_eq!(start, "default-src 'none'; style-src ");
    let (nonce, rest) = rest.split_once('\'').expect("its end");
    assert!(answer.text.contains(&format!("<style nonce=\"{nonce}\">")));
    assert!(rest.starts_with("; base-uri 'none'; form-action '"));
    assert!(rest.ends_with("; frame-ancestors 'none'"));
    let has_form = answer.text.contains("<form");
    let referrer = if has_form {
        "same-origin"
    } else {
        "no-referrer"
    };
    assert_eq!(answer.header("referrer-policy"), referrer);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for attribute in [" href=\"", " action=\"", " src=\""] {
        for address in answer.text.split(attribute).skip(1) {
            assert!(address.starts_with("/v1/"), "{attribute}{address}");
        }
    }
    for foreign in [
        "://", "<script", "<link", "<iframe", "<img", "@import", "url(",
    ] {
        assert!(!answer.text.contains(foreign), "{foreign}: {}", answer.text);
    }
    assert!(!answer.text.contains("vci_simulated"));
}

async fn a_browser_connects(profile: Profile) {
    let world = start(profile).await;
    let back = agree(&world, "").await;
    let answer = browser(&world, &back.cookie).get(&back.path).await;
    is_page(&answer, 200);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    let listed = world.me.get(CONNECTIONS).await.data(200);
    assert_eq!(listed["connections"][0]["provider"], "vercel");
    assert_eq!(listed["connections"][0]["status"], "active");
    // The state works once.
    let again = browser(&world, &back.cookie).get(&back.path).await;
    is_page(&again, 400);
}

async fn it_goes_back_to_where_it_came_from(profile: Profile) {
    let world = start(profile).await;
    let target = "?redirect_uri=https%3A%2F%2Fapp.example.com%2Fdone%3Fx%3D1";
    let back = agree(&world, target).await;
    let path = format!("{}&next=https%3A%2F%2Fevil.example%2F", back.path);
    let answer = browser(&world, &back.cookie).get(&path).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    assert_eq!(
        answer.header("location"),
        "https://app.example.com/done?x=1"
    );

    // The provider's own page is gone on to, another one is not.
    let back = agree(&world, "").await;
    let path = format!("{}&next={}/done", back.path, world.vercel.url());
    let answer = browser(&world, &back.cookie).get(&path).await;
    assert_eq!(
        answer.header("location"),
        format!("{}/done", world.vercel.url())
    );
    let back = agree(&world, "").await;
    let path = format!("{}&next=https%3A%2F%2Fevil.example%2F", back.path);
    let answer = browser(&world, &back.cookie).get(&path).await;
    is_page(&answer, 200);
}

async fn another_browser_does_not_connect(profile: Profile) {
    let world = start(profile).await;
    let back = agree(&world, "").await;
    let answer = browser(&world, "keyway_oauth=somebody-elses")
        .get(&back.path)
        .await;
    is_page(&answer, 403);
    let back = agree(&world, "").await;
    is_page(&world.app.anonymous().get(&back.path).await, 403);
    let listed = world.me.get(CONNECTIONS).await.data(200);
    assert_eq!(listed["connections"], json!([]));
}

async fn what_does_not_fit_ends_with_a_page(profile: Profile) {
    let world = start(profile).await;
    let anonymous = world.app.anonymous();
    for query in [
        "",
        "?code=x",
        "?code=x&state=nonsense",
        "?error=access_denied",
    ] {
        is_page(&anonymous.get(&format!("{CALLBACK}{query}")).await, 400);
    }
    is_page(
        &anonymous.get("/v1/integrations/heroku/callback").await,
        404,
    );
    // It has no OAuth, so that nothing was begun there.
    is_page(&anonymous.get("/v1/integrations/fly/callback").await, 400);

    // Too late.
    let back = agree(&world, "").await;
    world.app.advance(TimeDelta::minutes(11));
    is_page(&browser(&world, &back.cookie).get(&back.path).await, 400);
    // A code that the provider does not take.
    let back = agree(&world, "").await;
    let path = back.path.replace("code=", "code=x");
    is_page(&browser(&world, &back.cookie).get(&path).await, 400);
    // Declined; and what the provider writes is not repeated.
    let back = agree_for(&world, "", "").await;
    let answer = browser(&world, &back.cookie).get(&back.path).await;
    is_page(&answer, 400);
    assert!(answer.text.contains("you declined"), "{}", answer.text);
    let back = agree(&world, "").await;
    let state = back.path.split("state=").nth(1).unwrap_or_default();
    let path = format!("{CALLBACK}?error=%3Cscript%3E&state={state}");
    let answer = browser(&world, &back.cookie).get(&path).await;
    is_page(&answer, 400);
    assert!(!answer.text.contains("script>"));
    // A provider that fails.
    let back = agree(&world, "").await;
    world
        .vercel
        .fault(Fault::next(Action::json(500, &json!({}))).path("oauth"));
    is_page(&browser(&world, &back.cookie).get(&back.path).await, 502);
    let listed = world.me.get(CONNECTIONS).await.data(200);
    assert_eq!(listed["connections"], json!([]));
}

async fn only_allowed_addresses_are_gone_back_to(profile: Profile) {
    let world = start(profile).await;
    for address in [
        "https://evil.example/",
        "http://app.example.com/",
        "https://app.example.com.evil.example/",
        "https://app.example.com@evil.example/",
        "javascript:alert(1)",
        "/relative",
    ] {
        let path = format!("{AUTHORIZE}?redirect_uri={address}");
        world.me.get(&path).await.problem(403, "forbidden");
    }
    let own = format!("{AUTHORIZE}?redirect_uri={}/docs", world.app.url());
    assert_eq!(world.me.get(&own).await.status, 302);
    let reader = world
        .app
        .key(&world.account.user, &[Scope::ReadSecrets], None)
        .await;
    let reader = world.app.client(&reader.token);
    reader.get(AUTHORIZE).await.problem(403, "forbidden");
    // A token in the address would let a link connect its reader's account to a stranger's user.
    let path = format!("{AUTHORIZE}?token={}", world.account.token);
    world
        .app
        .anonymous()
        .get(&path)
        .await
        .problem(401, "unauthorized");
    world
        .me
        .get("/v1/integrations/heroku/authorize")
        .await
        .problem(404, "not-found");
}

async fn send_form(world: &World, ticket: &str, origin: &str) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("ticket", ticket)
        .finish();
    let browser = world.app.anonymous().with("origin", origin);
    browser
        .with("content-type", "application/x-www-form-urlencoded")
        .send(reqwest::Method::POST, AUTHORIZE, Some(body.into_bytes()))
        .await
}

/// A link cannot send a header: it bears a ticket, and asks before anything is connected.
async fn a_ticket_stands_for_its_caller_once(profile: Profile) {
    let world = start(profile).await;
    let made = world
        .me
        .post(&format!("{AUTHORIZE}-ticket"), json!({}))
        .await
        .data(200);
    let (ticket, url) = (
        made["ticket"].as_str().unwrap(),
        made["url"].as_str().unwrap(),
    );
    let path = url.strip_prefix(&world.app.url()).expect("our address");
    let page = world.app.anonymous().get(path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    is_page(&page, 200);
    assert!(page.text.contains(&world.account.user.username));
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("form-action 'self' {}", world.vercel.url())));

    let own = world.app.url();
    let foreign = send_form(&world, ticket, "https://evil.example.com").await;
    is_page(&foreign, 403);
    let sent = send_form(&world, ticket, &own).await;
    assert_eq!(sent.status, 302, "{}", sent.text);
    assert!(sent.header("location").starts_with(&world.vercel.url()));
    is_page(&send_form(&world, ticket, &own).await, 401);
    is_page(&world.app.anonymous().get(path).await, 401);

    let late = world
        .me
        .post(&format!("{AUTHORIZE}-ticket"), json!({}))
        .await
        .data(200);
    world.app.advance(TimeDelta::minutes(2));
    let late = send_form(&world, late["ticket"].as_str().unwrap(), &own).await;
    assert_eq!(late.status, 401);
    let reader = world
        .app
        .key(&world.account.user, &[Scope::ReadSecrets], None)
        .await;
    world
        .app
        .client(&reader.token)
        .post(&format!("{AUTHORIZE}-ticket"), json!({}))
        .await
        .problem(403, "forbidden");
}

/// Old clients put their token there; it opens the same page, where the operator allows it.
async fn a_token_in_the_address_counts_where_it_is_allowed(profile: Profile) {
    let world = World::start_with(profile, |builder| builder.options.token_in_query = true).await;
    let path = format!("{AUTHORIZE}?token={}", world.account.token);
    let page = world.app.anonymous().get(&path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains(&world.account.user.username));
    assert!(!page.text.contains(&world.account.token));
    let wrong = format!("{AUTHORIZE}?token=kw_live_{}", "a".repeat(40));
    world
        .app
        .anonymous()
        .get(&wrong)
        .await
        .problem(401, "unauthorized");
}

async fn without_settings_a_token_is_named(profile: Profile) {
    let app = TestApp::start(profile).await;
    let me = app.user("ada").await;
    let problem = me.get(AUTHORIZE).await.problem(409, "conflict");
    let detail = problem["detail"].as_str().unwrap_or_default();
    for part in ["VERCEL_CLIENT_ID", "VERCEL_INTEGRATION_SLUG", "token"] {
        assert!(detail.contains(part), "{detail}");
    }
}

/// The cookies of a browser that is signed in.
pub(super) async fn signed_in(world: &World, user: &User) -> String {
    let (_, token) = world.app.session(user).await;
    leaks::plant(&token);
    format!("keyway_session={token}; keyway_logged_in=true")
}

async fn nothing_is_connected_for_somebody_else(profile: Profile) {
    let world = start(profile).await;
    let mallory = world.app.account("mallory").await;
    let mallorys = signed_in(&world, &mallory.user).await;
    let own = signed_in(&world, &world.account.user).await;
    // Whoever sits before the browser is not who began.
    let back = agree(&world, "").await;
    let cookies = format!("{}; {mallorys}", back.cookie);
    let calls = world.vercel.calls();
    let answer = browser(&world, &cookies).get(&back.path).await;
    is_page(&answer, 403);
    assert!(answer.text.contains("mallory") && answer.text.contains("ada"));
    assert_eq!(world.vercel.calls(), calls, "the code is not used");
    // A stranger's link is not even asked about.
    let ticket = format!("{AUTHORIZE}-ticket");
    let made = world.me.post(&ticket, json!({})).await.data(200);
    let url = made["url"].as_str().expect("an address");
    let path = url.strip_prefix(&world.app.url()).expect("our address");
    is_page(&browser(&world, &mallorys).get(path).await, 403);
    is_page(&browser(&world, &own).get(path).await, 200);

    // A session that has ended is nobody's.
    let back = agree(&world, "").await;
    let ended = format!(
        "keyway_session=kws_{}; keyway_logged_in=true",
        "a".repeat(43)
    );
    let cookies = format!("{}; {ended}", back.cookie);
    is_page(&browser(&world, &cookies).get(&back.path).await, 200);
    let back = agree(&world, "").await;
    let cookies = format!("{}; {own}", back.cookie);
    is_page(&browser(&world, &cookies).get(&back.path).await, 200);
    let theirs = world.app.client(&mallory.token).get(CONNECTIONS).await;
    assert_eq!(theirs.data(200)["connections"], json!([]));
}

/// One of the user's connections as it is stored.
pub(super) async fn stored(world: &World, listed: &Value) -> Connection {
    let mut tx = world.app.store.begin_read().await.expect("begins");
    let found = tx.find_connection(world.account.user.id, id(&listed["id"]));
    found.await.expect("reads").expect("a connection")
}

async fn the_code_is_for_the_account_of_the_address(profile: Profile) {
    let world = start(profile).await;
    let back = agree_for(&world, "", TEAM).await;
    assert!(back.path.contains(&format!("teamId={TEAM}")));
    for (told, instead) in [
        (TEAM, "team_other"),
        ("configurationId=icfg_", "configurationId=icfg_x"),
    ] {
        let back = agree_for(&world, "", TEAM).await;
        let path = back.path.replace(told, instead);
        let answer = browser(&world, &back.cookie).get(&path).await;
        is_page(&answer, 400);
        assert!(answer.text.contains("another account"), "{}", answer.text);
    }
    let own = agree(&world, "").await;
    let path = format!("{}&teamId={TEAM}", own.path);
    is_page(&browser(&world, &own.cookie).get(&path).await, 400);
    let listed = world.me.get(CONNECTIONS).await.data(200);
    assert_eq!(listed["connections"], json!([]));

    is_page(&browser(&world, &back.cookie).get(&back.path).await, 200);
    let listed = world.me.get(CONNECTIONS).await.data(200);
    let listed = &listed["connections"][0];
    assert_eq!(listed["providerTeamId"], TEAM);
    assert_eq!(listed["providerAccountId"], TEAM);
    assert_eq!(listed["providerUserId"], USER);
    assert_eq!(listed["accountName"], "Acme");
    let kept = stored(&world, listed).await;
    let installation = kept.installation_id.expect("an installation");
    assert!(
        back.path
            .contains(&format!("configurationId={installation}"))
    );
}

async fn connecting_again_wakes_a_connection_up(profile: Profile) {
    let world = start(profile).await;
    let connect = async |scope| {
        let back = agree_for(&world, "", scope).await;
        let answer = browser(&world, &back.cookie).get(&back.path).await;
        is_page(&answer, 200);
        answer.text
    };
    assert!(connect(USER).await.contains("Vercel is connected<"));
    assert!(connect(TEAM).await.contains("Vercel is connected<"));
    let before = world.me.get(CONNECTIONS).await.data(200);
    let before = before["connections"].as_array().expect("a list").clone();
    let of = |list: &[Value], account: &str| {
        let found = list.iter().find(|one| one["providerAccountId"] == account);
        found.expect("a connection").clone()
    };
    let mut tx = world.app.store.begin().await.expect("begins");
    let now = tx.now().await.expect("a time");
    let team = id(&of(&before, TEAM)["id"]);
    assert!(
        tx.mark_needs_reconnect(team, None, ReconnectReason::Refused, now)
            .await
            .expect("marks")
    );
    tx.commit().await.expect("commits");

    // The other account is not the one that was meant, perhaps.
    let page = connect(USER).await;
    assert!(page.contains("that you meant?"), "{page}");
    assert!(page.contains("Still to be connected again: Acme"), "{page}");
    let page = connect(TEAM).await;
    assert!(page.contains("Vercel is connected again<"), "{page}");
    assert!(!page.contains("Still to be"), "{page}");
    let after = world.me.get(CONNECTIONS).await.data(200);
    let after = after["connections"].as_array().expect("a list");
    assert_eq!(after.len(), 2);
    for account in [USER, TEAM] {
        assert_eq!(of(after, account)["id"], of(&before, account)["id"]);
        assert_eq!(of(after, account)["status"], "active");
    }
    let noted = world.me.get("/v1/activity?limit=1").await.data(200);
    assert_eq!(noted[0]["action"], "integration_connected");
    assert_eq!(noted[0]["platform"], "web");
    assert_eq!(noted[0]["ip"], "127.0.0.1");
}

async fn a_state_works_once_among_many(profile: Profile) {
    let world = start(profile).await;
    let back = agree(&world, "").await;
    let client = browser(&world, &back.cookie);
    let all = (0..6).map(|_| client.get(&back.path));
    let mut statuses: Vec<_> = join_all(all)
        .await
        .iter()
        .map(|answer| answer.status)
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400]);
}

async fn a_provider_that_does_not_answer_is_not_waited_for(profile: Profile) {
    let world = start_with(profile, |builder| {
        builder.providers.timeout = Duration::from_millis(300);
    })
    .await;
    let back = agree(&world, "").await;
    world.vercel.fault(Fault::next(Action::Hang).path("oauth"));
    is_page(&browser(&world, &back.cookie).get(&back.path).await, 502);
    let listed = world.me.get(CONNECTIONS).await.data(200);
    assert_eq!(listed["connections"], json!([]));
}

async fn addresses_come_from_the_configuration(profile: Profile) {
    let world = start(profile).await;
    let deceive = |client: Client| {
        client
            .with("host", "evil.example")
            .with("x-forwarded-host", "evil.example")
            .with("forwarded", "host=evil.example;proto=https")
    };
    let me = deceive(world.me.clone());
    let made = me.post(&format!("{AUTHORIZE}-ticket"), json!({})).await;
    let made = made.data(200);
    let url = made["url"].as_str().expect("an address");
    assert!(url.starts_with(&world.app.url()), "{url}");
    let sent = me.get(AUTHORIZE).await;
    assert!(sent.header("location").starts_with(&world.vercel.url()));
    let back = agree(&world, "").await;
    let browser = deceive(browser(&world, &back.cookie));
    is_page(&browser.get(&back.path).await, 200);
    let requests = world.vercel.requests();
    let exchanges = requests
        .iter()
        .filter(|request| request.path.ends_with("/oauth/access_token"));
    let told: Vec<_> = exchanges
        .filter_map(|request| request.body.as_ref())
        .map(|body| body["redirect_uri"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(told, [format!("{}{CALLBACK}", world.app.url())]);
}

async fn names_of_others_cannot_become_markup(profile: Profile) {
    let world = start(profile).await;
    let team = world.vercel.add_team("<script>alert(1)</script>");
    let back = agree_for(&world, "", &team).await;
    let answer = browser(&world, &back.cookie).get(&back.path).await;
    is_page(&answer, 200);
    assert!(
        answer.text.contains("&lt;script&gt;alert(1)"),
        "{}",
        answer.text
    );
}

on_both_profiles!(
    a_browser_connects,
    it_goes_back_to_where_it_came_from,
    another_browser_does_not_connect,
    what_does_not_fit_ends_with_a_page,
    only_allowed_addresses_are_gone_back_to,
    a_ticket_stands_for_its_caller_once,
    a_token_in_the_address_counts_where_it_is_allowed,
    without_settings_a_token_is_named,
    nothing_is_connected_for_somebody_else,
    the_code_is_for_the_account_of_the_address,
    connecting_again_wakes_a_connection_up,
    a_state_works_once_among_many,
    a_provider_that_does_not_answer_is_not_waited_for,
    addresses_come_from_the_configuration,
    names_of_others_cannot_become_markup,
);
