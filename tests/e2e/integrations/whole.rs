//! The whole path once, with the real worker: request → job → provider → answer.

use keyway_simulator::vercel::TOKEN;
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::world::{SYNC, World};

pub(super) async fn start(profile: Profile) -> World {
    let world = World::start_with(profile, |builder| builder.system_time = true).await;
    world.work().await;
    let push = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": { "ONE": "value-one", "TWO": "value-two" } });
    world.me.post("/v1/secrets/push", push).await.data(200);
    world
}

async fn a_vault_is_synced_and_then_in_step(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    let status = me.get(&world.query("status")).await.data(200);
    assert_eq!(status["isFirstSync"], true);
    assert_eq!(status["vaultIsEmpty"], false);
    let preview = me.get(&world.query("preview")).await.data(200);
    assert_eq!(preview["toCreate"], json!(["ONE", "TWO"]));
    assert_eq!(
        (&preview["toUpdate"], &preview["toDelete"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(preview["toSkip"], json!(["VERCEL_URL"]));
    assert_eq!(preview["reasons"]["VERCEL_URL"], "reserved");
    let answer = me.post(SYNC, world.fields()).await;
    assert!(!answer.text.contains("value-one"));
    let report = answer.data(200);
    assert_eq!(report["status"], "success", "{report}");
    assert_eq!(
        (&report["created"], &report["stats"]["total"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(report["redeployRequired"], true);
    let value = |key| world.vercel.value("prj_myapp", key, "production", None);
    assert_eq!(value("ONE").as_deref(), Some("value-one"));

    let preview = me.get(&world.query("preview")).await.data(200);
    assert_eq!(preview["toSkip"], json!(["ONE", "TWO", "VERCEL_URL"]));
    let diff = me.get(&world.query("diff")).await.data(200);
    assert_eq!(diff["same"], json!(["ONE", "TWO"]));
    let status = me.get(&world.query("status")).await.data(200);
    assert_eq!(status["isFirstSync"], false);
    let job = format!(
        "/v1/integrations/jobs/{}",
        report["jobId"].as_str().unwrap_or("?")
    );
    let job = me.get(&job).await.data(200);
    assert_eq!(job["state"], "succeeded");
    assert_eq!(job["result"], report);
    assert_eq!(job["outcomes"].as_array().map(Vec::len), Some(3));
}

async fn failures_have_their_answers(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    let with = |name: &str, value: Value| {
        let mut fields = world.fields();
        fields[name] = value;
        fields
    };
    me.post(SYNC, with("projectId", json!("prj_nothing")))
        .await
        .problem(404, "not-found");
    let unknown = me
        .post(SYNC, with("providerEnvironment", json!("prod")))
        .await;
    let known = "must be one of the project's environments: production, preview, development, \
                 staging";
    unknown.refuses(&["providerEnvironment"]);
    assert_eq!(unknown.json["errors"][0]["message"], known);
    assert_eq!(
        unknown.json["detail"],
        format!("providerEnvironment {known}")
    );
    let jobs = me.get("/v1/integrations/jobs?limit=1").await.data(200);
    assert_eq!(jobs[0]["error"], format!("providerEnvironment {known}."));
    let link = me
        .post(
            &format!("{SYNC}/link"),
            with("providerEnvironment", json!("prod")),
        )
        .await;
    assert_eq!(link.json["errors"], unknown.json["errors"]);
    let mut empty = with("allowDelete", json!(true));
    empty["keywayEnvironment"] = json!("development");
    me.post(SYNC, empty).await.problem(409, "empty-source");
    let path = world.query("preview").replace("prj_myapp", "prj_nothing");
    me.get(&path).await.problem(404, "not-found");
    // One key fails: the report says so, and names it.
    let fault = Action::FailKeys {
        keys: vec!["TWO".to_owned()],
        code: "INVALID_VALUE".to_owned(),
    };
    world.vercel.fault(Fault::next(fault).method("POST"));
    let report = me.post(SYNC, world.fields()).await.data(200);
    assert_eq!(report["status"], "partial", "{report}");
    assert_eq!(report["failures"][0]["key"], "TWO");
    assert!(
        report["error"]
            .as_str()
            .is_some_and(|text| text.contains("TWO"))
    );

    world.vercel.revoke(TOKEN);
    me.post(SYNC, world.fields())
        .await
        .problem(409, "reconnect-required");
    me.get(&world.query("diff"))
        .await
        .problem(409, "reconnect-required");
}

on_both_profiles!(
    a_vault_is_synced_and_then_in_step,
    failures_have_their_answers,
);
