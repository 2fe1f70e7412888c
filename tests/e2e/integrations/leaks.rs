//! Secrets, tokens and keys stay where they belong: planted ones are looked for in everything that
//! a run leaves behind.

use std::io::Write;

use futures::StreamExt;
use keyway_shared::telemetry::LogFormat;
use keyway_simulator::vercel::{CLIENT_SECRET, EnvSeed, TOKEN};
use keyway_simulator::{Action, Fault};
use keyway_tests::app::TestApp;
use keyway_tests::client::Answer;
use keyway_tests::database::{Profile, TEST_RING, redis_url};
use keyway_tests::leaks::{Sink, find, log};
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::world::{SYNC, World, id};

on_both_profiles!(
    planted_values_are_found_nowhere,
    a_planted_value_is_found_in_each_place,
);

const ONE: &str = "canary-one-5c1f0b7a";
const TWO: &str = "canary-two-93d2e640";
const REMOTE: &str = "canary-remote-1b77c3f8";
const BAD_TOKEN: &str = "canary-token-40fe2d19";
const BAD_KEY: &str = "kw_live_canarycanarycanarycanarycanarycanary1234";
/// How the tokens begin that the stand-in gives for a code.
const OAUTH_TOKEN: &str = "vci_simulated";
const PROJECT: &str = "prj_myapp";

/// Everything that anybody tells Redis from here on.
async fn monitor(world: &World) -> Sink {
    let sink = Sink::default();
    let client = redis::Client::open(redis_url()).expect("an address");
    let monitor = client.get_async_monitor().await.expect("Redis answers");
    let mut commands = monitor.into_on_message::<String>();
    let mut to = sink.clone();
    world.app.lifecycle.tracker.spawn(async move {
        while let Some(command) = commands.next().await {
            writeln!(to, "{command}").unwrap_or_default();
        }
    });
    sink
}

async fn planted_values_are_found_nowhere(profile: Profile) {
    // Of all crates at the lowest level: what `KEYWAY_LOG=trace` shows.
    let format = match profile {
        Profile::Embedded => LogFormat::Text,
        Profile::Production => LogFormat::Json,
    };
    let logged = log("trace", format);
    let world = World::start_with(profile, |builder| builder.system_time = true).await;
    let told_redis = match profile {
        Profile::Embedded => None,
        Profile::Production => Some(monitor(&world).await),
    };
    world.work().await;
    let answers = use_everything(&world).await;

    let metrics = world.app.anonymous().get("/metrics").await;
    assert!(metrics.text.contains("http_requests_total"));
    let stored = world.app.database.dump().await;
    // Each of them holds what it should, so that finding nothing means something.
    assert!(stored.contains("secrets_synced") && stored.contains("CANARY_ONE"));
    let logged = logged.text();
    for part in ["TRACE", "keyway_api", "keyway_worker", "sqlx", "hyper"] {
        assert!(logged.contains(part), "{part} logs nothing");
    }
    let mut places = vec![
        ("the log", logged),
        ("the metrics", metrics.text),
        ("the database", stored),
        ("an answer", answers.join("\n")),
    ];
    if let Some(told_redis) = told_redis {
        assert!(told_redis.text().contains("kwtest:"));
        places.push(("Redis", told_redis.text()));
    }
    let (_, ring_key) = TEST_RING.split_once(':').expect("id:key");
    let token = world.account.token.as_str();
    let canaries = [
        ONE,
        TWO,
        REMOTE,
        BAD_TOKEN,
        BAD_KEY,
        TOKEN,
        CLIENT_SECRET,
        OAUTH_TOKEN,
        ring_key,
        token,
    ];
    let places: Vec<_> = places
        .into_iter()
        .map(|(place, text)| (place.to_owned(), text))
        .collect();
    let leaks = find(&canaries.map(ToOwned::to_owned).into(), &places);
    assert_eq!(leaks, []);
}

/// What every other test relies on: that what it leaves behind is looked at.
async fn a_planted_value_is_found_in_each_place(profile: Profile) {
    const PLANTED: &str = "planted-8d41c07e";
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    ada.post("/v1/vaults", json!({ "repoFullName": "acme/web" }))
        .await
        .data(201);
    let secret = json!({ "key": "A", "value": PLANTED, "environment": "staging" });
    ada.post("/v1/vaults/acme/web/secrets", secret)
        .await
        .data(201);
    let secrets = ada.get("/v1/vaults/acme/web/secrets").await.data(200);
    let value = format!(
        "/v1/vaults/acme/web/secrets/{}/value",
        id(&secrets[0]["id"])
    );
    // This answer is where it belongs.
    assert!(ada.get(&value).await.text.contains(PLANTED));
    assert_eq!(app.leaks().await, []);

    tracing::debug!(value = PLANTED, "a log line that says too much");
    let panicking = async { panic!("{PLANTED} in a panic") };
    let panicked = app.lifecycle.tracker.spawn(panicking).await;
    assert!(panicked.is_err());
    let sql = format!("UPDATE users SET username = '{PLANTED}'");
    app.database.execute(&sql).await;
    let mut expected = vec!["the log", "the database"];
    if profile == Profile::Production {
        app.queue.limits().count(PLANTED, 5, 0).await;
        expected.push("Redis");
    }
    // As another would see it.
    ada.get("/v1/users/me").await.data(200);
    expected.push("an answer of get_me");
    let leaks = app.leaks().await;
    let places: Vec<_> = leaks.iter().map(|leak| leak.place.as_str()).collect();
    assert_eq!(places, expected, "{leaks:?}");
    assert!(leaks.iter().all(|leak| leak.planted == PLANTED));
    app.do_not_look();
}

