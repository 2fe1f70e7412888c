//! Apps and their lists.

use keyway_simulator::fly::{
    APP, AppTokenList, BARE_APP, DEPLOY_TOKEN, ORGANIZATION, OTHER_ORGANIZATION, STAGING_APP,
    USER_TOKEN,
};
use serde_json::json;

use crate::support::{Answer, World, assert_refused};

fn names(list: &Answer) -> Vec<&str> {
    let apps = list.body["apps"].as_array().unwrap().iter();
    let names: Vec<_> = apps.map(|app| app["name"].as_str().unwrap()).collect();
    assert_eq!(list.body["total_apps"], names.len());
    names
}

async fn list(world: &World, slug: &str) -> Answer {
    world.get(&format!("/apps?org_slug={slug}")).await
}

#[tokio::test]
async fn an_organization_has_its_apps_on_one_page() {
    let world = World::lived_in().await;
    let apps = list(&world, ORGANIZATION).await;
    assert_eq!(names(&apps), [APP, STAGING_APP, BARE_APP]);
    let app = &apps.body["apps"][0];
    assert_eq!(
        app["organization"],
        json!({ "name": "Acme", "slug": ORGANIZATION })
    );
    assert_eq!(
        (&app["status"], &app["machine_count"], &app["volume_count"]),
        (&json!("deployed"), &json!(4), &json!(2))
    );
    let bare = &apps.body["apps"][2];
    assert_eq!(
        (&bare["status"], &bare["machine_count"]),
        (&json!("pending"), &json!(0))
    );
    assert_eq!(world.get(&format!("/apps/{APP}")).await.ok(), *app);
    world.fly.add_app("new", ORGANIZATION);
    assert_eq!(names(&list(&world, ORGANIZATION).await).len(), 4);
}

#[tokio::test]
async fn a_list_is_of_an_organization_that_the_token_reaches() {
    let world = World::lived_in().await;
    assert_refused(&world.get("/apps").await, 400, "org_slug");
    let others = list(&world, OTHER_ORGANIZATION).await;
    assert_refused(&others, 403, "no access");
    assert_refused(&list(&world, "nowhere").await, 404, "not found");
    // It is of nobody, and so it has no personal one.
    assert_refused(&list(&world, "personal").await, 404, "not found");
    let world = world.with(&format!("Bearer {USER_TOKEN}"));
    let personal = list(&world, "personal").await;
    assert_eq!(names(&personal), ["hobby"]);
    assert_eq!(list(&world, "ada-lovelace").await.body, personal.body);
    world.fly.add_organization("New", "new");
    assert_refused(&list(&world, "new").await, 403, "no access");
}

#[tokio::test]
async fn a_deploy_token_lists_nothing_or_its_own() {
    let world = World::lived_in().await.with(DEPLOY_TOKEN);
    assert_refused(&list(&world, ORGANIZATION).await, 403, "may not list");
    let with = |form| world.fly.set(|options| options.app_token_list = form);
    with(AppTokenList::OwnApps);
    assert_eq!(names(&list(&world, ORGANIZATION).await), [APP]);
    with(AppTokenList::Empty);
    assert_eq!(names(&list(&world, ORGANIZATION).await), [""; 0]);
}
