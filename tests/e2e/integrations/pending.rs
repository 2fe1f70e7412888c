//! Connecting from the provider's side: the marketplace or a deploy button leads here without a state,
//! and nothing is connected before the user who is signed in says so.

use chrono::TimeDelta;
use futures::future::join_all;
use keyway_simulator::github::{GitHub, Permission};
use keyway_simulator::vercel::{TEAM, USER};
use keyway_tests::app::AppBuilder;
use keyway_tests::client::{Answer, Client, sent_to};
use keyway_tests::database::Profile;
use keyway_tests::{leaks, on_both_profiles};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::oauth::{is_page, signed_in, stored};
use super::world::World;

on_both_profiles!(
    what_begins_at_the_provider_asks_first,
    whoever_is_not_signed_in_is_led_through_sign_in,
    sign_in_through_github_leads_back,
    only_the_page_in_that_browser_confirms,
    the_user_whom_the_page_named_confirms,
    one_of_many_answers_counts,
    a_no_forgets_the_token,
    it_waits_for_a_quarter_of_an_hour,
    next_is_a_page_of_the_provider_or_nothing,
    a_link_that_is_not_whole_asks_nobody,
);

const CALLBACK: &str = "/v1/integrations/vercel/callback";
const MARKET: &str = "/integrations/keyway/add?source=marketplace";

/// Without a connection.
async fn start(profile: Profile) -> World {
    start_with(profile, |_| {}).await
}

async fn start_with(profile: Profile, change: impl FnOnce(&mut AppBuilder)) -> World {
    let world = World::start_with(profile, change).await;
    let path = format!("/v1/integrations/connections/{}", world.connection);
    world.me.delete(&path).await.empty();
    world
}

/// A browser that added the integration at the provider, and was sent to our page.
struct Arrived {
    /// Ties it to what it brought.
    cookie: String,
    /// The page that asks.
    page: String,
}

/// The callback that the provider sends a browser to in which nobody began here.
async fn added(world: &World, path: &str, scope: &str) -> String {
    let back = world.allowing(path, CALLBACK, scope).await;
    let back = back.strip_prefix(&world.app.url()).expect("our callback");
    assert!(!back.contains("state="), "{back}");
    back.to_owned()
}

