//! Plans that a preview shows and that a sync carries out exactly or not at all.

use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::whole::start;
use super::world::{SYNC, World};

async fn preview(world: &World, more: &str) -> Value {
    let path = format!("{}{more}", world.query("preview"));
    world.me.get(&path).await.data(200)
}

async fn push(world: &World, secrets: Value) {
    let push = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": secrets });
    world.me.post("/v1/secrets/push", push).await.data(200);
}

async fn a_sync_does_exactly_what_the_plan_says(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    let preview = preview(&world, "&include=ONE&verify=true").await;
    assert_eq!(preview["toCreate"], json!(["ONE"]));
    assert_eq!(preview["warnings"], json!([]));
    assert!(preview["planExpiresAt"].is_string());
    assert!(!preview.to_string().contains("value-one"));
    let plan = &preview["planId"];

    // What agrees may be said again; what does not is named, and the plan is still good.
    let different = json!({ "planId": plan, "connectionId": world.connection, "prefix": "O",
        "direction": "pull", "include": ["ONE"], "allowDelete": true });
    me.post(SYNC, different)
        .await
        .refuses(&["direction", "allowDelete", "prefix"]);
    let agreeing = json!({ "planId": plan, "connectionId": world.connection, "direction": "push",
        "include": ["ONE"], "verify": true });
    let report = me.post(SYNC, agreeing).await.data(200);
    assert_eq!(report["status"], "success", "{report}");
    assert_eq!(report["created"], 1);
    let value = |key| world.vercel.value("prj_myapp", key, "production", None);
    assert_eq!(value("ONE").as_deref(), Some("value-one"));
    assert_eq!(value("TWO"), None);
    // Once.
    me.post(SYNC, json!({ "planId": plan }))
        .await
        .problem(409, "plan-stale");
}

async fn a_plan_that_does_not_hold_any_more_writes_nothing(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    let calls = || world.vercel.requests().len();
    let ours = preview(&world, "").await;
    push(&world, json!({ "ONE": "changed", "TWO": "value-two" })).await;
    let theirs = preview(&world, "").await;
    let before = world.vercel.snapshot("prj_myapp");
    let stale = me.post(SYNC, json!({ "planId": ours["planId"] })).await;
    assert!(stale.text.contains("ONE") && !stale.text.contains("TWO"));
    assert!(!stale.text.contains("changed\""), "{}", stale.text);
    stale.problem(409, "plan-stale");
    let seed = keyway_simulator::vercel::EnvSeed::new("TWO", "2", &["production"]);
    world.vercel.add_env("prj_myapp", &seed);
    let mut before_edit = before;
    before_edit = {
        let now = world.vercel.snapshot("prj_myapp");
        assert_ne!(now, before_edit);
        now
    };
    let seen = calls();
    let stale = me.post(SYNC, json!({ "planId": theirs["planId"] })).await;
    assert!(stale.text.contains("TWO") && !stale.text.contains("ONE"));
    stale.problem(409, "plan-stale");
    assert_eq!(world.vercel.snapshot("prj_myapp"), before_edit);
    // It looked, and wrote nothing.
    let made = &world.vercel.requests()[seen..];
    assert!(made.iter().all(|request| request.method == "GET"));
}

async fn a_plan_is_its_users_and_its_vaults(profile: Profile) {
    let world = start(profile).await;
    let plan = preview(&world, "").await["planId"].clone();
    let other = world.app.account("eve").await;
    let eve = world.app.client(&other.token);
    let body = json!({ "planId": plan });
    eve.post(SYNC, body.clone()).await.problem(404, "not-found");
    world
        .me
        .post(
            "/v1/vaults/acme/my-app/members",
            json!({ "username": "eve", "role": "admin" }),
        )
        .await
        .data(201);
    eve.post(SYNC, body.clone()).await.problem(404, "not-found");
    let me = &world.me;
    me.post("/v1/vaults", json!({ "repoFullName": "acme/other" }))
        .await
        .data(201);
    let elsewhere = SYNC.replace("my-app", "other");
    me.post(&elsewhere, body.clone())
        .await
        .problem(404, "not-found");
    me.post(SYNC, json!({ "planId": world.connection }))
        .await
        .problem(404, "not-found");
    assert_eq!(me.post(SYNC, body).await.data(200)["status"], "success");
}

async fn a_plan_is_of_an_environment_and_not_of_its_name(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    let plan = preview(&world, "&keywayEnvironment=staging&include=NOTHING").await;
    let plan = json!({ "planId": plan["planId"] });
    let environments = "/v1/vaults/acme/my-app/environments";
    let rename = |from: &str, to: &str| {
        let path = format!("{environments}/{from}");
        let body = json!({ "newName": to });
        async move { me.patch(&path, body).await }
    };
    rename("staging", "elsewhere").await.data(200);
    me.post(SYNC, plan.clone()).await.problem(404, "not-found");
    rename("development", "staging").await.data(200);
    me.post(SYNC, plan).await.problem(409, "plan-stale");
}

async fn a_preview_of_what_is_refused_warns_and_has_no_plan(profile: Profile) {
    let world = start(profile).await;
    let path = "&allowDelete=true&keywayEnvironment=development";
    let preview = preview(&world, path).await;
    assert_eq!(preview["warnings"][0]["code"], "empty-source");
    assert_eq!(preview.get("planId"), None);
    assert_eq!(preview.get("planExpiresAt"), None);
}

async fn a_plan_of_a_pull_is_carried_out_the_same_way(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    let preview = preview(&world, "&direction=pull&providerEnvironment=development").await;
    let created: Vec<_> = preview["toCreate"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .map(ToOwned::to_owned)
        .collect();
    assert!(!created.is_empty());
    let plan = json!({ "planId": preview["planId"] });
    let report = me.post(SYNC, plan).await.data(200);
    assert_eq!(report["created"], created.len(), "{report}");
    let pulled = me
        .get("/v1/secrets/pull?repo=acme/my-app&environment=production")
        .await
        .data(200);
    let content = pulled["content"].as_str().unwrap_or_default();
    for key in created {
        assert!(content.contains(&format!("{key}=")), "{key}");
    }
}

on_both_profiles!(
    a_sync_does_exactly_what_the_plan_says,
    a_plan_that_does_not_hold_any_more_writes_nothing,
    a_plan_is_its_users_and_its_vaults,
    a_plan_is_of_an_environment_and_not_of_its_name,
    a_preview_of_what_is_refused_warns_and_has_no_plan,
    a_plan_of_a_pull_is_carried_out_the_same_way,
);
