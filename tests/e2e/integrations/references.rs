//! Values that refer to other variables, at a provider that resolves such.

use keyway_shared::providers::Descriptor;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::json;

use super::world::{SYNC, World, id};

const REFERENCE: &str = "${{Postgres.URL}}";

fn resolves(provider: &mut Descriptor) {
    provider.values.reference = Some("${{");
}

async fn start(profile: Profile) -> World {
    let world = World::start_with(profile, |builder| {
        builder.system_time = true;
        builder.poses = Some(resolves);
    })
    .await;
    world.work().await;
    let push = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": { "ONE": "1", "URL": REFERENCE } });
    world.me.post("/v1/secrets/push", push).await.data(200);
    world
}

async fn a_preview_tells_what_a_sync_leaves_out(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    let preview = me.get(&world.query("preview")).await.data(200);
    assert_eq!(preview["toCreate"], json!(["ONE"]));
    assert_eq!(preview["reasons"]["URL"], "reference");
    let warning = &preview["warnings"][0];
    assert_eq!(
        (&warning["code"], &warning["keys"]),
        (&json!("reference"), &json!(["URL"]))
    );
    assert!(!preview.to_string().contains(REFERENCE));
    // Whoever only looks compares texts.
    let diff = me.get(&world.query("diff")).await.data(200);
    assert_eq!(diff["onlyInKeyway"], json!(["ONE", "URL"]));

    let report = me.post(SYNC, world.fields()).await.data(200);
    assert_eq!(
        (&report["status"], &report["errorCode"], &report["failed"]),
        (&json!("partial"), &json!("reference"), &json!(1))
    );
    let shown = format!("{}&allowReferences=true", world.query("preview"));
    let preview = me.get(&shown).await.data(200);
    assert_eq!(preview["toCreate"], json!(["URL"]));
    assert_eq!(preview["warnings"], json!([]));
    let plan = json!({ "planId": preview["planId"], "allowReferences": false });
    me.post(SYNC, plan).await.refuses(&["allowReferences"]);
    let plan = json!({ "planId": preview["planId"], "allowReferences": true });
    let report = me.post(SYNC, plan).await.data(200);
    assert_eq!(report["status"], "success", "{report}");
    let value = world.vercel.value("prj_myapp", "URL", "production", None);
    assert_eq!(value.as_deref(), Some(REFERENCE));
}

async fn a_link_remembers_that_references_are_meant(profile: Profile) {
    let world = start(profile).await;
    let (me, link) = (&world.me, format!("{SYNC}/link"));
    let saved = me.post(&link, world.fields()).await.data(200)["link"].clone();
    assert_eq!(saved["allowReferences"], false);
    let one = format!("{SYNC}/links/{}", id(&saved["id"]));
    let heal = format!("{one}/heal");
    let report = me.post(&heal, json!({})).await.data(200);
    assert_eq!(
        (&report["status"], &report["errorCode"]),
        (&json!("partial"), &json!("reference"))
    );
    let change = json!({ "allowReferences": true });
    let changed = me.patch(&one, change).await.data(200)["link"].clone();
    assert_eq!(changed["allowReferences"], true);
    let report = me.post(&heal, json!({})).await.data(200);
    assert_eq!(report["status"], "success", "{report}");
    let mut fields = world.fields();
    fields["allowReferences"] = json!(true);
    let saved = me.post(&link, fields).await.data(200)["link"].clone();
    assert_eq!(
        (&saved["isNew"], &saved["allowReferences"]),
        (&json!(false), &json!(true))
    );
}

on_both_profiles!(
    a_preview_tells_what_a_sync_leaves_out,
    a_link_remembers_that_references_are_meant,
);