/// Connects by OAuth, with the test as the browser.
async fn authorise(world: &World) -> Answer {
    let begun = world.me.get("/v1/integrations/vercel/authorize").await;
    let page = begun.header("location").to_owned();
    let path = page.strip_prefix(&world.vercel.url()).expect("its page");
    let callback = "/v1/integrations/vercel/callback";
    let back = world.through_the_provider(path, callback).await;
    let back = back.strip_prefix(&world.app.url()).expect("our callback");
    let cookie = begun.header("set-cookie").split(';').next();
    let browser = world.app.anonymous();
    let browser = browser.with("cookie", cookie.unwrap_or_default());
    browser.get(back).await
}

/// Every kind of job, to every kind of end, and requests that are refused. Gives the answers.
async fn use_everything(world: &World) -> Vec<String> {
    let me = &world.me;
    let mut answers = Vec::new();
    let mut note = |answer: Answer, status: u16| {
        assert_eq!(answer.status, status, "{}", answer.text);
        let headers = format!("{:?}", answer.headers);
        answers.extend([answer.text, headers]);
        answer.json["data"].clone()
    };
    let connect = "/v1/integrations/vercel/connect";
    note(authorise(world).await, 200);
    note(me.post(connect, json!({ "token": TOKEN })).await, 200);
    note(me.post(connect, json!({ "token": BAD_TOKEN })).await, 400);
    note(me.post(connect, json!({ "token": [BAD_TOKEN] })).await, 422);
    let stranger = world.app.client(BAD_KEY);
    note(stranger.get("/v1/vaults").await, 401);

    let push = |secrets: Value| {
        let mut body = json!({ "repoFullName": "acme/my-app", "environment": "production" });
        body["secrets"] = secrets;
        me.post("/v1/secrets/push", body)
    };
    let both = json!({ "CANARY_ONE": ONE, "CANARY_TWO": TWO });
    note(push(both.clone()).await, 200);
    note(push(json!(ONE)).await, 422);
    note(push(json!({ "CANARY_ONE": [ONE] })).await, 422);
    let one = json!({ "key": "CANARY_ONE", "value": { "is": ONE }, "environment": "production" });
    note(me.post("/v1/vaults/acme/my-app/secrets", one).await, 422);
    note(me.get(&format!("/v1/vaults?limit={ONE}")).await, 422);

    note(me.get(&world.query("status")).await, 200);
    note(me.get(&world.query("preview")).await, 200);
    // The provider repeats values: for one key, for all of them, in an answer that is none, and in
    // one that breaks off.
    let says = format!("{ONE} {TWO} {TOKEN}");
    let fail = Action::FailKeys {
        keys: vec!["CANARY_TWO".to_owned()],
        code: "INVALID_VALUE".to_owned(),
    };
    let refuse = json!({ "error": { "code": &says, "message": &says, "key": &says } });
    let broken = Action::Respond {
        status: 201,
        headers: [("x-says".to_owned(), says.clone())].into(),
        body: format!("{{\"created\":[{{\"value\":\"{says}"),
    };
    for (fault, status) in [
        (fail, "partial"),
        (Action::json(400, &refuse), "error"),
        (broken, "success"),
        (Action::TruncateBody, "success"),
    ] {
        let mut hit = Fault::next(fault).method("POST");
        hit.times = if status == "success" { 1 } else { 5 };
        world.vercel.fault(hit);
        let report = note(me.post(SYNC, world.fields()).await, 200);
        assert_eq!(report["status"], status, "{report}");
        world.vercel.clear_faults();
        note(push(json!({ "CANARY_ONE": format!("{ONE}-2") })).await, 200);
        note(push(both.clone()).await, 200);
    }
    let lists = Action::json(500, &refuse);
    world.vercel.fault(Fault::next(lists).method("GET"));
    note(me.get(&world.query("diff")).await, 200);
    let report = note(me.post(SYNC, world.fields()).await, 200);
    assert_eq!(report["status"], "success", "{report}");

    let seed = EnvSeed::new("CANARY_REMOTE", REMOTE, &["production"]);
    world.vercel.add_env(PROJECT, &seed);
    let mut pull = world.fields();
    pull["direction"] = json!("pull");
    let report = note(me.post(SYNC, pull).await, 200);
    assert_eq!(report["status"], "success", "{report}");
    // This answer is where values belong.
    let text = me
        .get("/v1/secrets/pull?repo=acme/my-app&environment=production")
        .await
        .text;
    assert!(text.contains(ONE) && text.contains(REMOTE), "{text}");

    note(me.get(&format!("{SYNC}/links")).await, 200);
    note(me.get("/v1/activity?limit=100").await, 200);
    let jobs = note(me.get("/v1/integrations/jobs?limit=100").await, 200);
    for job in jobs.as_array().into_iter().flatten() {
        let id = job["id"].as_str().unwrap_or_default();
        note(me.get(&format!("/v1/integrations/jobs/{id}")).await, 200);
    }
    world.vercel.revoke(TOKEN);
    note(me.post(SYNC, world.fields()).await, 409);
    answers
}