fn arrived(answer: &Answer) -> Arrived {
    assert_eq!(answer.status, 302, "{}", answer.text);
    let page = answer.header("location").to_owned();
    assert!(
        page.starts_with("/v1/integrations/vercel/pending/"),
        "{page}"
    );
    assert!(!page.contains('?'), "the code is gone: {page}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("keyway_pending="), "{cookie}");
    for part in [
        "HttpOnly",
        "SameSite=Lax",
        "Path=/v1/integrations",
        "Max-Age=900",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    Arrived {
        cookie: cookie.split(';').next().unwrap_or_default().to_owned(),
        page,
    }
}

async fn arrive(world: &World, scope: &str) -> Arrived {
    let path = added(world, MARKET, scope).await;
    arrived(&world.app.anonymous().get(&path).await)
}

fn browser(world: &World, cookies: &[&str]) -> Client {
    world.app.anonymous().with("cookie", &cookies.join("; "))
}

/// Sends the form as our own page does.
async fn answer(world: &World, browser: &Client, page: &str, decision: &str) -> Answer {
    let user = world.account.user.id.to_string();
    let fields = [("decision", decision), ("user_id", user.as_str())];
    submit(browser, page, &fields, &world.app.url()).await
}

async fn submit(browser: &Client, path: &str, fields: &[(&str, &str)], origin: &str) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let browser = browser.clone().with("origin", origin);
    browser
        .with("content-type", "application/x-www-form-urlencoded")
        .send(Method::POST, path, Some(body.into_bytes()))
        .await
}

async fn connections(world: &World) -> Vec<Value> {
    let listed = world.me.get("/v1/integrations/connections").await.data(200);
    listed["connections"].as_array().expect("a list").clone()
}

async fn waiting(world: &World) -> i64 {
    let sql = "SELECT COUNT(*) FROM pending_connections";
    world.app.database.number(sql).await
}

async fn what_begins_at_the_provider_asks_first(profile: Profile) {
    let world = start(profile).await;
    let session = signed_in(&world, &world.account.user).await;
    let path = added(&world, MARKET, TEAM).await;
    // Also for whoever is signed in.
    let arrived = arrived(&browser(&world, &[&session]).get(&path).await);
    assert_eq!(connections(&world).await, [] as [Value; 0]);
    let me = browser(&world, &[&session, &arrived.cookie]);
    let page = me.get(&arrived.page).await;
    is_page(&page, 200);
    for shown in ["Acme", "ada", "the marketplace", "Do not connect"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    // Where the form leads in the end is where the browser lets it.
    let policy = page.header("content-security-policy");
    let leads_to = format!("form-action 'self' {};", world.vercel.url());
    assert!(policy.contains(&leads_to), "{policy}");
    assert_eq!(connections(&world).await, [] as [Value; 0]);

    let done = answer(&world, &me, &arrived.page, "approve").await;
    assert_eq!(done.status, 302, "{}", done.text);
    let next = format!("{}/integrations/keyway/done", world.vercel.url());
    assert_eq!(done.header("location"), next);
    assert!(done.header("set-cookie").contains("Max-Age=0"));
    let listed = connections(&world).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["providerTeamId"], TEAM);
    assert_eq!(listed[0]["providerUserId"], USER);
    assert_eq!(listed[0]["accountName"], "Acme");
    assert_eq!(listed[0]["status"], "active");
    let kept = stored(&world, &listed[0]).await.installation_id;
    let kept = kept.expect("an installation");
    assert!(path.contains(&format!("configurationId={kept}")), "{path}");
    // What was connected can be used.
    let projects = format!(
        "/v1/integrations/connections/{}/projects",
        listed[0]["id"].as_str().expect("an id")
    );
    world.me.get(&projects).await.data(200);
    let noted = world.me.get("/v1/activity?limit=1").await.data(200);
    assert_eq!(noted[0]["action"], "integration_connected");
    assert_eq!(noted[0]["metadata"]["source"], "marketplace");
    assert_eq!(noted[0]["ip"], "127.0.0.1");
    assert!(noted[0]["sessionId"].is_string());

    // It works once.
    is_page(&answer(&world, &me, &arrived.page, "approve").await, 400);
    is_page(&me.get(&arrived.page).await, 400);
    assert_eq!(waiting(&world).await, 0);

    // The same account again is the same connection.
    let again = arrive(&world, TEAM).await;
    let me = browser(&world, &[&session, &again.cookie]);
    assert_eq!(
        answer(&world, &me, &again.page, "approve").await.status,
        302
    );
    let now = connections(&world).await;
    assert_eq!(now.len(), 1);
    assert_eq!(now[0]["id"], listed[0]["id"]);
}

/// The way that the page leads whoever is not signed in.
fn way_in(page: &Answer) -> String {
    is_page(page, 401);
    let (_, link) = page.text.split_once("href=\"").expect("a link");
    let (link, _) = link.split_once('"').expect("its end");
    assert!(link.starts_with("/v1/auth/github/start?redirect_uri="));
    link.to_owned()
}

async fn whoever_is_not_signed_in_is_led_through_sign_in(profile: Profile) {
    let world = start(profile).await;
    let arrived = arrive(&world, TEAM).await;
    let nobody = browser(&world, &[&arrived.cookie]);
    let page = nobody.get(&arrived.page).await;
    let link = way_in(&page);
    assert!(page.text.contains("Acme"), "{}", page.text);
    // Nobody's yes is none.
    way_in(&answer(&world, &nobody, &arrived.page, "approve").await);
    assert_eq!(connections(&world).await, [] as [Value; 0]);

    let back = Url::parse(&format!("http://x{link}")).expect("an address");
    let (_, back) = back.query_pairs().next().expect("where it leads");
    let asked = nobody.get(&link).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    let fields = [
        ("api_key", world.account.token.as_str()),
        ("redirect_uri", &back),
    ];
    let signed_in = submit(&nobody, "/v1/auth/sign-in", &fields, &world.app.url()).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.text);
    let page = signed_in.header("location");
    assert_eq!(page, format!("{}{}", world.app.url(), arrived.page));
    let cookies = cookies(&signed_in);
    let me = browser(&world, &[&arrived.cookie, &cookies]);
    is_page(&me.get(&arrived.page).await, 200);
    assert_eq!(
        answer(&world, &me, &arrived.page, "approve").await.status,
        302
    );
    assert_eq!(connections(&world).await.len(), 1);
}

fn cookies(answer: &Answer) -> String {
    let pairs: Vec<_> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .collect();
    for pair in &pairs {
        let (name, value) = pair.split_once('=').expect("a cookie");
        if name == "keyway_session" {
            leaks::plant(value);
        }
    }
    pairs.join("; ")
}

