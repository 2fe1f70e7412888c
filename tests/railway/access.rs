//! Tokens and their headers, and what each sees.

use keyway_simulator::railway::{PROJECT_TOKEN, Role, TOKEN, USER, WORKSPACE_TOKEN};
use serde_json::{Value, json};

use crate::support::{Answer, UPSERT, VARIABLES, World};

const ME: &str = "{ me { id name email workspaces { id name } \
     apiTokenRateLimit { remainingPoints resetsAt } } }";
const API_TOKEN: &str = "{ apiToken { workspaces { id name } } }";
const PROJECT_TOKEN_OF: &str = "{ projectToken { id projectId environmentId project { id name } \
     environment { id name } } }";
const PROJECTS: &str = "query($workspaceId: String, $first: Int, $after: String) { \
     projects(workspaceId: $workspaceId, first: $first, after: $after) { \
     edges { cursor node { id name deletedAt } } pageInfo { hasNextPage endCursor } } }";
const EXTERNAL: &str = "{ externalWorkspaces { id name projects { id name deletedAt } } }";

async fn bearer(world: &World, token: &str, query: &str) -> Answer {
    let header = format!("Bearer {token}");
    world
        .call_as(&[("authorization", &header)], query, json!({}))
        .await
}

async fn project_token(world: &World, query: &str, variables: Value) -> Answer {
    world
        .call_as(&[("project-access-token", PROJECT_TOKEN)], query, variables)
        .await
}

#[tokio::test]
async fn an_account_token_is_a_person() {
    let world = World::lived_in().await;
    let answer = world.call(ME, json!({})).await;
    let me = &answer.data()["me"];
    assert_eq!(me["id"], USER);
    // The workspace of a shared project is not one's own.
    assert_eq!(me["workspaces"].as_array().unwrap().len(), 1);
    assert_eq!(me["workspaces"][0]["name"], "Acme");
    assert_eq!(me["apiTokenRateLimit"]["remainingPoints"], 9_999);
    let answer = world.call(API_TOKEN, json!({})).await;
    assert_eq!(answer.data()["apiToken"]["workspaces"][0]["name"], "Acme");
    let answer = world.call(PROJECT_TOKEN_OF, json!({})).await;
    assert_eq!(answer.error(), "Project Token not found");
}

#[tokio::test]
async fn a_workspace_token_is_nobody_and_sees_its_workspace() {
    let world = World::lived_in().await;
    let answer = bearer(&world, WORKSPACE_TOKEN, ME).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.error(), "Not Authorized");
    assert_eq!(answer.body["data"], Value::Null);
    assert_eq!(answer.body["errors"][0]["path"], json!(["me"]));
    assert!(answer.body["errors"][0]["traceId"].is_string());
    let answer = bearer(&world, WORKSPACE_TOKEN, API_TOKEN).await;
    assert_eq!(answer.data()["apiToken"]["workspaces"][0]["name"], "Acme");
    assert_eq!(
        bearer(&world, WORKSPACE_TOKEN, EXTERNAL).await.error(),
        "Not Authorized"
    );
    let answer = bearer(&world, WORKSPACE_TOKEN, PROJECTS).await;
    assert_eq!(
        answer.data()["projects"]["edges"][0]["node"]["name"],
        "my-app"
    );
}

#[tokio::test]
async fn a_project_token_is_for_one_environment_in_its_own_header() {
    let world = World::lived_in().await;
    let answer = project_token(&world, PROJECT_TOKEN_OF, json!({})).await;
    let told = &answer.data()["projectToken"];
    assert_eq!(told["projectId"], world.project.as_str());
    assert_eq!(told["environmentId"], world.production.as_str());
    assert_eq!(told["environment"]["name"], "production");
    let here = world.input(&json!({}));
    project_token(&world, VARIABLES, here.clone()).await.data();
    let mut there = here;
    there["environmentId"] = json!(world.staging);
    let answer = project_token(&world, VARIABLES, there).await;
    assert_eq!(answer.error(), "Not Authorized");
    for query in [ME, API_TOKEN] {
        assert_eq!(
            project_token(&world, query, json!({})).await.error(),
            "Not Authorized"
        );
    }
    let input = world.input(&json!({ "variables": { "A": "1" } }));
    project_token(&world, UPSERT, json!({ "input": input }))
        .await
        .data();
    assert_eq!(world.values()["A"], "1");
}

#[tokio::test]
async fn a_token_in_the_wrong_header_is_none() {
    let world = World::starter().await;
    let account = format!("Bearer {TOKEN}");
    let project = format!("Bearer {PROJECT_TOKEN}");
    for headers in [
        vec![],
        vec![("authorization", project.as_str())],
        vec![("authorization", TOKEN)],
        vec![("project-access-token", TOKEN)],
        vec![
            ("authorization", account.as_str()),
            ("project-access-token", PROJECT_TOKEN),
        ],
        vec![("authorization", "Bearer somebody")],
    ] {
        let answer = world.call_as(&headers, API_TOKEN, json!({})).await;
        assert_eq!(answer.error(), "Not Authorized", "{headers:?}");
        assert_eq!(answer.code(), Some("INTERNAL_SERVER_ERROR"));
    }
    world.railway.revoke(TOKEN);
    assert_eq!(world.call(ME, json!({})).await.error(), "Not Authorized");
    world.railway.set(|options| options.precise_codes = true);
    assert_eq!(
        world.call(ME, json!({})).await.code(),
        Some("UNAUTHENTICATED")
    );
    let answer = bearer(&world, WORKSPACE_TOKEN, ME).await;
    assert_eq!(answer.code(), Some("FORBIDDEN"));
}

