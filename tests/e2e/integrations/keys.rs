//! What jobs and links remember of the key that they were asked for with.

use chrono::TimeDelta;
use keyway_shared::domain::account::Scope;
use keyway_tests::client::Client;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::authority::{JOBS, PROJECT, VAULT, is_gone, run, save_link, scheduled, show_link};
use super::test_keys::test_key;
use super::world::{SYNC, World, id};

on_both_profiles!(
    what_a_test_key_asked_for_stops_at_production,
    a_link_of_a_test_key_stops_at_production,
    a_test_key_ends_nothing_of_production,
    a_revoked_key_ends_what_it_asked_for,
    keys_share_no_job,
);

async fn what_a_test_key_asked_for_stops_at_production(profile: Profile) {
    let world = World::start(profile).await;
    let worker = world.manual_worker().await;
    world.fill("staging", json!({ "A": "1" })).await;
    let tester = test_key(&world).await.with("prefer", "respond-async");
    let fields = || {
        json!({ "connectionId": world.connection, "projectId": PROJECT,
            "keywayEnvironment": "staging", "providerEnvironment": "preview" })
    };
    let asked = tester.post(SYNC, fields()).await;
    let job = id(&asked.data(202)["id"]);
    world.make("staging", "protected").await;
    let calls = world.vercel.calls();
    is_gone(&run(&world, &worker, job).await, "test key");
    assert_eq!(world.vercel.calls(), calls);
    let retry = format!("{JOBS}/{job}/retry");
    tester
        .post(&retry, json!({}))
        .await
        .problem(403, "forbidden");
    // With another key it is another request.
    let mine = world.me.clone().with("prefer", "respond-async");
    let again = mine.post(&retry, json!({})).await.data(202);
    let again = run(&world, &worker, id(&again["id"])).await;
    assert_eq!(again["state"], "succeeded", "{again}");
    // It makes no production either.
    let environments = format!("{VAULT}/environments");
    for answer in [
        tester.post(&environments, json!({ "name": "main" })).await,
        tester
            .patch(
                &format!("{environments}/development/type"),
                json!({ "type": "protected" }),
            )
            .await,
        tester
            .patch(
                &format!("{environments}/production/rules"),
                json!({ "write": "admin" }),
            )
            .await,
    ] {
        answer.problem(403, "forbidden");
    }
}

async fn a_link_of_a_test_key_stops_at_production(profile: Profile) {
    let world = World::start(profile).await;
    let worker = world.manual_worker().await;
    world.fill("staging", json!({ "A": "1" })).await;
    let tester = test_key(&world).await;
    let fields = json!({ "connectionId": world.connection, "projectId": PROJECT,
        "keywayEnvironment": "staging", "providerEnvironment": "preview" });
    let link = save_link(&tester, fields).await;
    let job = scheduled(&world, &worker).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    world.make("staging", "protected").await;
    world.fill("staging", json!({ "A": "2" })).await;
    is_gone(&scheduled(&world, &worker).await, "test key");
    let shown = show_link(&world, &link).await;
    assert_eq!(shown["pausedReason"], "authority-gone");
    tester
        .patch(&link, json!({ "paused": false }))
        .await
        .problem(403, "forbidden");
    // Whoever changes it last is who answers for it.
    world
        .me
        .patch(&link, json!({ "paused": false }))
        .await
        .data(200);
    let job = scheduled(&world, &worker).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(world.at_provider("A", "preview").as_deref(), Some("2"));
}

