//! Providers and connections.

use keyway_shared::domain::account::Scope;
use keyway_simulator::vercel::{TEAM, TOKEN};
use keyway_simulator::{Action, Fault};
use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::json;

use super::world::{World, connect, id};

const CONNECT: &str = "/v1/integrations/vercel/connect";
const CONNECTIONS: &str = "/v1/integrations/connections";
const ALL_PROJECTS: &str = "/v1/integrations/providers/vercel/all-projects";

async fn providers_are_open_to_everyone(profile: Profile) {
    let app = TestApp::start(profile).await;
    let data = app.anonymous().get("/v1/integrations").await.data(200);
    let shown: Vec<_> = data["providers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| {
            (
                p["name"].clone(),
                p["configured"].clone(),
                p["status"].clone(),
            )
        })
        .collect();
    assert_eq!(
        json!(shown),
        json!([
            ["vercel", true, "available"],
            ["netlify", true, "available"],
            ["railway", true, "available"],
            ["fly", true, "available"]
        ])
    );
    assert_eq!(data["providers"][0]["displayName"], "Vercel");
    assert_eq!(data["providers"][0]["authMethods"], json!(["token"]));
    let can = &data["providers"][0]["capabilities"];
    let expected = json!({ "environments": ["production", "preview", "development"],
        "customEnvironments": true, "branchEnvironment": "preview", "services": false,
        "suggestedEnvironments": { "production": "production", "staging": "preview",
            "development": "development", "dev": "development" },
        "pull": true, "reading": "single", "writeOnlyType": "sensitive", "canMakeWriteOnly": true,
        "reference": null, "createsPerCall": null, "updatesPerCall": null, "deletesPerCall": 1000,
        "writeEffect": "next-deployment", "deleteEffect": "next-deployment",
        "needsRedeploy": true, "maxVariables": 1000, "reservedPrefixes": ["VERCEL_"] });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&can[name], value, "{name}");
    }
    assert_eq!(
        can["rateBudgets"][0],
        json!({ "calls": ["read"], "limit": 500, "windowSeconds": 60 })
    );
}

async fn a_token_is_verified_and_never_shown(profile: Profile) {
    let world = World::start(profile).await;
    let answer = world
        .me
        .post(CONNECT, json!({ "token": format!(" {TOKEN}\n") }))
        .await;
    let data = answer.data(200);
    assert!(!answer.text.contains(TOKEN));
    assert_eq!(data["success"], true);
    assert_eq!(data["provider"], "vercel");
    assert_eq!(data["user"]["username"], "ada");
    // The same account keeps its id and is made anew.
    assert_eq!(id(&data["connection"]["id"]), world.connection);
    let listed = world.me.get(CONNECTIONS).await;
    assert!(!listed.text.contains(TOKEN));
    let connections = listed.data(200)["connections"].clone();
    assert_eq!(connections, json!([data["connection"]]));
    assert_eq!(connections[0]["providerAccountId"], "usr_simulated");
    assert_eq!(connections[0]["providerTeamId"], json!(null));
    assert_eq!(connections[0]["status"], "active");
    // A team's is another one.
    let team = world
        .me
        .post(CONNECT, json!({ "token": TOKEN, "teamId": TEAM }))
        .await
        .data(200);
    assert_ne!(id(&team["connection"]["id"]), world.connection);
    assert_eq!(team["connection"]["providerAccountId"], TEAM);
    assert_eq!(team["user"]["teamName"], "Acme");
    let activity = world.me.get("/v1/activity").await;
    assert!(activity.text.contains("integration_connected"));
    assert!(!activity.text.contains(TOKEN));
}

