//! Stopping jobs, and running them again.

use std::sync::Arc;

use keyway_shared::domain::account::Scope;
use keyway_shared::domain::job::{ErrorCode, JobState};
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::whole;
use super::world::{SYNC, World, connect};

const JOBS: &str = "/v1/integrations/jobs";

fn path_of(job: &Value) -> String {
    format!("{JOBS}/{}", job["id"].as_str().unwrap_or("?"))
}

/// Asks for a sync and does not wait.
async fn ask(world: &World, fields: Value) -> Value {
    let me = world.me.clone().with("prefer", "respond-async");
    me.post(SYNC, fields).await.data(202)
}

/// What was done with jobs, newest first.
async fn deeds(world: &World) -> Vec<(String, Value)> {
    let entries = world.me.get("/v1/activity").await.data(200);
    let entries = entries.as_array().cloned().unwrap_or_default();
    let jobs = entries.into_iter().filter_map(|entry| {
        let action = entry["action"].as_str()?.to_owned();
        action
            .starts_with("job_")
            .then(|| (action, entry["metadata"]["jobId"].clone()))
    });
    jobs.collect()
}

async fn a_job_that_nobody_runs_ends_at_once(profile: Profile) {
    let world = World::start(profile).await;
    let (answer, cancelled) = tokio::join!(world.me.post(SYNC, world.fields()), async {
        let job = loop {
            let jobs = world.me.get(JOBS).await.data(200);
            if let Some(job) = jobs.get(0) {
                break job.clone();
            }
        };
        let answer = world
            .me
            .post(&format!("{}/cancel", path_of(&job)), json!({}))
            .await;
        assert_eq!(answer.header("location"), path_of(&job));
        answer.data(202)
    });
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(cancelled["errorCode"], "cancelled");
    assert!(cancelled["finishedAt"].is_string());
    // Whoever waited is told.
    let report = answer.data(200);
    assert_eq!(
        (&report["status"], &report["success"], &report["errorCode"]),
        (&json!("error"), &json!(false), &json!("cancelled"))
    );
    assert_eq!(report["jobId"], cancelled["id"]);
    let again = format!("{}/cancel", path_of(&cancelled));
    let problem = world.me.post(&again, json!({})).await;
    problem.problem(409, "conflict");
    assert_eq!(
        deeds(&world).await,
        [("job_cancelled".to_owned(), cancelled["id"].clone())]
    );
}

async fn a_job_behind_another_says_so(profile: Profile) {
    let world = whole::start(profile).await;
    let arrived = Arc::new(Notify::new());
    let seen = Arc::clone(&arrived);
    world.vercel.observe(move |request| {
        if request.method == "POST" {
            seen.notify_one();
        }
    });
    let slow = Fault::next(Action::Delay { milliseconds: 1500 }).method("POST");
    world.vercel.fault(slow);
    let first = ask(&world, world.fields()).await;
    arrived.notified().await;
    let second = ask(&world, world.fields()).await;
    assert_eq!(
        (&second["state"], &second["waitingReason"]),
        (&json!("queued"), &json!("project-busy"))
    );
    let running = world.me.get(&path_of(&first)).await.data(200);
    assert_eq!(running["waitingReason"], json!(null));
    for job in [first, second] {
        let ended = world.ended(&path_of(&job)).await;
        assert_eq!(
            (&ended["state"], &ended["waitingReason"]),
            (&json!("succeeded"), &json!(null))
        );
    }
}