async fn sign_in_through_github_leads_back(profile: Profile) {
    let github = GitHub::start().await.expect("a stand-in");
    github.add_repo("acme/my-app", true);
    let token = github.add_user("ada");
    github.grant("acme/my-app", "ada", Some(Permission::Admin));
    let world = super::github::with_sign_in(profile, &github, &token).await;
    let arrived = arrive(&world, USER).await;
    let nobody = browser(&world, &[&arrived.cookie]);
    let link = way_in(&nobody.get(&arrived.page).await);
    let sent = nobody.get(&link).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let mut page = Url::parse(sent.header("location")).expect("GitHub's page");
    page.query_pairs_mut().append_pair("login", "ada");
    let back = sent_to(page.as_str()).await;
    let back = back.strip_prefix(&world.app.url()).expect("our callback");
    let returned = browser(&world, &[&cookies(&sent)]).get(back).await;
    assert_eq!(returned.status, 302, "{}", returned.text);
    let page = returned.header("location");
    assert_eq!(page, format!("{}{}", world.app.url(), arrived.page));
    let cookies = cookies(&returned);
    let me = browser(&world, &[&arrived.cookie, &cookies]);
    let page = me.get(&arrived.page).await;
    is_page(&page, 200);
    let (_, user) = page
        .text
        .split_once("name=\"user_id\" value=\"")
        .expect("whom");
    let user = user.split('"').next().unwrap_or_default();
    let fields = [("decision", "approve"), ("user_id", user)];
    let done = submit(&me, &arrived.page, &fields, &world.app.url()).await;
    assert_eq!(done.status, 302, "{}", done.text);
    assert_eq!(connections(&world).await.len(), 1);
}

async fn only_the_page_in_that_browser_confirms(profile: Profile) {
    let world = start(profile).await;
    let session = signed_in(&world, &world.account.user).await;
    let first = arrive(&world, USER).await;
    // A second one in the same browser, which has the newer cookie then: what the first page shows is
    // not what it would confirm.
    let second = arrive(&world, TEAM).await;
    for cookies in [
        vec![session.as_str()],
        vec![&session, "keyway_pending=guessed"],
        vec![&session, &second.cookie],
        vec![&session, "keyway_oauth=x"],
    ] {
        let other = browser(&world, &cookies);
        is_page(&other.get(&first.page).await, 403);
        is_page(&answer(&world, &other, &first.page, "approve").await, 403);
        is_page(&answer(&world, &other, &first.page, "deny").await, 403);
    }
    let me = browser(&world, &[&session, &first.cookie]);
    let user = world.account.user.id.to_string();
    let fields = [("decision", "approve"), ("user_id", user.as_str())];
    for origin in ["https://evil.example", "null", &world.vercel.url()] {
        is_page(&submit(&me, &first.page, &fields, origin).await, 403);
    }
    let body = format!("decision=approve&user_id={user}").into_bytes();
    let form = "application/x-www-form-urlencoded";
    let without = me.clone().with("content-type", form);
    is_page(
        &without.send(Method::POST, &first.page, Some(body)).await,
        403,
    );
    // Something else than the form, or a part of it.
    let own = world.app.url();
    for fields in [
        &[][..],
        &[("decision", "approve")],
        &[("user_id", &user)],
        &[("decision", "perhaps"), ("user_id", &user)],
    ] {
        is_page(&submit(&me, &first.page, fields, &own).await, 400);
    }
    let unknown = format!("/v1/integrations/vercel/pending/{}", world.app.unknown_id());
    is_page(&me.get(&unknown).await, 400);
    me.get("/v1/integrations/vercel/pending/nonsense")
        .await
        .problem(404, "not-found");
    let elsewhere = first.page.replace("vercel", "heroku");
    me.get(&elsewhere).await.problem(404, "not-found");
    let elsewhere = first.page.replace("vercel", "fly");
    is_page(&me.get(&elsewhere).await, 400);
    assert_eq!(connections(&world).await, [] as [Value; 0]);
    assert_eq!(waiting(&world).await, 2);
    assert_eq!(
        answer(&world, &me, &first.page, "approve").await.status,
        302
    );
}

async fn the_user_whom_the_page_named_confirms(profile: Profile) {
    let world = start(profile).await;
    let mallory = world.app.account("mallory").await;
    let mallorys = signed_in(&world, &mallory.user).await;
    let arrived = arrive(&world, USER).await;
    // The page named ada, and somebody signed the browser in as mallory meanwhile.
    let changed = browser(&world, &[&mallorys, &arrived.cookie]);
    let asked = answer(&world, &changed, &arrived.page, "approve").await;
    is_page(&asked, 409);
    assert!(asked.text.contains("mallory"), "{}", asked.text);
    assert_eq!(waiting(&world).await, 1);
    let theirs = world.app.client(&mallory.token);
    let theirs = theirs.get("/v1/integrations/connections").await.data(200);
    assert_eq!(theirs["connections"], json!([]));
    assert_eq!(connections(&world).await, [] as [Value; 0]);
}

