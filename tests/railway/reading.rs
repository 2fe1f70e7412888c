//! Reads of variables: rendered and not, of services and shared, and what is known without values.

use keyway_simulator::railway::Target;
use serde_json::{Value, json};

use crate::support::{VARIABLES, World};

const FLAGS: &str = "query($id: String!, $first: Int, $after: String) { environment(id: $id) { \
     variables(first: $first, after: $after) { edges { node { id name isSealed serviceId references \
     createdAt updatedAt } } pageInfo { hasNextPage endCursor } } } }";

#[tokio::test]
async fn a_read_is_rendered_unless_asked_not_to() {
    let world = World::lived_in().await;
    let rendered = world.read(false).await;
    assert_eq!(rendered["DATABASE_URL"], "postgres://postgres:5432/railway");
    assert_eq!(rendered["SENTRY_DSN"], "https://sentry.example/1");
    assert_eq!(rendered["API_URL"], "https://web.railway.internal/api");
    assert_eq!(rendered["EMPTY"], "");
    assert_eq!(rendered["RAILWAY_SERVICE_NAME"], "web");
    let kept = world.read(true).await;
    assert_eq!(kept["DATABASE_URL"], "${{Postgres.DATABASE_URL}}");
    assert_eq!(kept["SENTRY_DSN"], "${{shared.SENTRY_DSN}}");
    assert_eq!(kept["API_URL"], "https://${{RAILWAY_PRIVATE_DOMAIN}}/api");
    assert_eq!(kept.get("RAILWAY_SERVICE_NAME"), None);
    // A user's own setting is a variable like others.
    assert_eq!(kept["RAILWAY_HEALTHCHECK_TIMEOUT_SEC"], "120");
}

#[tokio::test]
async fn what_rendered_reads_add_is_an_option() {
    let world = World::lived_in().await;
    world.railway.set(|options| options.provided = false);
    let rendered = world.read(false).await;
    assert_eq!(rendered.get("RAILWAY_SERVICE_NAME"), None);
    assert_eq!(rendered["RAILWAY_HEALTHCHECK_TIMEOUT_SEC"], "120");
    assert_eq!(rendered["GONE"], "before--after");
    world.railway.set(|options| options.keeps_unresolved = true);
    assert_eq!(
        world.read(false).await["GONE"],
        "before-${{Removed.URL}}-after"
    );
}

#[tokio::test]
async fn references_in_a_circle_end() {
    let world = World::starter().await;
    let own = world.own();
    world.railway.set_variable(&own, "A", "a${{B}}");
    world.railway.set_variable(&own, "B", "b${{A}}");
    assert!(
        world.read(false).await["A"]
            .as_str()
            .unwrap()
            .starts_with("abab")
    );
    assert_eq!(world.read(true).await["A"], "a${{B}}");
}

#[tokio::test]
async fn without_a_service_a_read_is_of_what_is_shared() {
    let world = World::lived_in().await;
    let mut place = world.input(&json!({}));
    place.as_object_mut().unwrap().remove("serviceId");
    let answer = world.call(VARIABLES, place).await;
    let expected = json!({ "SENTRY_DSN": "https://sentry.example/1" });
    assert_eq!(answer.data()["variables"], expected);
    let shared = Target::shared(&world.production);
    assert!(world.railway.snapshot(&shared)["LICENCE_KEY"].sealed);
}

#[tokio::test]
async fn a_deployments_variables_are_rendered_and_may_have_the_shared_ones() {
    let world = World::lived_in().await;
    let shared = Target::shared(&world.production);
    world.railway.set_variable(&shared, "ONLY_SHARED", "1");
    let query = "query($projectId: String!, $environmentId: String!, $serviceId: String!) { \
         variablesForServiceDeployment(projectId: $projectId, environmentId: $environmentId, \
         serviceId: $serviceId) }";
    let read = async || {
        let answer = world.call(query, world.input(&json!({}))).await;
        answer.data()["variablesForServiceDeployment"].clone()
    };
    let values = read().await;
    assert_eq!(values["DATABASE_URL"], "postgres://postgres:5432/railway");
    assert_eq!(values["ONLY_SHARED"], "1");
    world
        .railway
        .set(|options| options.deployment_has_shared = false);
    assert_eq!(read().await.get("ONLY_SHARED"), None);
}

