//! Connecting, and what becomes of tokens that do not work or may not do something.

use keyway_simulator::Fault;
use serde_json::json;

use crate::world::World;

crate::for_every_provider!(
    what_it_can_do_is_told,
    a_token_connects_and_shows_every_project,
    a_token_that_nobody_gave_is_refused,
    a_dead_token_asks_for_a_new_connection,
    a_missing_right_is_told_and_nothing_is_written,
    an_unknown_environment_is_refused_with_the_known_ones,
);

async fn what_it_can_do_is_told(world: World) {
    let can = world.capabilities().await;
    let suggested = can["suggestedEnvironments"].as_object().unwrap();
    assert_eq!(suggested["production"], "production");
    // What only sounds alike is never production.
    let to_production = suggested.iter().filter(|(_, to)| *to == "production");
    assert_eq!(to_production.count(), 1, "{suggested:?}");
    for effect in ["writeEffect", "deleteEffect"] {
        assert!(can[effect].is_string(), "{effect}");
    }
    assert_eq!(can["pull"], can["reading"] != "digest");
}

async fn a_token_connects_and_shows_every_project(world: World) {
    let answer = world.try_connect(world.stage.token()).await;
    assert!(!answer.text.contains(world.stage.token()));
    // The same account keeps its connection.
    let data = answer.data(200);
    assert_eq!(data["connection"]["id"], world.connection.as_str());
    let path = format!("/v1/integrations/connections/{}/projects", world.connection);
    let data = world.me.get(&path).await.data(200);
    let projects = data["projects"].as_array().unwrap();
    assert_eq!(projects.len(), world.stage.projects());
    let target = world.stage.target();
    let mut mine = projects
        .iter()
        .filter(|project| project["id"] == target["projectId"]);
    let mine = mine.next().expect("the project");
    assert!(!mine["environments"].as_array().unwrap().is_empty());
    assert_eq!(mine["name"], "my-app");
}

async fn a_token_that_nobody_gave_is_refused(world: World) {
    for token in ["nobody-gave-this-one", "with space", "\u{e9}"] {
        let answer = world.try_connect(token).await;
        answer.problem(400, "invalid-token");
        assert!(!answer.text.contains(token));
    }
}

async fn a_dead_token_asks_for_a_new_connection(world: World) {
    world.set_vault(&[("ONE", "value-one")]).await;
    let before = world.stage.here();
    world.stage.revoke();
    let job = world.sync(&json!({})).await;
    assert_eq!(
        (&job["state"], &job["errorCode"]),
        (&json!("failed"), &json!("reconnect-required"))
    );
    assert_eq!(world.stage.here(), before);
    let data = world.me.get("/v1/integrations/connections").await.data(200);
    assert_eq!(data["connections"][0]["status"], "needs-reconnect");
    let refused = world.me.post(crate::world::SYNC, world.fields(&json!({})));
    refused.await.problem(409, "reconnect-required");
}

async fn a_missing_right_is_told_and_nothing_is_written(world: World) {
    world
        .set_vault(&[("ONE", "value-one"), ("TWO", "value-two")])
        .await;
    let before = (world.stage.here(), world.stage.elsewhere());
    // The list is allowed, every write is not.
    let forbidden = Fault::next(world.stage.forbidden());
    world.stage.fault(forbidden.after(1).times(1));
    let job = world.sync(&json!({})).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!(job["errorCode"], "forbidden", "{job}");
    assert_eq!((world.stage.here(), world.stage.elsewhere()), before);
}

async fn an_unknown_environment_is_refused_with_the_known_ones(world: World) {
    world.set_vault(&[("ONE", "value-one")]).await;
    let before = (world.stage.here(), world.stage.elsewhere());
    let job = world
        .sync(&json!({ "providerEnvironment": "no-such-environment" }))
        .await;
    assert_eq!(job["errorCode"], "unknown-environment", "{job}");
    let error = job["error"].as_str().unwrap();
    assert!(error.contains("production"), "{error}");
    assert_eq!((world.stage.here(), world.stage.elsewhere()), before);
}
