//! Variables: lists, creates, replacements, single values, deletions.

use keyway_simulator::netlify::{ACCOUNT, COLLABORATOR_TOKEN, FREE_ACCOUNT, Preset, SITE, USER};
use serde_json::json;

use super::{World, assert_refused, env, pairs, shared, values, variable};

#[tokio::test]
async fn a_list_shows_the_values_of_each_context() {
    let world = World::new(Preset::LivedIn).await;
    let list = world.get(&env("")).await;
    assert_eq!(list.status, 200);
    let all = list.body.as_array().unwrap();
    assert_eq!(all.len(), 10);
    let feature = all.iter().find(|one| one["key"] == "FEATURE").unwrap();
    assert_eq!(
        values(feature),
        pairs(&[
            ("branch-deploy", "off"),
            ("branch:feature/login", "on"),
            ("branch:staging", "maybe"),
            ("deploy-preview", "off"),
        ])
    );
    assert_eq!(feature["is_secret"], false);
    assert_eq!(feature["updated_by"]["id"], USER);
    assert!(feature["updated_at"].is_string());
    assert!(feature.get("created_at").is_none());
    // With an underscore, whatever the description says.
    let scopes = json!(["builds", "functions", "runtime", "post_processing"]);
    assert_eq!(feature["scopes"], scopes);
    let one = world.read("FEATURE").await;
    assert_eq!((one.status, &one.body), (200, feature));
}

#[tokio::test]
async fn without_a_site_the_same_path_is_the_teams() {
    let world = World::new(Preset::LivedIn).await;
    let keys = |answer: &super::Answer| -> Vec<String> {
        let all = answer.body.as_array().unwrap().iter();
        all.map(|one| one["key"].as_str().unwrap().to_owned())
            .collect()
    };
    let team = world.get(&shared("")).await;
    assert_eq!(keys(&team), ["API_URL", "NPM_TOKEN", "REGION"]);
    // An empty one is none.
    let empty = world
        .get(&format!("/accounts/{ACCOUNT}/env?site_id="))
        .await;
    assert_eq!(keys(&empty), keys(&team));
    // Neither list has the other's.
    assert_eq!(world.read("REGION").await.status, 404);
    let here = world.read("API_URL").await;
    let there = world.get(&shared("API_URL")).await;
    assert_ne!(values(&here.body), values(&there.body));
    // Whoever forgets the site deletes for every site of the team.
    let gone = world.delete(&shared("API_URL")).await;
    assert_eq!(gone.status, 204);
    assert_eq!(world.read("API_URL").await.status, 200);
    assert_eq!(world.get(&shared("API_URL")).await.status, 404);
}

#[tokio::test]
async fn the_teams_are_for_owners_and_for_those_who_pay() {
    let world = World::new(Preset::LivedIn).await.with(COLLABORATOR_TOKEN);
    assert_refused(&world.get(&shared("")).await, 403, "owners");
    assert_eq!(world.get(&env("")).await.status, 200);
    world
        .netlify
        .set(|options| options.team_variables_status = 401);
    assert_refused(&world.get(&shared("")).await, 401, "owners");

    let world = World::starter().await;
    let path = format!("/accounts/{FREE_ACCOUNT}/env");
    let body = json!([variable("KEY", &[("all", "1")])]);
    assert_refused(&world.call("POST", &path, &body).await, 403, "Upgrade");
    assert_eq!(world.get(&path).await.body, json!([]));
}

#[tokio::test]
async fn a_deployment_gets_the_sites_value_before_the_teams_and_a_contexts_before_that_of_all() {
    let world = World::new(Preset::LivedIn).await;
    let value = |key: &str, context: &str, branch: Option<&str>| {
        world
            .netlify
            .value(SITE, key, context, branch)
            .unwrap_or_default()
    };
    assert_eq!(value("API_URL", "production", None), "https://api.acme.dev");
    assert_eq!(value("REGION", "production", None), "eu");
    assert_eq!(value("LOG_LEVEL", "production", None), "warn");
    assert_eq!(value("LOG_LEVEL", "dev", None), "debug");
    assert_eq!(value("FEATURE", "branch-deploy", None), "off");
    assert_eq!(value("FEATURE", "branch-deploy", Some("staging")), "maybe");
    assert_eq!(value("FEATURE", "branch-deploy", Some("other")), "off");
    assert_eq!(value("FEATURE", "production", None), "");
}

