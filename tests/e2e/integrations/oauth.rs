//! Connecting by OAuth, with the test as the browser.

use chrono::TimeDelta;
use keyway_shared::domain::account::Scope;
use keyway_simulator::{Action, Fault};
use keyway_tests::app::TestApp;
use keyway_tests::client::{Answer, Client};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::json;

use super::world::World;

const AUTHORIZE: &str = "/v1/integrations/vercel/authorize";
const CALLBACK: &str = "/v1/integrations/vercel/callback";
const CONNECTIONS: &str = "/v1/integrations/connections";

/// What a browser has when it comes back.
struct Returning {
    cookie: String,
    path: String,
}

async fn start(profile: Profile) -> World {
    let world = World::start_with(profile, |builder| {
        builder.options.redirect_origins = vec!["https://app.example.com".to_owned()];
    })
    .await;
    let path = format!("{CONNECTIONS}/{}", world.connection);
    world.me.delete(&path).await.empty();
    world
}

/// Goes to the provider and agrees.
async fn agree(world: &World, query: &str) -> Returning {
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
    let back = world.through_the_provider(path, CALLBACK).await;
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

fn is_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.header("content-type").starts_with("text/html"));
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert!(!answer.text.contains("http"), "{}", answer.text);
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
    is_page(&anonymous.get("/v1/integrations/fly/callback").await, 409);

    // Too late.
    let back = agree(&world, "").await;
    world.app.advance(TimeDelta::minutes(11));
    is_page(&browser(&world, &back.cookie).get(&back.path).await, 400);
    // A code that the provider does not take.
    let back = agree(&world, "").await;
    let path = back.path.replace("code=", "code=x");
    is_page(&browser(&world, &back.cookie).get(&path).await, 400);
    // Declined: what the provider writes is not repeated.
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
    assert!(page.text.contains(&world.account.user.username));
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("form-action 'self' {}", world.vercel.url())));

    let own = world.app.url();
    let foreign = send_form(&world, ticket, "https://evil.example.com").await;
    assert_eq!(foreign.status, 403);
    let sent = send_form(&world, ticket, &own).await;
    assert_eq!(sent.status, 302, "{}", sent.text);
    assert!(sent.header("location").starts_with(&world.vercel.url()));
    let again = send_form(&world, ticket, &own).await;
    assert_eq!(again.status, 401);
    assert_eq!(world.app.anonymous().get(path).await.status, 401);

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

on_both_profiles!(
    a_browser_connects,
    it_goes_back_to_where_it_came_from,
    another_browser_does_not_connect,
    what_does_not_fit_ends_with_a_page,
    only_allowed_addresses_are_gone_back_to,
    a_ticket_stands_for_its_caller_once,
    a_token_in_the_address_counts_where_it_is_allowed,
    without_settings_a_token_is_named,
);
