//! Equal syncs that come before the first of them has started.

use keyway_shared::domain::job::JobState;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::json;

use super::world::{SYNC, World};

const JOBS: &str = "/v1/integrations/jobs";

async fn two_at_once_are_one_job_and_both_are_answered(profile: Profile) {
    let world = World::start(profile).await;
    // Of two API processes, where there can be two.
    let elsewhere = world.app.another().await.client(&world.account.token);
    let (here, there, ()) = tokio::join!(
        world.me.post(SYNC, world.fields()),
        elsewhere.post(SYNC, world.fields()),
        async {
            let requests = || async {
                let jobs = world.me.get(JOBS).await;
                jobs.data(200)[0]["requests"].as_i64()
            };
            while requests().await != Some(2) {}
            let jobs = world.me.get(JOBS).await.data(200);
            assert_eq!(jobs.as_array().map(Vec::len), Some(1), "{jobs}");
            let job = world.take().await;
            let result = json!({ "status": "success", "jobId": job.id });
            world
                .settle(&job, JobState::Succeeded, None, Some(result))
                .await;
        }
    );
    assert_eq!(here.data(200), there.data(200));
    // The next one looks anew.
    let me = world.me.clone().with("prefer", "respond-async");
    let next = me.post(SYNC, world.fields()).await.data(202);
    assert_ne!(next["id"], here.data(200)["jobId"]);
    assert_eq!(next["requests"], 1);
}

async fn what_runs_or_differs_is_not_joined(profile: Profile) {
    let world = World::start(profile).await;
    let me = world.me.clone().with("prefer", "respond-async");
    let first = me.post(SYNC, world.fields()).await.data(202);
    let mut other = world.fields();
    other["verify"] = json!(true);
    let verified = me.post(SYNC, other).await.data(202);
    assert_ne!(verified["id"], first["id"]);
    world.take().await;
    let second = me.post(SYNC, world.fields()).await.data(202);
    assert_ne!(second["id"], first["id"], "the first runs");
    let third = me.post(SYNC, world.fields()).await.data(202);
    assert_eq!(third["id"], second["id"]);
    // What is joined is authorised before.
    let weak = world.app.key(&world.account.user, &[], None).await;
    let weak = world.app.client(&weak.token);
    weak.post(SYNC, world.fields())
        .await
        .problem(403, "forbidden");
}

async fn each_cancel_takes_one_request_back(profile: Profile) {
    let world = World::start(profile).await;
    let me = world.me.clone().with("prefer", "respond-async");
    let first = me.post(SYNC, world.fields()).await.data(202);
    me.post(SYNC, world.fields()).await.data(202);
    let cancel = format!("{JOBS}/{}/cancel", first["id"].as_str().unwrap_or("?"));
    let detached = me.post(&cancel, json!({})).await.data(202);
    assert_eq!(
        (&detached["state"], &detached["requests"]),
        (&json!("queued"), &json!(1))
    );
    let ended = me.post(&cancel, json!({})).await.data(202);
    assert_eq!(ended["state"], "cancelled");
}

async fn an_equal_request_with_the_same_plan_joins(profile: Profile) {
    let world = World::start_with(profile, |builder| builder.system_time = true).await;
    world.work().await;
    let preview = world.me.get(&world.query("preview")).await.data(200);
    let sync = json!({ "planId": preview["planId"] });
    // One uses the plan; the other joins it, or comes too late.
    let (one, two) = tokio::join!(
        world.me.post(SYNC, sync.clone()),
        world.me.post(SYNC, sync.clone())
    );
    let done: Vec<_> = [&one, &two]
        .into_iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert!(!done.is_empty(), "{} {}", one.text, two.text);
    for answer in [&one, &two] {
        if answer.status == 200 {
            assert_eq!(answer.json["data"]["jobId"], done[0].json["data"]["jobId"]);
        } else {
            answer.problem(409, "plan-stale");
        }
    }
}

on_both_profiles!(
    two_at_once_are_one_job_and_both_are_answered,
    what_runs_or_differs_is_not_joined,
    each_cancel_takes_one_request_back,
    an_equal_request_with_the_same_plan_joins,
);