#[tokio::test]
async fn projects_come_in_pages() {
    let world = World::starter().await;
    let mut names = Vec::new();
    let mut after = Value::Null;
    let mut pages = 0;
    loop {
        let variables = json!({ "first": 10, "after": after });
        let answer = world.call(PROJECTS, variables).await;
        let page = &answer.data()["projects"];
        for edge in page["edges"].as_array().unwrap() {
            names.push(edge["node"]["name"].as_str().unwrap().to_owned());
        }
        pages += 1;
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!((pages, names.len()), (3, 24));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 24);

    // How many come without being asked for is not documented.
    for size in [20, 5] {
        world.railway.set(|options| options.page_size = size);
        let answer = world.call(PROJECTS, json!({})).await;
        let page = &answer.data()["projects"];
        assert_eq!(page["edges"].as_array().unwrap().len(), size);
        assert_eq!(page["pageInfo"]["hasNextPage"], true);
    }
    let answer = world.call(PROJECTS, json!({ "after": "nowhere" })).await;
    assert_eq!(answer.error(), "Problem processing request");
}

#[tokio::test]
async fn shared_projects_are_in_workspaces_of_others() {
    let world = World::lived_in().await;
    let answer = world.call(EXTERNAL, json!({})).await;
    let external = &answer.data()["externalWorkspaces"];
    assert_eq!(external[0]["name"], "Partner");
    let projects = external[0]["projects"].as_array().unwrap();
    let seen = |name: &str| {
        projects
            .iter()
            .find(|project| project["name"] == name)
            .unwrap()
    };
    assert_eq!(seen("partner-app")["deletedAt"], Value::Null);
    assert!(seen("partner-old")["deletedAt"].is_string());
    // A deleted one of one's own workspace is not in the list.
    let answer = world.call(PROJECTS, json!({ "first": 100 })).await;
    assert_eq!(
        answer.data()["projects"]["edges"].as_array().unwrap().len(),
        24
    );
    let partner = world.railway.workspace("Partner").unwrap();
    let answer = world
        .call(PROJECTS, json!({ "workspaceId": partner }))
        .await;
    assert_eq!(answer.error(), "Not Authorized");
}

#[tokio::test]
async fn a_viewer_reads_and_does_not_write() {
    let world = World::starter().await;
    let acme = world.railway.workspace("Acme").unwrap();
    world.railway.set_role(&acme, Some(Role::Viewer));
    world.read(true).await;
    let answer = world.upsert(&json!({ "variables": { "A": "1" } })).await;
    assert_eq!(answer.error(), "Not Authorized");
    assert_eq!(world.delete("A").await.error(), "Not Authorized");
    assert!(world.values().is_empty());
    assert_eq!(world.railway.deployments(), []);
}

#[tokio::test]
async fn a_closed_environment_is_shown_and_not_opened() {
    let world = World::lived_in().await;
    let query = "query($id: String!) { project(id: $id) { primaryEnvironmentId environments(first: 100) \
         { edges { node { id name isEphemeral canAccess } } } services(first: 100) { edges { node { \
         id name } } } } }";
    let answer = world.call(query, json!({ "id": world.project })).await;
    let project = &answer.data()["project"];
    assert_eq!(project["primaryEnvironmentId"], world.production.as_str());
    let edges = project["environments"]["edges"].as_array().unwrap();
    let told: Vec<_> = edges
        .iter()
        .map(|edge| &edge["node"])
        .map(|node| {
            let flags = (node["isEphemeral"] == true, node["canAccess"] == true);
            (node["name"].as_str().unwrap(), flags.0, flags.1)
        })
        .collect();
    let expected = [
        ("production", false, true),
        ("staging", false, true),
        ("pr-17", true, true),
        ("closed", false, false),
    ];
    assert_eq!(told, expected);
    assert_eq!(project["services"]["edges"].as_array().unwrap().len(), 3);
    let mut closed = world.input(&json!({}));
    closed["environmentId"] = json!(world.railway.environment(&world.project, "closed"));
    assert_eq!(
        world.call(VARIABLES, closed).await.error(),
        "Not Authorized"
    );
}

#[tokio::test]
async fn what_is_missing_may_be_told_or_not() {
    let world = World::starter().await;
    let query = "query($id: String!) { project(id: $id) { id } }";
    let missing = "00000000-0000-4000-8000-000000000000";
    let answer = world.call(query, json!({ "id": missing })).await;
    assert_eq!(answer.error(), "Project not found");
    world.railway.set(|options| options.tells_missing = false);
    let answer = world.call(query, json!({ "id": missing })).await;
    assert_eq!(answer.error(), "Not Authorized");
    // What is no id at all is nobody's fault, and has no code.
    let answer = world.call(query, json!({ "id": "my-app" })).await;
    assert_eq!(answer.error(), "Problem processing request");
    assert_eq!(answer.code(), None);
}

#[tokio::test]
async fn the_schema_can_be_asked_for_without_a_token() {
    let world = World::starter().await;
    let request = json!({ "query": "{ __schema { queryType { name } } }" });
    let answer = world.post(&[], &request).await.unwrap();
    assert_eq!(answer.data()["__schema"]["queryType"]["name"], "Query");
    world
        .railway
        .set(|options| options.open_introspection = false);
    let answer = world.post(&[], &request).await.unwrap();
    assert_eq!(answer.error(), "Not Authorized");
    let header = format!("Bearer {TOKEN}");
    let answer = world
        .post(&[("authorization", &header)], &request)
        .await
        .unwrap();
    assert_eq!(answer.data()["__schema"]["queryType"]["name"], "Query");
}
