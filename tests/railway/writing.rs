//! Writes, deletes and the deployments that they cause.

use keyway_simulator::railway::{Cause, Target};
use serde_json::{Value, json};

use crate::support::{UPSERT, World};

const STAGE: &str = "mutation($id: String!, $input: EnvironmentConfig!, $merge: Boolean) { \
     environmentStageChanges(environmentId: $id, input: $input, merge: $merge) { id status } }";
const STAGED: &str =
    "query($id: String!) { environmentStagedChanges(environmentId: $id) { id status patch } }";
const COMMIT_STAGED: &str = "mutation($id: String!, $skip: Boolean) { \
     environmentPatchCommitStaged(environmentId: $id, commitMessage: \"Sync\", skipDeploys: $skip) }";
const REDEPLOY: &str = "mutation($environment: String!, $service: String!) { \
     serviceInstanceRedeploy(environmentId: $environment, serviceId: $service) }";

fn causes(world: &World) -> Vec<(Cause, String)> {
    let deployments = world.railway.deployments().into_iter();
    deployments.map(|one| (one.cause, one.service)).collect()
}

#[tokio::test]
async fn one_call_writes_many_and_deploys_once() {
    let world = World::starter().await;
    let answer = world
        .upsert(&json!({ "variables": { "A": "1", "B": "" } }))
        .await;
    assert_eq!(*answer.data(), json!({ "variableCollectionUpsert": true }));
    assert_eq!(causes(&world), [(Cause::Upsert, world.web.clone())]);
    let more = json!({ "variables": { "A": "2", "C": "${{shared.X}}" }, "skipDeploys": true });
    world.upsert(&more).await.data();
    assert_eq!(causes(&world).len(), 1);
    // What is not named stays.
    let expected = [("A", "2"), ("B", ""), ("C", "${{shared.X}}")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(world.values(), expected.into());
    let places = world
        .railway
        .snapshot(&Target::service(&world.staging, &world.web));
    assert!(places.is_empty());
}

#[tokio::test]
async fn replace_removes_all_that_is_not_named() {
    let world = World::lived_in().await;
    let more = json!({ "variables": { "A": "1" }, "replace": true, "skipDeploys": true });
    world.upsert(&more).await.data();
    assert_eq!(world.values(), [("A".to_owned(), "1".to_owned())].into());
    let nothing = json!({ "variables": {}, "replace": true, "skipDeploys": true });
    world.upsert(&nothing).await.data();
    assert!(world.values().is_empty());
    // Of this place only.
    assert!(
        !world
            .railway
            .snapshot(&Target::shared(&world.production))
            .is_empty()
    );
}

#[tokio::test]
async fn a_null_is_no_deletion() {
    let world = World::lived_in().await;
    let before = world.values();
    let answer = world
        .upsert(&json!({ "variables": { "API_URL": null } }))
        .await;
    assert_eq!(answer.code(), Some("BAD_USER_INPUT"));
    let answer = world
        .upsert(&json!({ "variables": { "API_URL": 1 } }))
        .await;
    assert_eq!(answer.code(), Some("BAD_USER_INPUT"));
    assert_eq!(world.values(), before);
}

#[tokio::test]
async fn one_name_can_be_written_alone() {
    let world = World::starter().await;
    let query = "mutation($input: VariableUpsertInput!) { variableUpsert(input: $input) }";
    let write = async |skip: bool| {
        let more = json!({ "name": "A", "value": "1", "skipDeploys": skip });
        world
            .call(query, json!({ "input": world.input(&more) }))
            .await
    };
    assert_eq!(write(true).await.data()["variableUpsert"], true);
    assert_eq!(causes(&world), []);
    write(false).await.data();
    assert_eq!(causes(&world), [(Cause::Upsert, world.web.clone())]);
    assert_eq!(world.values()["A"], "1");
}

#[tokio::test]
async fn a_delete_deploys_each_time_and_only_then() {
    let world = World::lived_in().await;
    assert_eq!(world.delete("EMPTY").await.data()["variableDelete"], true);
    world.delete("GONE").await.data();
    let one = (Cause::Delete, world.web.clone());
    assert_eq!(causes(&world), [one.clone(), one]);
    assert!(!world.values().contains_key("EMPTY"));
    world.railway.set(|options| options.delete_deploys = false);
    world.delete("API_URL").await.data();
    assert_eq!(causes(&world).len(), 2);
}

#[tokio::test]
async fn a_delete_of_what_is_not_there_succeeds_or_fails() {
    let world = World::starter().await;
    world.delete("ABSENT").await.data();
    assert_eq!(causes(&world), []);
    world
        .railway
        .set(|options| options.delete_absent_fails = true);
    assert_eq!(world.delete("ABSENT").await.error(), "Variable not found");
}

#[tokio::test]
async fn a_shared_variable_deploys_the_services_that_refer_to_it() {
    let world = World::lived_in().await;
    let input = json!({ "projectId": world.project, "environmentId": world.production,
        "variables": { "SENTRY_DSN": "https://sentry.example/2" } });
    world.call(UPSERT, json!({ "input": input })).await.data();
    assert_eq!(causes(&world), [(Cause::Upsert, world.web.clone())]);
    assert_eq!(
        world.read(false).await["SENTRY_DSN"],
        "https://sentry.example/2"
    );
    // One that nobody refers to reaches nobody.
    let input = json!({ "projectId": world.project, "environmentId": world.production,
        "variables": { "UNUSED": "1" } });
    world.call(UPSERT, json!({ "input": input })).await.data();
    assert_eq!(causes(&world).len(), 1);
    assert_eq!(world.read(false).await.get("UNUSED"), None);
}

#[tokio::test]
async fn a_shared_variable_can_be_given_to_services_and_taken_back() {
    let world = World::lived_in().await;
    let query = "mutation($input: SharedVariableConfigureInput!) { \
         sharedVariableConfigure(input: $input) { id name serviceId } }";
    let configure = async |enabled: &[&str], disabled: &[&str]| {
        let input = json!({ "projectId": world.project, "environmentId": world.production,
            "name": "SENTRY_DSN", "enabledServiceIds": enabled, "disabledServiceIds": disabled });
        world.call(query, json!({ "input": input })).await
    };
    let postgres = Target::service(&world.production, &world.postgres);
    let answer = configure(&[&world.postgres], &[]).await;
    assert_eq!(
        answer.data()["sharedVariableConfigure"]["serviceId"],
        Value::Null
    );
    let given = world.railway.snapshot(&postgres)["SENTRY_DSN"]
        .value
        .clone();
    assert_eq!(given, "${{shared.SENTRY_DSN}}");
    configure(&[], &[&world.postgres]).await.data();
    assert!(!world.railway.snapshot(&postgres).contains_key("SENTRY_DSN"));
}

#[tokio::test]
async fn staged_changes_are_everybodys_and_are_committed_together() {
    let world = World::lived_in().await;
    let own = Target::service(&world.staging, &world.web);
    let staged = async || {
        let answer = world.call(STAGED, json!({ "id": world.staging })).await;
        answer.data()["environmentStagedChanges"]["patch"].clone()
    };
    // Somebody is at it in the dashboard; their value is not told.
    let by_hand = staged().await;
    assert!(by_hand.to_string().contains("BEING_EDITED"));
    assert!(!by_hand.to_string().contains("by hand"));
    let services = json!({ &world.web: { "variables": { "API_URL": null } } });
    let input = json!({ "services": services });
    let variables = json!({ "id": world.staging, "input": input, "merge": true });
    let answer = world.call(STAGE, variables).await;
    assert_eq!(answer.data()["environmentStageChanges"]["status"], "STAGED");
    // Nothing has happened yet.
    assert!(world.railway.snapshot(&own).contains_key("API_URL"));
    let variables = json!({ "id": world.staging, "skip": true });
    world.call(COMMIT_STAGED, variables).await.data();
    let after = world.railway.snapshot(&own);
    assert!(!after.contains_key("API_URL"));
    assert_eq!(after["BEING_EDITED"].value, "by hand");
    assert_eq!(staged().await, json!({}));
    assert_eq!(causes(&world), []);
}

#[tokio::test]
async fn staging_without_merge_forgets_what_was_staged() {
    let world = World::lived_in().await;
    let input = json!({ "sharedVariables": { "A": { "value": "1" } } });
    let variables = json!({ "id": world.staging, "input": input.clone(), "merge": false });
    world.call(STAGE, variables).await.data();
    assert_eq!(world.railway.staged(&world.staging), input);
    let services = json!({ &world.web: { "deploy": { "startCommand": "x" } } });
    let variables = json!({ "id": world.staging, "input": { "services": services } });
    let answer = world.call(STAGE, variables).await;
    assert_eq!(answer.code(), Some("NOT_SIMULATED"));
}

#[tokio::test]
async fn a_patch_committed_at_once_leaves_what_is_staged() {
    let world = World::lived_in().await;
    let query = "mutation($id: String!, $patch: EnvironmentConfig) { \
         environmentPatchCommit(environmentId: $id, patch: $patch, commitMessage: \"Sync\") }";
    let services =
        json!({ &world.web: { "variables": { "API_URL": null, "A": { "value": "1" } } } });
    let variables = json!({ "id": world.staging, "patch": { "services": services } });
    world.call(query, variables).await.data();
    let own = world
        .railway
        .snapshot(&Target::service(&world.staging, &world.web));
    assert!(own.keys().eq(["A"]));
    assert_eq!(causes(&world), [(Cause::Commit, world.web.clone())]);
    assert!(
        world
            .railway
            .staged(&world.staging)
            .to_string()
            .contains("BEING_EDITED")
    );
}

#[tokio::test]
async fn whether_a_commit_takes_skip_deploys_is_an_option() {
    let world = World::starter().await;
    let query = "mutation($id: String!, $patch: EnvironmentConfig) { environmentPatchCommit(\
         environmentId: $id, patch: $patch, skipDeploys: true) }";
    let services = json!({ &world.web: { "variables": { "A": { "value": "1" } } } });
    let variables = json!({ "id": world.production, "patch": { "services": services } });
    let request = json!({ "query": query, "variables": variables });
    let header = format!("Bearer {}", keyway_simulator::railway::TOKEN);
    let headers = [("authorization", header.as_str())];
    let answer = world.post(&headers, &request).await.unwrap();
    assert_eq!(answer.code(), Some("GRAPHQL_VALIDATION_FAILED"));
    world
        .railway
        .set(|options| options.commit_skips_deploys = true);
    world.post(&headers, &request).await.unwrap().data();
    assert_eq!(world.values()["A"], "1");
    assert_eq!(causes(&world), []);
}

#[tokio::test]
async fn upserts_may_wait_among_the_staged_changes() {
    let world = World::lived_in().await;
    world.railway.set(|options| options.stages_upserts = true);
    let before = world.values();
    world
        .upsert(&json!({ "variables": { "A": "1" } }))
        .await
        .data();
    world.delete("EMPTY").await.data();
    assert_eq!(world.values(), before);
    assert_eq!(causes(&world), []);
    let variables = json!({ "id": world.production, "skip": false });
    world.call(COMMIT_STAGED, variables).await.data();
    assert_eq!(world.values()["A"], "1");
    assert!(!world.values().contains_key("EMPTY"));
    assert_eq!(causes(&world), [(Cause::Commit, world.web.clone())]);
}

#[tokio::test]
async fn a_service_is_redeployed_when_it_was_deployed() {
    let world = World::lived_in().await;
    let variables = json!({ "environment": world.production, "service": world.web });
    let answer = world.call(REDEPLOY, variables).await;
    assert_eq!(answer.data()["serviceInstanceRedeploy"], true);
    assert_eq!(causes(&world), [(Cause::Redeploy, world.web.clone())]);
    let worker = world.railway.service(&world.project, "worker").unwrap();
    let variables = json!({ "environment": world.production, "service": worker });
    let answer = world.call(REDEPLOY, variables.clone()).await;
    assert_eq!(answer.error(), "ServiceInstance not found");
    // A write to it deploys nothing either.
    let input = json!({ "projectId": world.project, "environmentId": world.production,
        "serviceId": worker, "variables": { "A": "1" } });
    world.call(UPSERT, json!({ "input": input })).await.data();
    assert_eq!(causes(&world).len(), 1);
    world
        .railway
        .set(|options| options.redeploy_needs_deployment = false);
    world.call(REDEPLOY, variables).await.data();
    assert_eq!(causes(&world)[1], (Cause::Redeploy, worker));
}

#[tokio::test]
async fn other_ways_to_deploy_tell_the_deployment() {
    let world = World::starter().await;
    let query = "mutation($environment: String!, $service: String!) { \
         serviceInstanceDeployV2(environmentId: $environment, serviceId: $service) }";
    let variables = json!({ "environment": world.production, "service": world.web });
    let answer = world.call(query, variables).await;
    let first = answer.data()["serviceInstanceDeployV2"].clone();
    assert_eq!(first, world.railway.deployments()[0].id.as_str());
    let query = "mutation($id: String!) { deploymentRedeploy(id: $id) { id status } }";
    let answer = world.call(query, json!({ "id": first })).await;
    let second = &answer.data()["deploymentRedeploy"];
    assert_eq!(second["id"], world.railway.deployments()[1].id.as_str());
    assert_eq!(second["status"], "SUCCESS");
    let query = "query($input: DeploymentListInput!) { deployments(input: $input, first: 2) { edges { \
         node { id status serviceId } } pageInfo { hasNextPage } } }";
    let input = json!({ "environmentId": world.production, "serviceId": world.web });
    let answer = world.call(query, json!({ "input": input })).await;
    let page = &answer.data()["deployments"];
    assert_eq!(page["edges"][0]["node"]["id"], second["id"]);
    assert_eq!(page["edges"][1]["node"]["status"], "REMOVED");
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
}

#[tokio::test]
async fn a_place_is_one_of_its_project() {
    let world = World::lived_in().await;
    let other = world.railway.project("site-01").unwrap();
    let upsert = async |changed: &Value| {
        let mut input = world.input(&json!({ "variables": { "A": "1" } }));
        let changed = changed.as_object().cloned().unwrap();
        input.as_object_mut().unwrap().extend(changed);
        world.call(UPSERT, json!({ "input": input })).await
    };
    let elsewhere = upsert(&json!({ "projectId": other })).await;
    assert_eq!(elsewhere.error(), "Environment not found");
    let foreign = world.railway.add_service(&other, "api");
    let elsewhere = upsert(&json!({ "serviceId": foreign })).await;
    assert_eq!(elsewhere.error(), "Service not found");
    assert!(!world.values().contains_key("A"));
}

#[tokio::test]
async fn limits_that_are_not_documented_can_be_set() {
    let world = World::starter().await;
    world.railway.set(|options| {
        options.max_variables = Some(2);
        options.max_value_bytes = Some(3);
    });
    world
        .upsert(&json!({ "variables": { "A": "123", "B": "2" } }))
        .await
        .data();
    let long = world.upsert(&json!({ "variables": { "A": "1234" } })).await;
    assert_eq!(long.error(), "Variable value is too long");
    let many = world
        .upsert(&json!({ "variables": { "A": "x", "C": "3" } }))
        .await;
    assert_eq!(many.error(), "Too many variables");
    // All or nothing.
    assert_eq!(world.values()["A"], "123");
}