async fn what_is_no_token_is_refused(profile: Profile) {
    let world = World::start(profile).await;
    let me = &world.me;
    let bad = |token: &str| json!({ "token": token });
    me.post(CONNECT, bad("nonsense"))
        .await
        .problem(400, "invalid-token");
    me.post(CONNECT, bad("not ascii ü"))
        .await
        .problem(400, "invalid-token");
    me.post(CONNECT, bad(" ")).await.refuses(&["token"]);
    me.post(CONNECT, json!({})).await.refuses(&["token"]);
    me.post(CONNECT, json!({ "token": 5 }))
        .await
        .refuses(&["token"]);
    me.post(CONNECT, json!({ "token": TOKEN, "teamId": ".." }))
        .await
        .refuses(&["teamId"]);
    me.post("/v1/integrations/heroku/connect", bad(TOKEN))
        .await
        .problem(404, "not-found");
    let reader = world
        .app
        .key(&world.account.user, &[Scope::ReadSecrets], None)
        .await;
    let reader = world.app.client(&reader.token);
    reader
        .post(CONNECT, bad(TOKEN))
        .await
        .problem(403, "forbidden");
    reader.get(CONNECTIONS).await.data(200);
    world
        .app
        .anonymous()
        .post(CONNECT, bad(TOKEN))
        .await
        .problem(401, "unauthorized");
}

async fn a_providers_failures_are_told_apart(profile: Profile) {
    let world = World::start(profile).await;
    let html = || Action::Respond {
        status: 200,
        headers: [("content-type".to_owned(), "text/html".to_owned())].into(),
        body: format!("<html>{TOKEN}</html>"),
    };
    let limited = || Action::Respond {
        status: 429,
        headers: [("retry-after".to_owned(), "7".to_owned())].into(),
        body: json!({ "error": { "code": "rate_limited", "message": TOKEN } }).to_string(),
    };
    let broken = || Action::json(500, &json!({ "error": { "code": "x", "message": TOKEN } }));
    let projects = format!("{CONNECTIONS}/{}/projects", world.connection);
    for (action, status, code) in [
        (html(), 502, "provider-error"),
        (broken(), 502, "provider-error"),
        (Action::ResetBefore, 502, "provider-error"),
        (limited(), 503, "unavailable"),
    ] {
        world.vercel.fault(Fault::next(action.clone()));
        let answer = world.me.post(CONNECT, json!({ "token": TOKEN })).await;
        answer.problem(status, code);
        assert!(!answer.text.contains(TOKEN), "{}", answer.text);
        world.vercel.fault(Fault::next(action));
        let answer = world.me.get(&projects).await;
        answer.problem(status, code);
        assert!(!answer.text.contains(TOKEN), "{}", answer.text);
        if status == 503 {
            let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
            assert!((6..=9).contains(&seconds), "{seconds}");
        }
    }
}

async fn projects_are_all_of_them(profile: Profile) {
    let world = World::start(profile).await;
    let path = format!("{CONNECTIONS}/{}/projects", world.connection);
    let data = world.me.get(&path).await.data(200);
    let projects = data["projects"].as_array().expect("projects");
    assert_eq!(projects.len(), 23);
    let mine = projects
        .iter()
        .find(|project| project["id"] == "prj_myapp")
        .expect("my-app");
    assert_eq!(mine["linkedRepo"], "acme/my-app");
    assert_eq!(
        mine["environments"],
        json!(["production", "preview", "development", "staging"])
    );
    let stranger = world.app.user("eve").await;
    stranger.get(&path).await.problem(404, "not-found");
    stranger
        .delete(&format!("{CONNECTIONS}/{}", world.connection))
        .await
        .problem(404, "not-found");
    world
        .me
        .get(&format!("{CONNECTIONS}/nonsense/projects"))
        .await
        .problem(404, "not-found");
}

