//! What is not certain about Netlify: each way that it may be.

use keyway_simulator::netlify::{
    ACCOUNT, AllWithOthers, ErrorForm, LastValue, OnConflict, SITE, SiteVariables,
};
use serde_json::json;

use super::{World, assert_refused, env, pairs, variable};

#[tokio::test]
async fn one_context_meets_a_value_of_all() {
    for (how, after) in [
        (
            AllWithOthers::Beside,
            vec![("all", "1"), ("production", "2")],
        ),
        (AllWithOthers::Replaced, vec![("production", "2")]),
        (
            AllWithOthers::Split,
            vec![
                ("deploy-preview", "1"),
                ("branch-deploy", "1"),
                ("dev", "1"),
                ("dev-server", "1"),
                ("production", "2"),
            ],
        ),
    ] {
        let world = World::starter().await;
        world.netlify.set(|options| options.all_with_others = how);
        world.make("KEY", &[("all", "1")]).await;
        let patched = world.set("KEY", "production", "2").await;
        assert_eq!(patched.status, 201);
        assert_eq!(patched.values(), pairs(&after), "{how:?}");
    }
    let world = World::starter().await;
    world.make("KEY", &[("all", "1")]).await;
    world
        .netlify
        .set(|options| options.all_with_others = AllWithOthers::Refused);
    assert_refused(
        &world.set("KEY", "production", "2").await,
        422,
        "with others",
    );
    let mixed = variable("KEY", &[("all", "1"), ("dev", "2")]);
    assert_refused(
        &world.call("PUT", &env("KEY"), &mixed).await,
        422,
        "with others",
    );
    assert_eq!(world.read("KEY").await.values(), pairs(&[("all", "1")]));
    assert_eq!(
        world.set("KEY", "all", "3").await.values(),
        pairs(&[("all", "3")])
    );
}

#[tokio::test]
async fn a_value_of_all_meets_others() {
    for (how, after) in [
        (AllWithOthers::Beside, vec![("dev", "1"), ("all", "2")]),
        (AllWithOthers::Replaced, vec![("all", "2")]),
        (AllWithOthers::Split, vec![("all", "2")]),
    ] {
        let world = World::starter().await;
        world.netlify.set(|options| options.all_with_others = how);
        world.make("KEY", &[("dev", "1")]).await;
        assert_eq!(
            world.set("KEY", "all", "2").await.values(),
            pairs(&after),
            "{how:?}"
        );
    }
}

#[tokio::test]
async fn a_create_meets_a_key_that_is_there() {
    let body = json!([
        variable("NEW", &[("all", "1")]),
        variable("THERE", &[("dev", "new")]),
        variable("LAST", &[("all", "1")]),
    ]);
    for (how, status, there) in [
        (OnConflict::Refused, 409, vec![("all", "old")]),
        (OnConflict::Kept, 201, vec![("all", "old")]),
        (OnConflict::Replaced, 201, vec![("dev", "new")]),
    ] {
        let world = World::starter().await;
        world.netlify.set(|options| {
            options.on_conflict = how;
            options.conflict_status = 409;
            options.partial_creates = true;
        });
        world.make("THERE", &[("all", "old")]).await;
        assert_eq!(world.create(&body).await.status, status, "{how:?}");
        assert_eq!(world.read("THERE").await.values(), pairs(&there), "{how:?}");
        // What came before a refusal was made, what came after was not.
        assert_eq!(world.read("NEW").await.status, 200);
        let last = if status == 201 { 200 } else { 404 };
        assert_eq!(world.read("LAST").await.status, last);
    }
}

#[tokio::test]
async fn the_last_value_of_a_variable_goes() {
    for (how, deleted, read) in [
        (LastValue::KeyStays, 204, 200),
        (LastValue::KeyGoes, 204, 404),
        (LastValue::Refused, 422, 200),
    ] {
        let world = World::starter().await;
        world.netlify.set(|options| options.last_value = how);
        world.make("KEY", &[("all", "1")]).await;
        let id = world.read("KEY").await.body["values"][0]["id"].clone();
        let id = id.as_str().unwrap();
        let path = format!("/accounts/{ACCOUNT}/env/KEY/value/{id}?site_id={SITE}");
        assert_eq!(world.delete(&path).await.status, deleted, "{how:?}");
        let after = world.read("KEY").await;
        assert_eq!(after.status, read, "{how:?}");
        if how == LastValue::KeyStays {
            assert_eq!(after.body["values"], json!([]));
        }
    }
}

