//! Putting into effect what a push wrote, as requests ask for it.

use keyway_shared::providers::Descriptor;
use keyway_shared::providers::capabilities::Rollout;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::whole;
use super::world::{SYNC, World, id};

fn has_machines(provider: &mut Descriptor) {
    provider.writes.rollout = Some(Rollout::Machines);
}

async fn start(profile: Profile) -> World {
    let world = World::start_with(profile, |builder| {
        builder.system_time = true;
        builder.poses = Some(has_machines);
    })
    .await;
    world.work().await;
    let push = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": { "ONE": "value-one" } });
    world.me.post("/v1/secrets/push", push).await.data(200);
    world
}

fn asking(world: &World, direction: &str) -> Value {
    let mut fields = world.fields();
    fields["rollout"] = json!(true);
    fields["direction"] = json!(direction);
    fields
}

async fn capability(world: &World) -> Value {
    let listed = world.me.get("/v1/integrations").await.data(200);
    listed["providers"][0]["capabilities"]["rollout"].clone()
}

async fn a_sync_rolls_out_and_tells_each_part(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    assert_eq!(capability(&world).await, "machines");
    let shown = format!("{}&rollout=true", world.query("preview"));
    let preview = me.get(&shown).await.data(200);
    let plan = json!({ "planId": preview["planId"], "rollout": false });
    me.post(SYNC, plan).await.refuses(&["rollout"]);
    let plan = json!({ "planId": preview["planId"] });
    let report = me.post(SYNC, plan).await.data(200);
    assert_eq!(report["status"], "success", "{report}");
    assert_eq!(report["redeployRequired"], false);
    assert_eq!(
        report["rollout"][0],
        json!({ "unit": "id-web", "name": "web", "status": "done" })
    );
    let entry = me.get("/v1/activity?limit=1").await.data(200)[0].clone();
    assert_eq!(entry["metadata"]["rolledOut"], 2);

    let pull = asking(&world, "pull");
    me.post(SYNC, pull.clone()).await.refuses(&["rollout"]);
    me.post(&format!("{SYNC}/link"), pull)
        .await
        .refuses(&["rollout"]);
}

async fn a_link_remembers_that_it_rolls_out(profile: Profile) {
    let world = start(profile).await;
    let (me, link) = (&world.me, format!("{SYNC}/link"));
    let saved = me.post(&link, asking(&world, "push")).await.data(200)["link"].clone();
    assert_eq!(saved["rollout"], true);
    let one = format!("{SYNC}/links/{}", id(&saved["id"]));
    let report = me.post(&format!("{one}/heal"), json!({})).await.data(200);
    assert_eq!(report["rollout"].as_array().map(Vec::len), Some(2));
    let pulls = json!({ "direction": "pull" });
    me.patch(&one, pulls).await.refuses(&["rollout"]);
    let changed = me.patch(&one, json!({ "rollout": false })).await.data(200);
    assert_eq!(changed["link"]["rollout"], false);
}

async fn where_there_is_nothing_to_roll_out_it_is_refused(profile: Profile) {
    let world = whole::start(profile).await;
    let me = &world.me;
    assert_eq!(capability(&world).await, Value::Null);
    let fields = asking(&world, "push");
    let refused = me.post(SYNC, fields.clone()).await;
    assert!(refused.text.contains("Vercel"), "{}", refused.text);
    refused.refuses(&["rollout"]);
    me.post(&format!("{SYNC}/link"), fields)
        .await
        .refuses(&["rollout"]);
    let saved = me.post(&format!("{SYNC}/link"), world.fields()).await;
    let one = format!("{SYNC}/links/{}", id(&saved.data(200)["link"]["id"]));
    me.patch(&one, json!({ "rollout": true }))
        .await
        .refuses(&["rollout"]);
}

on_both_profiles!(
    a_sync_rolls_out_and_tells_each_part,
    a_link_remembers_that_it_rolls_out,
    where_there_is_nothing_to_roll_out_it_is_refused,
);
