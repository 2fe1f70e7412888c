//! Jobs that are held back.

use keyway_shared::domain::job::JobState;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::whole;
use super::world::{SYNC, World};

const PAUSES: &str = "/v1/operations/pauses";
const JOBS: &str = "/v1/integrations/jobs";

pub(super) async fn promote(world: &World) {
    let mut tx = world.app.store.begin().await.expect("begins");
    let user = world.account.user.id;
    tx.set_operator(user, true).await.expect("an operator");
    tx.commit().await.expect("commits");
}

async fn pause(world: &World, what: Value) -> String {
    let pause = world.me.post(PAUSES, what).await.data(201);
    format!("{PAUSES}/{}", pause["id"].as_str().unwrap_or("?"))
}

async fn paused_jobs_are_accepted_and_go_on_later(profile: Profile) {
    let world = whole::start(profile).await;
    promote(&world).await;
    for what in [json!({}), json!({ "provider": "vercel" })] {
        let pause = pause(&world, what).await;
        world.vercel.reset_calls();
        let answer = world.me.post(SYNC, world.fields()).await;
        let job = answer.data(202);
        assert_eq!(
            (&job["state"], &job["waitingReason"]),
            (&json!("queued"), &json!("paused")),
            "{job}"
        );
        assert!(
            job["error"]
                .as_str()
                .is_some_and(|text| text.contains("paused"))
        );
        // Reads wait as well: the provider is not to be called.
        let preview = world.me.get(&world.query("preview")).await;
        preview.problem(503, "unavailable");
        assert!(!preview.header("location").is_empty());
        assert_eq!(world.vercel.calls(), 0);
        world.me.delete(&pause).await.empty();
        let path = format!("{JOBS}/{}", job["id"].as_str().unwrap_or("?"));
        assert_eq!(world.ended(&path).await["state"], "succeeded");
        let read = world.ended(preview.header("location")).await;
        assert_eq!(read["state"], "succeeded");
    }
}

async fn a_links_owner_pauses_its_syncs(profile: Profile) {
    let world = whole::start(profile).await;
    let link = world.me.post(&format!("{SYNC}/link"), world.fields()).await;
    let link = link.data(200)["link"]["id"].clone();
    let path = format!("{SYNC}/links/{}", link.as_str().unwrap_or("?"));
    let paused = world.me.patch(&path, json!({ "paused": true })).await;
    assert_eq!(paused.data(200)["link"]["paused"], true);
    let job = world.me.post(SYNC, world.fields()).await.data(202);
    assert_eq!(job["waitingReason"], "paused");
    // Looking is allowed, and other pairs are not meant.
    world.me.get(&world.query("preview")).await.data(200);
    let mut other = world.fields();
    other["providerEnvironment"] = json!("preview");
    let report = world.me.post(SYNC, other).await.data(200);
    assert_eq!(report["status"], "success", "{report}");
    world
        .me
        .patch(&path, json!({ "paused": false }))
        .await
        .data(200);
    let job = format!("{JOBS}/{}", job["id"].as_str().unwrap_or("?"));
    assert_eq!(world.ended(&job).await["state"], "succeeded");
}

async fn operators_pause_and_others_do_not(profile: Profile) {
    let world = World::start(profile).await;
    let nothing = format!("{PAUSES}/{}", world.app.unknown_id());
    world.me.get(PAUSES).await.problem(403, "forbidden");
    let refused = world.me.post(PAUSES, json!({})).await;
    refused.problem(403, "forbidden");
    world.me.delete(&nothing).await.problem(403, "forbidden");
    promote(&world).await;
    assert_eq!(world.me.get(PAUSES).await.data(200), json!([]));
    let path = pause(&world, json!({ "provider": "vercel" })).await;
    let again = json!({ "provider": "vercel" });
    world.me.post(PAUSES, again).await.problem(409, "conflict");
    let misspelt = json!({ "providr": "vercel" });
    world.me.post(PAUSES, misspelt).await.refuses(&["providr"]);
    let unknown = json!({ "provider": "heroku" });
    world.me.post(PAUSES, unknown).await.refuses(&["provider"]);
    let listed = world.me.get(PAUSES).await.data(200);
    assert_eq!(listed[0]["provider"], "vercel");
    assert_eq!(listed[0]["userId"], json!(world.account.user.id));
    let ready = world.app.anonymous().get("/readyz").await;
    assert_eq!(ready.json["paused"], json!(["vercel"]), "{}", ready.text);
    world.me.delete(&path).await.empty();
    world.me.delete(&path).await.problem(404, "not-found");
    let ready = world.app.anonymous().get("/readyz").await;
    assert_eq!(ready.json["paused"], json!([]));
    let entries = world.me.get("/v1/activity").await.data(200);
    let deeds: Vec<_> = entries
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["action"].as_str())
        .filter(|action| action.starts_with("jobs_"))
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(deeds, ["jobs_resumed", "jobs_paused"]);
}

async fn a_paused_job_can_be_cancelled(profile: Profile) {
    let world = World::start(profile).await;
    promote(&world).await;
    pause(&world, json!({})).await;
    let me = world.me.clone().with("prefer", "respond-async");
    let job = me.post(SYNC, world.fields()).await.data(202);
    assert_eq!(job["waitingReason"], "paused");
    let path = format!("{JOBS}/{}/cancel", job["id"].as_str().unwrap_or("?"));
    let cancelled = me.post(&path, json!({})).await.data(202);
    assert_eq!(cancelled["state"], JobState::Cancelled.as_str());
    assert_eq!(cancelled["waitingReason"], Value::Null);
}

on_both_profiles!(
    paused_jobs_are_accepted_and_go_on_later,
    a_links_owner_pauses_its_syncs,
    operators_pause_and_others_do_not,
    a_paused_job_can_be_cancelled,
);
