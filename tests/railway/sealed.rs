//! Sealed variables: written, and read back by nobody.

use serde_json::{Value, json};

use crate::support::World;

const COMMIT: &str = "mutation($id: String!, $patch: EnvironmentConfig) { \
     environmentPatchCommit(environmentId: $id, patch: $patch, commitMessage: \"Seal\") }";

#[tokio::test]
async fn a_sealed_value_is_missing_or_null_in_every_read() {
    let world = World::lived_in().await;
    for unrendered in [false, true] {
        assert_eq!(world.read(unrendered).await.get("STRIPE_SECRET_KEY"), None);
    }
    world.railway.set(|options| options.sealed_as_null = true);
    for unrendered in [false, true] {
        assert_eq!(
            world.read(unrendered).await["STRIPE_SECRET_KEY"],
            Value::Null
        );
    }
    // Nor is it seen through a reference.
    let reference = "<${{STRIPE_SECRET_KEY}}>";
    world.railway.set_variable(&world.own(), "COPY", reference);
    assert_eq!(world.read(false).await["COPY"], "<>");
}

#[tokio::test]
async fn a_plain_write_of_a_sealed_name_changes_it_and_may_keep_the_seal() {
    let world = World::lived_in().await;
    let write = async |value: &str| {
        let more = json!({ "variables": { "STRIPE_SECRET_KEY": value }, "skipDeploys": true });
        world.upsert(&more).await.data();
        world.railway.snapshot(&world.own())["STRIPE_SECRET_KEY"].clone()
    };
    let kept = write("sk_live_2").await;
    assert_eq!((kept.value.as_str(), kept.sealed), ("sk_live_2", true));
    world
        .railway
        .set(|options| options.upsert_keeps_seal = false);
    let opened = write("sk_live_3").await;
    assert_eq!((opened.value.as_str(), opened.sealed), ("sk_live_3", false));
}

#[tokio::test]
async fn only_a_patch_seals_and_nothing_unseals() {
    let world = World::lived_in().await;
    let commit = async |entry: Value| {
        let services = json!({ &world.web: { "variables": { "API_KEY": entry } } });
        let variables = json!({ "id": world.production, "patch": { "services": services } });
        world.call(COMMIT, variables).await.data();
        world.railway.snapshot(&world.own())["API_KEY"].clone()
    };
    assert!(
        commit(json!({ "value": "1", "isSealed": true }))
            .await
            .sealed
    );
    let again = commit(json!({ "value": "2", "isSealed": false })).await;
    assert_eq!((again.value.as_str(), again.sealed), ("2", true));
    assert_eq!(world.read(true).await.get("API_KEY"), None);
}

#[tokio::test]
async fn a_sealed_variable_can_be_deleted() {
    let world = World::lived_in().await;
    world.delete("STRIPE_SECRET_KEY").await.data();
    assert!(!world.values().contains_key("STRIPE_SECRET_KEY"));
}