#[tokio::test]
async fn a_list_can_be_of_one_context_or_scope() {
    let world = World::new(Preset::LivedIn).await;
    let count = async |more: &str| {
        let list = world.get(&format!("{}&{more}", env(""))).await;
        list.body.as_array().map(Vec::len)
    };
    assert_eq!(count("context_name=production").await, Some(8));
    assert_eq!(count("context_name=all").await, Some(4));
    assert_eq!(count("scope=post-processing").await, Some(8));
    assert_eq!(count("scope=builds").await, Some(10));
    // `branch` is no filter.
    let branch = world.get(&format!("{}&context_name=branch", env(""))).await;
    assert_refused(&branch, 422, "context_name");
    let scope = world.get(&format!("{}&scope=other", env(""))).await;
    assert_refused(&scope, 422, "scope");
}

#[tokio::test]
async fn several_new_keys_are_one_call() {
    let world = World::starter().await;
    let body = json!([
        variable("A", &[("production", "1"), ("branch:staging", "2")]),
        variable("B", &[("all", "3")]),
    ]);
    let made = world.create(&body).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.body[0]["key"], "A");
    assert_eq!(
        values(&made.body[0]),
        pairs(&[("production", "1"), ("branch:staging", "2")])
    );
    assert_eq!(values(&made.body[1]), pairs(&[("all", "3")]));
    assert_eq!(world.read("A").await.body, made.body[0]);
    assert_eq!(world.netlify.snapshot(SITE).len(), 5);
    assert_eq!(world.create(&json!([])).await.body, json!([]));
    let object = variable("C", &[("all", "3")]);
    assert_refused(&world.create(&object).await, 400, "as described");
}

#[tokio::test]
async fn a_create_of_a_key_that_is_there_makes_nothing() {
    let world = World::starter().await;
    world.make("THERE", &[("production", "old")]).await;
    let before = world.netlify.snapshot(SITE);
    let body = json!([
        variable("NEW", &[("all", "1")]),
        variable("THERE", &[("all", "new")]),
    ]);
    assert_refused(&world.create(&body).await, 422, "THERE already exists");
    let twice = json!([
        variable("NEW", &[("all", "1")]),
        variable("NEW", &[("all", "2")])
    ]);
    assert_refused(&world.create(&twice).await, 422, "NEW already exists");
    assert_eq!(world.netlify.snapshot(SITE), before);
    // Keys have a case.
    world.make("there", &[("production", "other")]).await;
    assert_eq!(
        world.read("THERE").await.values(),
        pairs(&[("production", "old")])
    );
}

#[tokio::test]
async fn a_put_erases_the_values_that_it_does_not_name() {
    let world = World::starter().await;
    world
        .make("KEY", &[("production", "1"), ("dev", "2")])
        .await;
    let ids = world.read("KEY").await.body["values"].clone();
    let body = variable("KEY", &[("production", "3")]);
    let put = world.call("PUT", &env("KEY"), &body).await;
    assert_eq!(put.status, 200);
    assert_eq!(put.values(), pairs(&[("production", "3")]));
    assert_ne!(put.body["values"][0]["id"], ids[0]["id"]);
    assert_eq!(world.read("KEY").await.body, put.body);
    // What was read can be sent back, with its ids, of which nothing comes.
    let back = world.read("KEY").await.body;
    let body = json!({ "key": "KEY", "values": back["values"] });
    let put = world.call("PUT", &env("KEY"), &body).await;
    assert_eq!(put.values(), pairs(&[("production", "3")]));
    let none = world.call("PUT", &env("OTHER"), &body).await;
    assert_refused(&none, 404, "not found");
    let empty = json!({ "key": "KEY", "values": [] });
    assert_refused(&world.call("PUT", &env("KEY"), &empty).await, 422, "Values");
}