#[tokio::test]
async fn names_and_seals_are_known_without_values() {
    let world = World::lived_in().await;
    let mut found = Vec::new();
    let mut after = Value::Null;
    loop {
        let variables = json!({ "id": world.production, "first": 4, "after": after });
        let answer = world.call(FLAGS, variables).await;
        let page = &answer.data()["environment"]["variables"];
        for edge in page["edges"].as_array().unwrap() {
            found.push(edge["node"].clone());
        }
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    let of = |name: &str, service: &Value| {
        let is = |node: &&Value| node["name"] == name && node["serviceId"] == *service;
        found.iter().find(is).unwrap()
    };
    let web = json!(world.web);
    assert_eq!(of("STRIPE_SECRET_KEY", &web)["isSealed"], true);
    assert_eq!(of("LICENCE_KEY", &Value::Null)["isSealed"], true);
    let url = of("DATABASE_URL", &web);
    assert_eq!(url["isSealed"], false);
    assert_eq!(url["references"], json!(["Postgres.DATABASE_URL"]));
    assert_eq!(found.len(), 11);
    assert!(!json!(found).to_string().contains("sentry.example"));
}

#[tokio::test]
async fn the_service_of_a_shared_variable_fails_the_whole_query() {
    let world = World::lived_in().await;
    let query = "query($id: String!) { environment(id: $id) { variables(first: 100) { edges { node { \
         name service { name } } } } } }";
    let answer = world.call(query, json!({ "id": world.production })).await;
    assert_eq!(answer.error(), "Problem processing request");
    assert_eq!(answer.code(), None);
    assert_eq!(answer.body["data"], Value::Null);
    world.railway.set(|options| options.opaque_nulls = false);
    let answer = world.call(query, json!({ "id": world.production })).await;
    assert_eq!(answer.error(), "Cannot return null for non-nullable field.");
    assert_eq!(answer.code(), Some("INTERNAL_SERVER_ERROR"));
    // Where nothing is shared there is nothing to fail.
    world
        .call(query, json!({ "id": world.staging }))
        .await
        .data();
}

#[tokio::test]
async fn a_configuration_has_names_and_only_on_request_values() {
    let world = World::lived_in().await;
    let query = "query($id: String!, $decrypted: Boolean) { environment(id: $id) { configEtag \
         config(decryptVariables: $decrypted) } }";
    let read = async |decrypted: bool| {
        let variables = json!({ "id": world.production, "decrypted": decrypted });
        world.call(query, variables).await.data()["environment"].clone()
    };
    let names = read(false).await;
    let of_web = format!("/config/services/{}/variables", world.web);
    assert_eq!(names.pointer(&of_web).unwrap()["API_URL"], json!({}));
    assert_eq!(
        names["config"]["sharedVariables"]["LICENCE_KEY"],
        json!({ "isSealed": true })
    );
    assert!(!names.to_string().contains("sentry.example"));
    let values = read(true).await;
    let api_url = json!({ "value": "https://${{RAILWAY_PRIVATE_DOMAIN}}/api" });
    assert_eq!(values.pointer(&of_web).unwrap()["API_URL"], api_url);
    assert!(!values.to_string().contains("sk_live_1"));
    world.railway.set_variable(&world.own(), "API_URL", "other");
    assert_ne!(read(false).await["configEtag"], names["configEtag"]);
}

#[tokio::test]
async fn the_linked_repository_is_known_by_instance_and_trigger() {
    let world = World::starter().await;
    let query = "query($id: String!) { environment(id: $id) { serviceInstances(first: 100) { edges { \
         node { serviceId serviceName builder source { repo image } } } } \
         deploymentTriggers(first: 100) { edges { node { repository branch provider serviceId } } } } }";
    let answer = world.call(query, json!({ "id": world.production })).await;
    let environment = &answer.data()["environment"];
    let instances = &environment["serviceInstances"]["edges"];
    assert_eq!(instances[0]["node"]["serviceName"], "web");
    assert_eq!(instances[0]["node"]["source"]["repo"], "acme/my-app");
    assert_eq!(instances[1]["node"]["source"]["repo"], Value::Null);
    let trigger = &environment["deploymentTriggers"]["edges"][0]["node"];
    assert_eq!(trigger["branch"], "main");
    assert_eq!(trigger["serviceId"], world.web.as_str());
}
