//! What Vercel tells by itself, signed by the stand-in.

use chrono::TimeDelta;
use keyway_simulator::vercel::{SIGNATURE, Signed};
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{SYNC, World};

const CONNECTIONS: &str = "/v1/integrations/connections";

async fn status(world: &World) -> Value {
    let listed = world.me.get(CONNECTIONS).await.data(200);
    listed["connections"][0]["status"].clone()
}

fn removed(world: &World, event: &str, installation: &str) -> Signed {
    let at = world.app.ambient.now().timestamp_millis();
    world.vercel.removed_event(event, installation, at)
}

async fn a_removed_installation_ends_its_connection_and_what_waits(profile: Profile) {
    let world = World::start(profile).await;
    let installation = world.install().await;
    let worker = world.manual_worker().await;
    let body = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": { "A": "1" } });
    world.me.post("/v1/secrets/push", body).await.data(200);
    // A job that waits for an hour, as the provider has asked.
    let limited = Action::Respond {
        status: 429,
        headers: [("retry-after".to_owned(), "3600".to_owned())].into(),
        body: String::new(),
    };
    world.vercel.fault(Fault::next(limited));
    let asynchronous = world.me.clone().with("prefer", "respond-async");
    let accepted = asynchronous.post(SYNC, world.fields()).await.data(202);
    let path = format!(
        "/v1/integrations/jobs/{}",
        accepted["id"].as_str().expect("an id")
    );
    let job = super::world::id(&accepted["id"]);
    worker.run(job).await;
    assert_eq!(world.me.get(&path).await.data(200)["state"], "waiting");
    worker.run(job).await;
    assert_eq!(world.me.get(&path).await.data(200)["state"], "waiting");

    world.vercel.uninstall(&installation);
    world.vercel.reset_calls();
    let notice = removed(&world, "evt_1", &installation);
    world.notice(&notice).await.empty();
    assert_eq!(status(&world).await, "needs-reconnect");
    worker.run(job).await;
    let ended = world.me.get(&path).await.data(200);
    assert_eq!(ended["state"], "failed");
    assert_eq!(ended["errorCode"], "reconnect-required");
    // Nobody had to ask the provider.
    assert_eq!(world.vercel.calls(), 0);
    world
        .me
        .post(SYNC, world.fields())
        .await
        .problem(409, "reconnect-required");
}

async fn a_notice_counts_once(profile: Profile) {
    let world = World::start(profile).await;
    let installation = world.install().await;
    let (token, _) = world.vercel.install();
    let first = removed(&world, "evt_1", &installation);
    world.notice(&first).await.empty();
    assert_eq!(status(&world).await, "needs-reconnect");
    // Connected again: what was heard before does not end that.
    world.connect_installation(&installation, &token).await;
    world.notice(&first).await.empty();
    assert_eq!(status(&world).await, "active");
    // Neither does it once nobody remembers that it was heard.
    world.app.advance(TimeDelta::days(15));
    world.manual_worker().await.prune().await.expect("prunes");
    world.notice(&first).await.empty();
    assert_eq!(status(&world).await, "active");
    let second = removed(&world, "evt_2", &installation);
    world.notice(&second).await.empty();
    assert_eq!(status(&world).await, "needs-reconnect");
}

async fn the_same_notice_many_times_at_once_is_one(profile: Profile) {
    let world = World::start(profile).await;
    let installation = world.install().await;
    let notice = removed(&world, "evt_1", &installation);
    let answers = (0..8).map(|_| world.notice(&notice));
    for answer in futures::future::join_all(answers).await {
        answer.empty();
    }
    assert_eq!(status(&world).await, "needs-reconnect");
}