#[tokio::test]
async fn a_put_renames_and_keeps_the_scopes() {
    let world = World::starter().await;
    let mut body = variable("OLD", &[("all", "1")]);
    body["scopes"] = json!(["builds"]);
    world.create(&json!([body])).await;
    let body = variable("NEW", &[("all", "1")]);
    let put = world.call("PUT", &env("OLD"), &body).await;
    assert_eq!(
        (&put.body["key"], &put.body["scopes"]),
        (&json!("NEW"), &json!(["builds"]))
    );
    assert_eq!(world.read("OLD").await.status, 404);
    let taken = variable("DATABASE_URL", &[("all", "1")]);
    assert_refused(
        &world.call("PUT", &env("NEW"), &taken).await,
        422,
        "already exists",
    );
    // Without a key it stays what it is.
    let body = json!({ "values": [{ "context": "dev", "value": "2" }] });
    let put = world.call("PUT", &env("NEW"), &body).await;
    assert_eq!(put.body["key"], "NEW");
}

#[tokio::test]
async fn a_patch_sets_one_value_and_leaves_the_others() {
    let world = World::starter().await;
    world
        .make("KEY", &[("production", "1"), ("dev", "2")])
        .await;
    let before = world.read("KEY").await.body;
    let patched = world.set("KEY", "production", "3").await;
    assert_eq!(patched.status, 201);
    assert_eq!(
        patched.values(),
        pairs(&[("production", "3"), ("dev", "2")])
    );
    // The same value with the same id, at a later time.
    assert_eq!(patched.body["values"][0]["id"], before["values"][0]["id"]);
    assert!(patched.body["updated_at"].as_str() > before["updated_at"].as_str());
    world.set("KEY", "branch-deploy", "4").await;
    let body = json!({ "context": "branch", "context_parameter": "fix/a", "value": "5" });
    let patched = world.call("PATCH", &env("KEY"), &body).await;
    assert_eq!(
        patched.values(),
        pairs(&[
            ("production", "3"),
            ("dev", "2"),
            ("branch-deploy", "4"),
            ("branch:fix/a", "5"),
        ])
    );
    assert_refused(&world.set("OTHER", "dev", "1").await, 404, "not found");
    // The team's variable of this key is another.
    let body = json!({ "context": "dev", "value": "1" });
    let team = world.call("PATCH", &shared("KEY"), &body).await;
    assert_refused(&team, 404, "not found");
}

#[tokio::test]
async fn deletions_answer_nothing_at_all() {
    let world = World::starter().await;
    world
        .make("KEY", &[("production", "1"), ("dev", "2")])
        .await;
    let id = world.read("KEY").await.body["values"][0]["id"].clone();
    let one = format!(
        "/accounts/{ACCOUNT}/env/KEY/value/{}?site_id={SITE}",
        id.as_str().unwrap()
    );
    let gone = world.delete(&one).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(gone.header("content-type"), None);
    assert_eq!(world.read("KEY").await.values(), pairs(&[("dev", "2")]));
    assert_refused(&world.delete(&one).await, 404, "Value not found");
    let gone = world.delete(&env("KEY")).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_refused(&world.delete(&env("KEY")).await, 404, "not found");
    // Without an id there is no such call, whatever context is named.
    let undescribed = World {
        undescribed: true,
        ..world
    };
    let path = format!("/accounts/{ACCOUNT}/env/KEY/value?site_id={SITE}&context=dev");
    assert_refused(&undescribed.delete(&path).await, 404, "Endpoint");
}

#[tokio::test]
async fn a_key_is_one_segment_of_the_path() {
    let world = World::starter().await;
    world.netlify.set(|options| options.safe_keys = false);
    world.make("A/B C", &[("all", "1")]).await;
    let read = world.read("A%2FB%20C").await;
    assert_eq!((read.status, &read.body["key"]), (200, &json!("A/B C")));
}