async fn one_dead_connection_does_not_spoil_the_rest(profile: Profile) {
    let world = World::start(profile).await;
    world
        .me
        .post(CONNECT, json!({ "token": TOKEN, "teamId": TEAM }))
        .await
        .data(200);
    let both = world.me.get(ALL_PROJECTS).await.data(200);
    assert_eq!(both["projects"].as_array().map(Vec::len), Some(24));
    assert_eq!(both["connections"].as_array().map(Vec::len), Some(2));
    assert_eq!(both["errors"], json!([]));
    let team = both["projects"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|project| project["name"] == "team-app")
        .expect("team-app");
    assert_eq!(team["teamId"], TEAM);
    assert_eq!(team["teamName"], "Acme");

    let dead = json!({ "error": { "code": "forbidden", "message": "no", "invalidToken": true } });
    world
        .vercel
        .fault(Fault::next(Action::json(403, &dead)).path("/projects"));
    let one = world.me.get(ALL_PROJECTS).await.data(200);
    assert_eq!(one["connections"].as_array().map(Vec::len), Some(2));
    assert_eq!(one["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["errors"][0]["code"], "reconnect-required");
    let broken = id(&one["errors"][0]["connectionId"]);
    let listed = world.me.get(CONNECTIONS).await.data(200)["connections"].clone();
    for connection in listed.as_array().into_iter().flatten() {
        let expected = if id(&connection["id"]) == broken {
            "needs-reconnect"
        } else {
            "active"
        };
        assert_eq!(connection["status"], expected);
    }
    assert!(
        one["projects"]
            .as_array()
            .is_some_and(|left| !left.is_empty())
    );
    // Nobody is asked with a credential that is known to be dead.
    world.vercel.reset_calls();
    let path = format!("{CONNECTIONS}/{broken}/projects");
    world.me.get(&path).await.problem(409, "reconnect-required");
    assert_eq!(world.vercel.calls(), 0);

    let stranger = world.app.user("eve").await;
    let none = stranger.get(ALL_PROJECTS).await.data(200);
    assert_eq!(
        none,
        json!({ "projects": [], "connections": [], "errors": [] })
    );
    stranger
        .get("/v1/integrations/providers/heroku/all-projects")
        .await
        .problem(404, "not-found");
}

async fn a_dead_credential_marks_its_connection(profile: Profile) {
    let world = World::start(profile).await;
    world.vercel.revoke(TOKEN);
    let path = format!("{CONNECTIONS}/{}/projects", world.connection);
    world.me.get(&path).await.problem(409, "reconnect-required");
    let listed = world.me.get(CONNECTIONS).await.data(200);
    assert_eq!(listed["connections"][0]["status"], "needs-reconnect");
    world
        .me
        .post(super::world::SYNC, world.fields())
        .await
        .problem(409, "reconnect-required");
}

async fn deleting_a_connection_ends_its_jobs(profile: Profile) {
    let world = World::start(profile).await;
    let waiting = {
        let (me, fields) = (world.me.clone(), world.fields());
        world
            .app
            .lifecycle
            .tracker
            .spawn(async move { me.post(super::world::SYNC, fields).await })
    };
    // The job is there as soon as the bell rings.
    world
        .rung(keyway_shared::domain::job::JobClass::Interactive)
        .await;
    let path = format!("{CONNECTIONS}/{}", world.connection);
    world.me.delete(&path).await.empty();
    let report = waiting.await.expect("an answer").data(200);
    assert_eq!(report["status"], "error");
    assert_eq!(report["success"], false);
    assert_eq!(report["errorCode"], "cancelled");
    assert_eq!(report["stats"]["total"], 0);
    world.me.delete(&path).await.problem(404, "not-found");
    let again = connect(&world.me).await;
    assert_ne!(again, world.connection);
}

on_both_profiles!(
    providers_are_open_to_everyone,
    a_token_is_verified_and_never_shown,
    what_is_no_token_is_refused,
    a_providers_failures_are_told_apart,
    projects_are_all_of_them,
    one_dead_connection_does_not_spoil_the_rest,
    a_dead_credential_marks_its_connection,
    deleting_a_connection_ends_its_jobs,
);
