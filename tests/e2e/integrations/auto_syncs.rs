//! Links that sync by themselves, from the call that asks for it to the call that shows it.

use chrono::TimeDelta;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::job::JobClass;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use keyway_worker::ManualWorker;
use serde_json::{Value, json};

use super::world::{SYNC, World, connect, id};

const PROJECT: &str = "prj_myapp";

async fn secrets(world: &World, secrets: Value) {
    let body = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": secrets });
    world.me.post("/v1/secrets/push", body).await.data(200);
}

/// Saves a link that syncs by itself, and gives its address.
async fn link(world: &World, auto_sync: Value) -> String {
    let mut fields = world.fields();
    fields["autoSync"] = auto_sync;
    let saved = world.me.post(&format!("{SYNC}/link"), fields).await;
    format!("{SYNC}/links/{}", id(&saved.data(200)["link"]["id"]))
}

async fn show(world: &World, link: &str) -> Value {
    world.me.get(link).await.data(200)["link"].clone()
}

/// Moves the clock, and runs the one job that is started then. Its document.
async fn run(world: &World, worker: &ManualWorker, after: TimeDelta) -> Value {
    world.app.advance(after);
    worker.schedule().await.expect("schedules");
    let job = world.rung(JobClass::Background).await;
    worker.run(job).await;
    let job = world.me.get(&format!("/v1/integrations/jobs/{job}")).await;
    job.data(200)
}

async fn a_link_follows_its_vault(profile: Profile) {
    let world = World::start(profile).await;
    let worker = world.manual_worker().await;
    secrets(&world, json!({ "A": "1" })).await;
    let link = link(&world, json!({ "mode": "on-change" })).await;
    let job = run(&world, &worker, TimeDelta::seconds(10)).await;
    assert_eq!(
        (&job["state"], &job["class"]),
        (&json!("succeeded"), &json!("background"))
    );
    assert_eq!(
        world
            .vercel
            .value(PROJECT, "A", "production", None)
            .as_deref(),
        Some("1")
    );
    let shown = show(&world, &link).await;
    assert_eq!(shown["lastResult"]["status"], "success");
    assert_eq!(shown["lastResult"]["errorCode"], Value::Null);
    assert_eq!(shown["lastResult"]["jobId"], job["id"]);
    assert!(shown["lastSyncedAt"].is_string() && shown["nextRunAt"].is_string());

    secrets(&world, json!({ "A": "2" })).await;
    run(&world, &worker, TimeDelta::minutes(1)).await;
    assert_eq!(
        world
            .vercel
            .value(PROJECT, "A", "production", None)
            .as_deref(),
        Some("2")
    );
    // Who only pushes again what is there changes nothing, and nothing is synced.
    secrets(&world, json!({ "A": "2" })).await;
    let next = show(&world, &link).await["nextRunAt"].clone();
    world.app.advance(TimeDelta::minutes(1));
    worker.schedule().await.expect("schedules");
    assert_eq!(show(&world, &link).await["nextRunAt"], next);
    let jobs = world.me.get("/v1/integrations/jobs").await.data(200);
    assert_eq!(jobs.as_array().map(Vec::len), Some(2));
}

async fn drift_is_reported_and_healed(profile: Profile) {
    let world = World::start(profile).await;
    let worker = world.manual_worker().await;
    secrets(&world, json!({ "A": "1", "B": "2" })).await;
    let report = json!({ "mode": "interval", "every": "1h", "action": "report" });
    let link = link(&world, report).await;
    let job = run(&world, &worker, TimeDelta::minutes(2)).await;
    assert_eq!(
        (&job["kind"], &job["state"]),
        (&json!("preview"), &json!("succeeded"))
    );
    assert_eq!(job["result"]["planId"], Value::Null);
    let shown = show(&world, &link).await;
    assert_eq!(shown["driftedKeys"], json!(["A", "B"]));
    assert!(shown["lastDriftAt"].is_string());
    assert_eq!(world.vercel.value(PROJECT, "A", "production", None), None);

    let heal = format!("{link}/heal");
    let (healed, ()) = tokio::join!(world.me.post(&heal, json!({})), async {
        let job = world.rung(JobClass::Interactive).await;
        worker.run(job).await;
    });
    let healed = healed.data(200);
    assert_eq!(
        (&healed["status"], &healed["created"]),
        (&json!("success"), &json!(2))
    );
    let shown = show(&world, &link).await;
    assert_eq!(shown["driftedKeys"], json!([]));
    assert_eq!(shown["lastResult"]["jobId"], healed["jobId"]);
    assert_eq!(
        world
            .vercel
            .value(PROJECT, "A", "production", None)
            .as_deref(),
        Some("1")
    );
    run(&world, &worker, TimeDelta::hours(2)).await;
    assert_eq!(show(&world, &link).await["driftedKeys"], json!([]));
}

async fn who_may_heal_is_who_may_sync(profile: Profile) {
    let world = World::start(profile).await;
    let mut fields = world.fields();
    fields["allowDelete"] = json!(true);
    let saved = world.me.post(&format!("{SYNC}/link"), fields).await;
    let link = format!("{SYNC}/links/{}", id(&saved.data(200)["link"]["id"]));
    let heal = format!("{link}/heal");
    let eve = world.app.user("eve").await;
    connect(&eve).await;
    eve.post(&heal, json!({})).await.problem(404, "not-found");
    let invite = json!({ "username": "eve", "role": "write" });
    let members = "/v1/vaults/acme/my-app/members";
    assert!(world.me.post(members, invite).await.status < 300);
    // The connection is another's.
    eve.post(&heal, json!({})).await.problem(403, "forbidden");
    let key = world
        .app
        .key(&world.account.user, &[Scope::ReadSecrets], None)
        .await;
    let reader = world.app.client(&key.token);
    reader
        .post(&heal, json!({}))
        .await
        .problem(403, "forbidden");
    let unknown = format!("{SYNC}/links/{}/heal", world.app.unknown_id());
    world
        .me
        .post(&unknown, json!({}))
        .await
        .problem(404, "not-found");
    let later = world.me.clone().with("prefer", "respond-async");
    let job = later.post(&heal, json!({})).await.data(202);
    assert_eq!(
        (&job["state"], &job["kind"]),
        (&json!("queued"), &json!("sync"))
    );
}

on_both_profiles!(
    a_link_follows_its_vault,
    drift_is_reported_and_healed,
    who_may_heal_is_who_may_sync,
);