async fn a_running_job_stops_before_its_next_call(profile: Profile) {
    let world = whole::start(profile).await;
    let arrived = Arc::new(Notify::new());
    let seen = Arc::clone(&arrived);
    world.vercel.observe(move |request| {
        if request.method == "POST" {
            seen.notify_one();
        }
    });
    let slow = Fault::next(Action::Delay { milliseconds: 1500 }).method("POST");
    world.vercel.fault(slow);
    let mut fields = world.fields();
    fields["allowDelete"] = json!(true);
    let (answer, ()) = tokio::join!(world.me.post(SYNC, fields), async {
        arrived.notified().await;
        let jobs = world.me.get(JOBS).await.data(200);
        let path = format!("{}/cancel", path_of(&jobs[0]));
        let asked = world.me.post(&path, json!({})).await.data(202);
        assert_eq!(
            (&asked["state"], &asked["cancelRequested"]),
            (&json!("running"), &json!(true))
        );
    });
    // The creates were on their way; the deletes were not begun.
    let report = answer.data(200);
    assert_eq!(
        (&report["status"], &report["errorCode"]),
        (&json!("error"), &json!("cancelled")),
        "{report}"
    );
    assert_eq!(
        (&report["created"], &report["deleted"]),
        (&json!(2), &json!(0))
    );
    let value = |key| world.vercel.value("prj_myapp", key, "production", None);
    assert_eq!(value("ONE").as_deref(), Some("value-one"));
    assert_eq!(value("OLD_FLAG").as_deref(), Some("on"));
    let path = format!("{JOBS}/{}", report["jobId"].as_str().unwrap_or("?"));
    let job = world.me.get(&path).await.data(200);
    assert_eq!(job["state"], "cancelled");
    let done: Vec<_> = job["outcomes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|outcome| (outcome["key"].clone(), outcome["action"].clone()))
        .collect();
    assert_eq!(
        done,
        [
            (json!("ONE"), json!("create")),
            (json!("TWO"), json!("create"))
        ]
    );

    // Once more, and to the end.
    let retried = world.me.post(&format!("{path}/retry"), json!({})).await;
    let retried = retried.data(202);
    assert_eq!(retried["retryOf"], job["id"]);
    let last = world.ended(&path_of(&retried)).await;
    assert_eq!(last["state"], "succeeded", "{last}");
    assert_eq!(value("OLD_FLAG"), None);
    let (_, retries): (Vec<_>, Vec<_>) = deeds(&world)
        .await
        .into_iter()
        .partition(|(action, _)| action == "job_cancelled");
    assert_eq!(retries, [("job_retried".to_owned(), job["id"].clone())]);
}

async fn only_what_has_ended_is_run_again(profile: Profile) {
    let world = World::start(profile).await;
    let asked = ask(&world, world.fields()).await;
    let path = format!("{}/retry", path_of(&asked));
    world
        .me
        .post(&path, json!({}))
        .await
        .problem(409, "conflict");
    let job = world.take().await;
    let why = (ErrorCode::Unavailable, "The provider did not work.");
    world.settle(&job, JobState::Failed, Some(why), None).await;
    let answer = world.me.post(&path, json!({})).await;
    let retried = answer.data(202);
    assert_eq!(answer.header("location"), path_of(&retried));
    assert_eq!(
        (&retried["retryOf"], &retried["state"], &retried["attempt"]),
        (&asked["id"], &json!("queued"), &json!(0))
    );
    let again = world.take().await;
    assert_eq!(
        (again.request, again.project_key),
        (job.request, job.project_key)
    );
    // Reads as well.
    let me = world.me.clone().with("prefer", "respond-async");
    let preview = me.get(&world.query("preview")).await.data(202);
    let job = world.take().await;
    world.settle(&job, JobState::Failed, Some(why), None).await;
    let path = format!("{}/retry", path_of(&preview));
    let retried = world.me.post(&path, json!({})).await.data(202);
    assert_eq!(retried["kind"], "preview");
    // The connection must still be there.
    let connection = format!("/v1/integrations/connections/{}", world.connection);
    world.me.delete(&connection).await.empty();
    world
        .me
        .post(&path, json!({}))
        .await
        .problem(404, "not-found");
}

async fn a_plan_is_not_used_again(profile: Profile) {
    let world = whole::start(profile).await;
    let preview = world.me.get(&world.query("preview")).await.data(200);
    let sync = json!({ "planId": preview["planId"] });
    let report = world.me.post(SYNC, sync).await.data(200);
    let id = report["jobId"].as_str().unwrap_or("?");
    let retry = world
        .me
        .post(&format!("{JOBS}/{id}/retry"), json!({}))
        .await;
    retry.problem(409, "plan-stale");
}

async fn jobs_are_stopped_and_retried_by_those_who_may(profile: Profile) {
    let world = World::start(profile).await;
    let path = path_of(&ask(&world, world.fields()).await);
    let (cancel, retry) = (format!("{path}/cancel"), format!("{path}/retry"));
    let eve = world.app.user("eve").await;
    connect(&eve).await;
    for path in [&cancel, &retry] {
        eve.post(path, json!({})).await.problem(404, "not-found");
    }
    let members = "/v1/vaults/acme/my-app/members";
    let invite = |role: &str| json!({ "username": "eve", "role": role });
    assert!(world.me.post(members, invite("read")).await.status < 300);
    eve.post(&cancel, json!({})).await.problem(403, "forbidden");
    assert!(world.me.post(members, invite("write")).await.status < 300);
    // A key needs what the sync needed.
    let user = &world.account.user;
    let weak = world.app.key(user, &[Scope::WriteSecrets], None).await;
    let weak = world.app.client(&weak.token);
    weak.post(&cancel, json!({}))
        .await
        .problem(403, "forbidden");
    assert_eq!(
        eve.post(&cancel, json!({})).await.data(202)["state"],
        "cancelled"
    );
    weak.post(&retry, json!({})).await.problem(403, "forbidden");
    // The connection is another's.
    eve.post(&retry, json!({})).await.problem(404, "not-found");
    for call in ["cancel", "retry"] {
        let path = format!("{JOBS}/nonsense/{call}");
        eve.post(&path, json!({})).await.problem(404, "not-found");
    }
}

on_both_profiles!(
    a_job_that_nobody_runs_ends_at_once,
    a_running_job_stops_before_its_next_call,
    a_job_behind_another_says_so,
    only_what_has_ended_is_run_again,
    a_plan_is_not_used_again,
    jobs_are_stopped_and_retried_by_those_who_may,
);