async fn a_test_key_ends_nothing_of_production(profile: Profile) {
    let world = World::start(profile).await;
    let tester = test_key(&world).await.with("prefer", "respond-async");
    let mine = world.me.clone().with("prefer", "respond-async");
    let fields = |from: &str, to: &str| {
        json!({ "connectionId": world.connection, "projectId": PROJECT,
            "keywayEnvironment": from, "providerEnvironment": to })
    };
    let cancel = |job: &Value| format!("{JOBS}/{}/cancel", id(&job["id"]));
    let staging = mine.post(SYNC, fields("staging", "preview")).await;
    tester
        .post(&cancel(&staging.data(202)), json!({}))
        .await
        .data(202);
    let connection = format!("/v1/integrations/connections/{}", world.connection);
    let reconnect = json!({ "token": keyway_simulator::vercel::TOKEN });
    for (from, to) in [("production", "preview"), ("staging", "production")] {
        let job = mine.post(SYNC, fields(from, to)).await.data(202);
        for answer in [
            tester.post(&cancel(&job), json!({})).await,
            tester.delete(&connection).await,
            tester
                .post("/v1/integrations/vercel/connect", reconnect.clone())
                .await,
        ] {
            let problem = answer.problem(403, "forbidden");
            assert!(
                problem["detail"]
                    .as_str()
                    .is_some_and(|text| text.contains("test key"))
            );
        }
        let left = mine.get(&format!("{JOBS}/{}", id(&job["id"]))).await;
        assert_eq!(left.data(200)["state"], "queued");
        mine.post(&cancel(&job), json!({})).await.data(202);
    }
    // Nor a link's.
    let path = format!("{SYNC}/link");
    let link = world
        .me
        .post(&path, fields("production", "production"))
        .await;
    let link = format!("{SYNC}/links/{}", id(&link.data(200)["link"]["id"]));
    let ticket = "/v1/integrations/vercel/authorize-ticket";
    for answer in [
        tester.delete(&connection).await,
        tester.get("/v1/integrations/vercel/authorize").await,
        tester.post(ticket, json!({})).await,
    ] {
        answer.problem(403, "forbidden");
    }
    world.me.delete(&link).await.empty();
    let live = format!("/v1/api-keys/{}", world.account.key.id);
    let mut tx = world.app.store.begin().await.expect("begins");
    tx.set_operator(world.account.user.id, true)
        .await
        .expect("an operator");
    tx.commit().await.expect("commits");
    let hook = json!({ "url": "https://hooks.example.com/x", "events": ["sync.failed"] });
    let hooks = format!("{VAULT}/webhooks");
    let made = world.me.post(&hooks, hook.clone()).await.data(201);
    let made = format!("{hooks}/{}", id(&made["webhook"]["id"]));
    for answer in [
        tester.delete(&live).await,
        tester.post("/v1/operations/pauses", json!({})).await,
        tester.post(&hooks, hook).await,
        tester.delete(&made).await,
    ] {
        let problem = answer.problem(403, "forbidden");
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|text| text.contains("test key"))
        );
    }
    world.me.get(&made).await.data(200);
    // What nothing of production uses is its own to end.
    tester
        .post("/v1/integrations/vercel/connect", reconnect)
        .await
        .data(200);
    tester.post(ticket, json!({})).await.data(200);
    tester.delete(&connection).await.empty();
}

async fn a_revoked_key_ends_what_it_asked_for(profile: Profile) {
    let world = World::start(profile).await;
    let worker = world.manual_worker().await;
    world.fill("production", json!({ "NEW": "1" })).await;
    let user = &world.account.user;
    let lasting = world.app.key(user, Scope::ALL, None).await;
    let short = Some(TimeDelta::hours(1));
    let ending = world.app.key(user, Scope::ALL, short).await;
    for (key, ends) in [(&lasting, false), (&ending, true)] {
        let client = world.app.client(&key.token).with("prefer", "respond-async");
        let asked = client.post(SYNC, world.fields()).await;
        let job = id(&asked.data(202)["id"]);
        if ends {
            world.app.advance(TimeDelta::hours(2));
        } else {
            let path = format!("/v1/api-keys/{}", key.key.id);
            world.me.delete(&path).await.empty();
        }
        let calls = world.vercel.calls();
        is_gone(&run(&world, &worker, job).await, "API key");
        assert_eq!(world.vercel.calls(), calls);
    }
    assert_eq!(world.at_provider("NEW", "production"), None);
    // A link is its owner's, and goes on without the key that it was saved with.
    let key = world.app.key(user, Scope::ALL, None).await;
    save_link(&world.app.client(&key.token), world.fields()).await;
    let path = format!("/v1/api-keys/{}", key.key.id);
    world.me.delete(&path).await.empty();
    let job = scheduled(&world, &worker).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(world.at_provider("NEW", "production").as_deref(), Some("1"));
}

async fn keys_share_no_job(profile: Profile) {
    let world = World::start(profile).await;
    let fields = || {
        json!({ "connectionId": world.connection, "projectId": PROJECT,
            "keywayEnvironment": "staging", "providerEnvironment": "preview" })
    };
    let tester = test_key(&world).await.with("prefer", "respond-async");
    let mine = world.me.clone().with("prefer", "respond-async");
    let job = async |client: &Client| id(&client.post(SYNC, fields()).await.data(202)["id"]);
    let (theirs, ours) = (job(&tester).await, job(&mine).await);
    assert_ne!(
        theirs, ours,
        "one of them may be stopped where the other goes on"
    );
    assert_eq!(job(&tester).await, theirs);
    assert_eq!(job(&mine).await, ours);
}
