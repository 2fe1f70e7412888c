//! What the description catches.

use keyway_tests::graphql::GraphQlDescription;
use serde_json::{Value, json};

fn request(query: &str) -> Value {
    json!({ "query": query, "variables": {} })
}

fn of_answer(query: &str, answer: &Value) -> Vec<String> {
    GraphQlDescription::railway().check_answer(&request(query), answer)
}

#[test]
fn operations_that_the_vendor_refuses_are_refused() {
    for bad in [
        "{ me { teams { id } } }",
        "mutation { deploymentRedeploy(id: \"1\") }",
        "mutation { variableDelete(input: {projectId: \"1\", environmentId: \"2\", name: \"A\", \
         skipDeploys: true}) }",
        "mutation { environmentPatchCommit(environmentId: \"1\", patch: {}, skipDeploys: true) }",
        "query($a: String!) { project(id: $a) { id } }",
        "{ me { id }",
    ] {
        let found = GraphQlDescription::railway().check_request(&request(bad));
        assert!(!found.is_empty(), "{bad}");
    }
    let mut more = request("{ me { id } }");
    more["variables"]["stray"] = json!(1);
    let found = GraphQlDescription::railway().check_request(&more);
    assert_eq!(found, ["variable stray: not declared"]);
}

#[test]
fn answers_have_what_was_asked_for_in_the_types_of_the_schema() {
    let query = "{ me { id name apiTokenRateLimit { remainingPoints } workspaces { id } } }";
    let good = json!({ "data": { "me": { "id": "1", "name": null, "apiTokenRateLimit": null,
        "workspaces": [{ "id": "w" }] } } });
    assert_eq!(of_answer(query, &good), [""; 0]);
    for (pointer, wrong, violation) in [
        ("/data/me/id", json!(1), "data.me.id: not ID!"),
        ("/data/me/id", Value::Null, "data.me.id: null in ID!"),
        (
            "/data/me/workspaces",
            json!({}),
            "data.me.workspaces: no list in [Workspace!]!",
        ),
        (
            "/data/me/workspaces/0",
            json!({}),
            "data.me.workspaces.id: missing",
        ),
        (
            "/data/me/workspaces/0",
            json!({ "id": "w", "name": "Acme" }),
            "data.me.workspaces.name: not asked for",
        ),
        ("/data", json!([]), "data: not an object"),
    ] {
        let mut answer = good.clone();
        *answer.pointer_mut(pointer).unwrap() = wrong;
        assert_eq!(of_answer(query, &answer), [violation]);
    }
    assert!(!of_answer(query, &json!({})).is_empty());
    assert!(!of_answer(query, &json!({ "errors": [], "data": null })).is_empty());
    let failed = json!({ "errors": [{ "message": "No", "traceId": "1" }], "data": null });
    assert_eq!(of_answer(query, &failed), [""; 0]);
}

/// The two were cut apart; neither may say what the other does not.
#[test]
fn the_simulators_schema_has_all_that_is_described() {
    let wide = include_str!("../../simulator/src/railway/schema.graphql");
    for line in include_str!("../description/railway.graphql").lines() {
        assert!(wide.contains(line), "{line}");
    }
}