async fn one_of_many_answers_counts(profile: Profile) {
    let world = start(profile).await;
    let session = signed_in(&world, &world.account.user).await;
    let arrived = arrive(&world, USER).await;
    let me = browser(&world, &[&session, &arrived.cookie]);
    let all = ["approve", "deny", "approve", "deny", "approve"]
        .map(|decision| answer(&world, &me, &arrived.page, decision));
    let answers = join_all(all).await;
    let refused = answers.iter().filter(|answer| answer.status == 400).count();
    assert_eq!(refused, 4);
    let connected = answers.iter().filter(|answer| answer.status == 302).count();
    assert_eq!(connections(&world).await.len(), connected);
    assert_eq!(waiting(&world).await, 0);
}

async fn a_no_forgets_the_token(profile: Profile) {
    let world = start(profile).await;
    let arrived = arrive(&world, USER).await;
    assert_eq!(waiting(&world).await, 1);
    let calls = world.vercel.calls();
    // Nobody has to be signed in for that.
    let me = browser(&world, &[&arrived.cookie]);
    let no = answer(&world, &me, &arrived.page, "deny").await;
    is_page(&no, 200);
    assert!(no.text.contains("Nothing was connected"), "{}", no.text);
    assert!(no.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(waiting(&world).await, 0);
    // The installation may be in use already, and what it wrote would go with it.
    assert_eq!(world.vercel.calls(), calls);
    let session = signed_in(&world, &world.account.user).await;
    let me = browser(&world, &[&session, &arrived.cookie]);
    is_page(&answer(&world, &me, &arrived.page, "approve").await, 400);
    assert_eq!(connections(&world).await, [] as [Value; 0]);
}

async fn it_waits_for_a_quarter_of_an_hour(profile: Profile) {
    let world = start(profile).await;
    let session = signed_in(&world, &world.account.user).await;
    let arrived = arrive(&world, USER).await;
    let me = browser(&world, &[&session, &arrived.cookie]);
    let worker = world.manual_worker().await;
    world.app.advance(TimeDelta::minutes(14));
    worker.prune().await.expect("prunes");
    is_page(&me.get(&arrived.page).await, 200);
    world.app.advance(TimeDelta::minutes(1));
    is_page(&me.get(&arrived.page).await, 400);
    assert_eq!(waiting(&world).await, 1);
    is_page(&answer(&world, &me, &arrived.page, "approve").await, 400);
    worker.prune().await.expect("prunes");
    assert_eq!(waiting(&world).await, 0);
    assert_eq!(connections(&world).await, [] as [Value; 0]);
}

async fn next_is_a_page_of_the_provider_or_nothing(profile: Profile) {
    let world = start(profile).await;
    let session = signed_in(&world, &world.account.user).await;
    for (source, next) in [
        ("marketplace", "https://evil.example/"),
        ("deploy-button", "https://vercel.com/"),
        ("something-new", "javascript:alert(1)"),
    ] {
        let path = added(
            &world,
            "/integrations/keyway/add?source=deploy-button",
            USER,
        )
        .await;
        let (path, _) = path.split_once("&source=").expect("what is exchanged");
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let path = format!("{path}&source={source}&next={next}");
        let arrived = arrived(&world.app.anonymous().get(&path).await);
        let me = browser(&world, &[&session, &arrived.cookie]);
        let page = me.get(&arrived.page).await;
        is_page(&page, 200);
        let policy = page.header("content-security-policy");
        assert!(policy.contains("form-action 'self';"), "{policy}");
        assert!(!page.text.contains("something-new"));
        let done = answer(&world, &me, &arrived.page, "approve").await;
        is_page(&done, 200);
        assert!(done.text.contains("Vercel is connected"), "{}", done.text);
    }
}

async fn a_link_that_is_not_whole_asks_nobody(profile: Profile) {
    let world = start(profile).await;
    let anonymous = world.app.anonymous();
    let calls = world.vercel.calls();
    for query in [
        "code=x",
        "code=x&state=",
        "configurationId=icfg_1",
        "code=&configurationId=icfg_1",
        "code=x&configurationId=icfg_1&state=unknown",
        "code=x&configurationId=icfg_1&error=access_denied",
    ] {
        is_page(&anonymous.get(&format!("{CALLBACK}?{query}")).await, 400);
    }
    assert_eq!(world.vercel.calls(), calls);
    // A code that the provider does not know, and one for another account than the address says.
    let path = format!("{CALLBACK}?code=x&configurationId=icfg_1");
    is_page(&anonymous.get(&path).await, 400);
    let path = added(&world, MARKET, TEAM).await;
    let other = path.replace("configurationId=icfg_", "configurationId=icfg_x");
    is_page(&anonymous.get(&other).await, 400);
    let path = added(&world, MARKET, TEAM).await;
    is_page(&anonymous.get(&path.replace(TEAM, "team_x")).await, 400);
    assert_eq!(waiting(&world).await, 0);
}
