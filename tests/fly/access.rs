//! Tokens, and how they are sent.

use std::time::Duration;

use keyway_simulator::fly::{
    APP, DEPLOY_TOKEN, Grant, ORGANIZATION, OTHER_APP, READ_ONLY_TOKEN, STAGING_APP, TOKEN,
    USER_TOKEN,
};
use reqwest::header::AUTHORIZATION;
use serde_json::json;

use crate::support::{World, assert_refused, machine, secrets};

const CURRENT: &str = "/tokens/current";

/// A token without its scheme.
fn bare(token: &str) -> &str {
    token.strip_prefix("FlyV1 ").unwrap()
}

#[tokio::test]
async fn a_bundle_is_sent_as_it_was_handed_out() {
    let mut world = World::empty().await;
    let reversed: Vec<&str> = bare(TOKEN).split(',').rev().collect();
    for header in [
        TOKEN.to_owned(),
        // What more is in a bundle does no harm, nor does the order.
        format!("{TOKEN},fm2_of+another"),
        format!("FlyV1 {}", reversed.join(",")),
        // As the documentation of the Machines API shows it for all tokens.
        format!("Bearer {}", bare(TOKEN)),
        format!("bearer {TOKEN}"),
        format!("Bearer {USER_TOKEN}"),
    ] {
        world = world.with(&header);
        assert_eq!(world.get(CURRENT).await.status, 200, "{header}");
    }
}

#[tokio::test]
async fn without_a_token_that_is_whole_and_known_nothing_is_told() {
    let mut world = World::empty().await;
    let first = bare(TOKEN).split(',').next().unwrap();
    for header in [
        bare(TOKEN).to_owned(),
        format!("FlyV1 {first}"),
        "FlyV1 fm2_of+nobody".to_owned(),
        "Bearer nobody".to_owned(),
        // `FlyV1` is for macaroons.
        format!("FlyV1 {USER_TOKEN}"),
        USER_TOKEN.to_owned(),
        format!("Basic {USER_TOKEN}"),
    ] {
        world = world.with(&header);
        assert_refused(&world.get(CURRENT).await, 401, "unauthorized");
        assert_refused(&world.read().await, 401, "unauthorized");
    }
    let mut request = world.request("GET", "/v1/tokens/current").build().unwrap();
    request.headers_mut().remove(AUTHORIZATION);
    let none = reqwest::RequestBuilder::from_parts(world.http.clone(), request);
    assert_refused(&world.send(none).await, 401, "unauthorized");
}

#[tokio::test]
async fn bearer_may_be_too_little_for_macaroons() {
    let mut world = World::empty().await;
    world.fly.set(|options| options.bearer_macaroons = false);
    for (header, status) in [
        (TOKEN.to_owned(), 200),
        (format!("Bearer {USER_TOKEN}"), 200),
        (format!("Bearer {}", bare(TOKEN)), 401),
        (format!("Bearer {TOKEN}"), 401),
    ] {
        world = world.with(&header);
        assert_eq!(world.get(CURRENT).await.status, status, "{header}");
    }
}

#[tokio::test]
async fn a_token_tells_what_it_is_for() {
    let world = World::lived_in().await;
    let tokens = world.get(CURRENT).await.ok();
    let token = &tokens["tokens"][0];
    assert_eq!(
        (&token["organization"], &token["org_slug"]),
        (&json!("Acme"), &json!(ORGANIZATION))
    );
    assert!(token["token_id"].is_string());
    assert!(token.get("apps").is_none() && token.get("user").is_none());

    let world = world.with(DEPLOY_TOKEN);
    let token = &world.get(CURRENT).await.ok()["tokens"][0];
    assert_eq!(token["apps"], json!([APP]));

    let world = world.with(&format!("Bearer {USER_TOKEN}"));
    let tokens = world.get(CURRENT).await.ok();
    let slugs = tokens["tokens"].as_array().unwrap().iter();
    let slugs: Vec<_> = slugs.map(|token| &token["org_slug"]).collect();
    assert_eq!(slugs, [ORGANIZATION, "ada-lovelace"]);
    assert_eq!(tokens["tokens"][0]["user"], "ada@example.com");
}

#[tokio::test]
async fn a_deploy_token_reaches_its_own_app() {
    let world = World::lived_in().await.with(DEPLOY_TOKEN);
    assert_eq!(world.get(&format!("/apps/{APP}")).await.status, 200);
    assert_eq!(world.write(json!({ "A": "1" })).await.status, 200);
    for app in [STAGING_APP, OTHER_APP] {
        let path = format!("/apps/{app}/secrets");
        assert_refused(&world.get(&path).await, 403, "no access");
        let body = json!({ "values": { "A": "1" } });
        assert_refused(&world.post(&path, &body).await, 403, "no access");
        assert_eq!(world.fly.value(app, "A"), None);
    }
    assert_refused(&world.get("/apps/nowhere").await, 404, "not found");
    // An app of others may look as if it were not there.
    world.fly.set(|options| options.out_of_reach_status = 404);
    let other = format!("/apps/{OTHER_APP}");
    assert_eq!(world.get(&other).await.status, 404);
}

#[tokio::test]
async fn a_token_of_an_organization_does_not_reach_others() {
    let world = World::lived_in().await;
    assert_eq!(world.get(&format!("/apps/{STAGING_APP}")).await.status, 200);
    let other = format!("/apps/{OTHER_APP}/machines");
    assert_refused(&world.get(&other).await, 403, "no access");
}

#[tokio::test]
async fn a_token_may_be_for_reading_only() {
    let world = World::empty().await.with(READ_ONLY_TOKEN);
    let id = world.machine();
    assert_eq!(world.read().await.status, 200);
    assert_eq!(world.get(&machine(&id, "")).await.status, 200);
    assert_refused(&world.write(json!({ "A": "1" })).await, 403, "only read");
    assert_refused(&world.delete(&secrets("A")).await, 403, "only read");
    let config = json!({ "config": { "image": "nginx" } });
    let update = world.post(&machine(&id, ""), &config).await;
    assert_refused(&update, 403, "only read");
    assert_eq!(world.fly.secrets_version(APP), Some(0));
    // Beside one that may write, in one bundle, it takes nothing away.
    let world = world.with(&format!("{READ_ONLY_TOKEN},{}", bare(DEPLOY_TOKEN)));
    assert_eq!(world.write(json!({ "A": "1" })).await.status, 200);
}

#[tokio::test]
async fn a_token_ends() {
    let world = World::empty().await;
    let grant = Grant::organization(ORGANIZATION).apps(&[APP]).user("bob");
    let token = world.fly.add_token(grant, Some(Duration::from_hours(1)));
    assert!(token.starts_with("FlyV1 fm2_") && token.contains(",fm2_"));
    let world = world.with(&token);
    let shown = world.get(CURRENT).await.ok();
    assert_eq!(shown["tokens"][0]["user"], "bob");
    world.fly.advance(Duration::from_hours(1));
    assert_refused(&world.get(CURRENT).await, 401, "unauthorized");

    let world = world.with(TOKEN);
    assert_eq!(world.read().await.status, 200);
    world.fly.revoke(TOKEN);
    assert_refused(&world.read().await, 401, "unauthorized");
}