#[tokio::test]
async fn a_replacement_keeps_the_ids_of_its_values_or_not() {
    let world = World::starter().await;
    world.netlify.set(|options| options.stable_value_ids = true);
    world.make("KEY", &[("dev", "1"), ("branch:a", "1")]).await;
    let before = world.read("KEY").await.body;
    let body = variable("KEY", &[("branch:a", "2"), ("branch:b", "2")]);
    let after = world.call("PUT", &env("KEY"), &body).await.body;
    assert_eq!(after["values"][0]["id"], before["values"][1]["id"]);
    assert_ne!(after["values"][1]["id"], before["values"][0]["id"]);
}

#[tokio::test]
async fn a_list_of_one_context_shows_all_values_or_those() {
    let world = World::starter().await;
    let path = format!("{}&context_name=dev", env(""));
    let list = world.get(&path).await;
    assert_eq!(list.body[0]["values"].as_array().unwrap().len(), 2);
    world
        .netlify
        .set(|options| options.context_filter_cuts_values = true);
    let list = world.get(&path).await;
    assert_eq!(
        super::values(&list.body[0]),
        pairs(&[("dev", "postgres://development")])
    );
}

#[tokio::test]
async fn errors_have_one_of_the_forms_that_were_seen() {
    let world = World {
        undescribed: true,
        ..World::starter().await
    };
    for (form, body) in [
        (
            ErrorForm::Msg,
            json!({ "code": 404, "msg": "Site not found" }),
        ),
        (ErrorForm::Errors, json!({ "errors": ["Site not found"] })),
        (ErrorForm::Text, json!(null)),
    ] {
        world.netlify.set(|options| options.error_form = form);
        let error = world.get("/sites/none").await;
        assert_eq!((error.status, &error.body), (404, &body));
        assert!(error.text.contains("Site not found"));
    }
}

#[tokio::test]
async fn a_field_without_a_value_is_not_there_or_null() {
    let world = World {
        undescribed: true,
        ..World::starter().await
    };
    let path = "/sites/dropped.netlify.app";
    let site = world.get(path).await.body;
    assert!(site.get("custom_domain").is_none());
    world.netlify.set(|options| options.null_fields = true);
    let site = world.get(path).await.body;
    assert!(site["custom_domain"].is_null() && site.get("custom_domain").is_some());
    let value = &world.get(&env("")).await.body[0]["values"][0];
    assert!(value.get("context_parameter").is_some());
}

#[tokio::test]
async fn answers_have_an_id_or_not() {
    let world = World::starter().await;
    let (one, other) = (world.get("/user").await, world.get("/sites/none").await);
    assert!(one.header("x-nf-request-id").is_some());
    assert_ne!(
        one.header("x-nf-request-id"),
        other.header("x-nf-request-id")
    );
    world.netlify.set(|options| options.request_ids = false);
    assert_eq!(world.get("/user").await.header("x-nf-request-id"), None);
}

#[tokio::test]
async fn a_sites_variables_are_where_the_description_says_or_elsewhere() {
    let world = World::starter().await;
    let described = format!("/api/v1/sites/{SITE}/env");
    let list = world.get(&described).await;
    assert_eq!(list.body, world.get(&env("")).await.body);
    let world = World {
        undescribed: true,
        ..world
    };
    let once = format!("/sites/{SITE}/env");
    assert_eq!(world.get(&once).await.status, 404);
    world
        .netlify
        .set(|options| options.site_variables = SiteVariables::Once);
    assert_eq!(world.get(&once).await.body, list.body);
    assert_eq!(world.get(&described).await.status, 404);
    world
        .netlify
        .set(|options| options.site_variables = SiteVariables::Nowhere);
    assert_eq!(world.get(&once).await.status, 404);
}