async fn only_the_provider_is_heard(profile: Profile) {
    let world = World::start(profile).await;
    let installation = world.install().await;
    let notice = removed(&world, "evt_1", &installation);
    let signed = |signature: &str, body: &str| Signed {
        body: body.to_owned(),
        signature: signature.to_owned(),
    };
    let other = removed(&world, "evt_2", "icfg_other").signature;
    let (right, body) = (notice.signature.as_str(), notice.body.as_str());
    let mut problems = Vec::new();
    for bad in [
        signed(&other, body),
        signed(&right[..20], body),
        signed("", body),
        signed("no hex", body),
        signed(right, &format!("{body} ")),
        signed(right, &body.replace("evt_1", "evt_3")),
        signed(right, ""),
    ] {
        let answer = world.notice(&bad).await;
        answer.problem(401, "unauthorized");
        problems.push(answer.json["detail"].clone());
    }
    let bare = world
        .app
        .anonymous()
        .with("content-type", "application/json");
    let path = "/v1/integrations/vercel/webhook";
    let sent = Some(body.as_bytes().to_vec());
    let answer = bare.send(Method::POST, path, sent.clone()).await;
    answer.problem(401, "unauthorized");
    problems.push(answer.json["detail"].clone());
    // None of them says what was wrong.
    problems.dedup();
    assert_eq!(problems.len(), 1);
    assert_eq!(status(&world).await, "active");
    // A caller with a key is not the provider either.
    let answer = world.me.clone().with("content-type", "application/json");
    let answer = answer.send(Method::POST, path, sent).await;
    answer.problem(401, "unauthorized");
    world.notice(&notice).await.empty();
    assert_eq!(status(&world).await, "needs-reconnect");
}

async fn what_does_not_concern_us_changes_nothing(profile: Profile) {
    let world = World::start(profile).await;
    let installation = world.install().await;
    let of = |body: Value| Signed::new(body.to_string());
    let at = world.app.ambient.now().timestamp_millis();
    let project = json!({ "id": "evt_1", "type": "project.created", "createdAt": at,
        "payload": { "project": { "id": "prj_1" } } });
    let upgraded = json!({ "id": "evt_2", "createdAt": at,
        "type": "integration-configuration.permission-upgraded",
        "payload": { "configuration": { "id": installation } } });
    let unknown = removed(&world, "evt_3", "icfg_of_somebody_else");
    for notice in [of(project), of(upgraded), unknown] {
        world.notice(&notice).await.empty();
    }
    let kind = "integration-configuration.removed";
    for odd in [
        json!({}),
        json!([]),
        json!({ "id": "evt_4", "type": kind, "createdAt": at, "payload": {} }),
        json!({ "id": "", "type": kind, "createdAt": at,
            "payload": { "configuration": { "id": installation } } }),
        json!({ "id": "evt_5", "type": kind,
            "payload": { "configuration": { "id": installation } } }),
        json!({ "id": "evt_6", "type": kind, "createdAt": i64::MAX,
            "payload": { "configuration": { "id": installation } } }),
    ] {
        world.notice(&of(odd)).await.problem(400, "bad-request");
    }
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let deep = Signed::new(deep);
    world.notice(&deep).await.problem(400, "bad-request");
    assert_eq!(status(&world).await, "active");
}

async fn it_is_there_where_it_can_be_checked(profile: Profile) {
    let world = World::start_with(profile, |builder| {
        builder.providers.vercel.client_secret = None;
        builder.options.max_body = 10_000;
    })
    .await;
    let notice = removed(&world, "evt_1", "icfg_1");
    world.notice(&notice).await.problem(404, "not-found");
    let long = Signed::new("x".repeat(20_000));
    world.notice(&long).await.problem(413, "payload-too-large");
    let signed = world.app.anonymous().with(SIGNATURE, &notice.signature);
    for provider in ["railway", "heroku"] {
        let path = format!("/v1/integrations/{provider}/webhook");
        let answer = signed.post(&path, json!({})).await;
        answer.problem(404, "not-found");
    }
}

on_both_profiles!(
    a_removed_installation_ends_its_connection_and_what_waits,
    a_notice_counts_once,
    the_same_notice_many_times_at_once_is_one,
    only_the_provider_is_heard,
    what_does_not_concern_us_changes_nothing,
    it_is_there_where_it_can_be_checked,
);
