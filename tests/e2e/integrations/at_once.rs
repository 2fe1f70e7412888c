//! What a caller may have open at once.

use keyway_api::ApiOptions;
use keyway_shared::domain::job::{ErrorCode, JobState};
use keyway_tests::client::Client;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::world::{SYNC, World};

async fn start(profile: Profile, options: ApiOptions) -> World {
    World::start_with(profile, |builder| {
        builder.options = options;
    })
    .await
}

async fn jobs(world: &World) -> Value {
    let list = world.me.get("/v1/integrations/jobs").await;
    list.data(200);
    list.json["meta"]["pagination"]["total"].clone()
}

/// The text of a refusal.
async fn refused(client: &Client, path: &str) -> String {
    let answer = client.get(path).await;
    let problem = answer.problem(429, "rate-limited");
    assert_eq!(answer.header("retry-after"), "5");
    problem["detail"].as_str().unwrap_or_default().to_owned()
}

async fn a_credential_has_so_many_waits_at_once(profile: Profile) {
    let options = ApiOptions {
        waits: Some(2),
        ..ApiOptions::default()
    };
    let world = start(profile, options).await;
    let patient = world.me.clone().with("prefer", "wait=120");
    let mut waiting = Vec::new();
    let mut taken = Vec::new();
    for _ in 0..2 {
        let (client, path) = (patient.clone(), world.query("preview"));
        let asking = async move { client.get(&path).await };
        waiting.push(world.app.lifecycle.tracker.spawn(asking));
        taken.push(world.take().await);
    }
    let rule = "At most 2 requests of one credential wait for jobs at once. End some, or send Prefer: \
                respond-async.";
    assert_eq!(refused(&patient, &world.query("preview")).await, rule);
    let sync = patient.post(SYNC, world.fields()).await;
    sync.problem(429, "rate-limited");
    if profile == Profile::Production {
        let elsewhere = world.app.another().await.client(&world.account.token);
        assert_eq!(refused(&elsewhere, &world.query("diff")).await, rule);
    }
    // What was refused has made no job; who does not wait is not held up; nor is another credential.
    assert_eq!(jobs(&world).await, 2);
    let at_once = world.me.clone().with("prefer", "respond-async");
    at_once.get(&world.query("preview")).await.data(202);
    let other = world.app.session(&world.account.user).await.1;
    let other = world.app.client(&other).with("prefer", "wait=1");
    other.get(&world.query("preview")).await.data(202);

    let report = json!({ "toCreate": [] });
    for job in &taken {
        let ended = Some(report.clone());
        world.settle(job, JobState::Succeeded, None, ended).await;
    }
    for request in waiting {
        assert_eq!(request.await.expect("an answer").data(200), report);
    }
    // Both are free again, in a moment.
    let short = world.me.clone().with("prefer", "wait=1");
    while short.get(&world.query("preview")).await.status == 429 {}
}

async fn a_credential_has_so_many_streams_at_once(profile: Profile) {
    let options = ApiOptions {
        streams: Some(1),
        all_streams: Some(4),
        ..ApiOptions::default()
    };
    let world = start(profile, options).await;
    let at_once = world.me.clone().with("prefer", "respond-async");
    let job = at_once.post(SYNC, world.fields()).await.data(202);
    let path = format!(
        "/v1/integrations/jobs/{}/events",
        job["id"].as_str().unwrap()
    );
    let mut first = world.me.events(&path).await;
    assert!(first.next().await.is_some());
    let rule = "At most 1 streams of one credential are open at once. End some.";
    assert_eq!(refused(&world.me, &path).await, rule);

    // More credentials do not give one user all of a process.
    let session = async || {
        let token = world.app.session(&world.account.user).await.1;
        world.app.client(&token)
    };
    let mut second = session().await.events(&path).await;
    assert!(second.next().await.is_some());
    let rule = "At most 2 streams of one user are open in this process. End some.";
    assert_eq!(refused(&session().await, &path).await, rule);
    let mut more = Vec::new();
    for name in ["eve", "kim", "zoe"] {
        let user = world.app.user(name).await;
        let invite = json!({ "username": name, "role": "read" });
        let members = "/v1/vaults/acme/my-app/members";
        world.me.post(members, invite).await.data(201);
        if name == "zoe" {
            let rule = "At most 4 streams are open in this process.";
            assert_eq!(refused(&user, &path).await, rule);
        } else {
            let mut stream = user.events(&path).await;
            assert!(stream.next().await.is_some());
            more.push(stream);
        }
    }
    if profile == Profile::Production {
        // The credential's own are those of all processes.
        let elsewhere = world.app.another().await;
        let own = refused(&elsewhere.client(&world.account.token), &path).await;
        assert!(own.contains("of one credential"), "{own}");
    }
    // What has ended is told at once, and every stream of it ends: then there is room, in a moment.
    let job = world.take().await;
    let why = (ErrorCode::NotFound, "There is no such project.");
    world.settle(&job, JobState::Failed, Some(why), None).await;
    while first.next().await.is_some() {}
    while world.me.get(&path).await.status == 429 {}
}

on_both_profiles!(
    a_credential_has_so_many_waits_at_once,
    a_credential_has_so_many_streams_at_once,
);
