//! Tokens, the user and the teams.

use std::time::Duration;

use keyway_simulator::netlify::{
    ACCOUNT, COLLABORATOR, COLLABORATOR_TOKEN, FREE_ACCOUNT, GUEST_ACCOUNT, Plan, Role, SITE,
    TOKEN, USER,
};
use reqwest::header::{AUTHORIZATION, USER_AGENT};

use super::{World, assert_refused, env};

#[tokio::test]
async fn a_user_has_no_slug() {
    let world = World::starter().await;
    let user = world.get("/user").await;
    assert_eq!(user.status, 200);
    assert_eq!(user.body["id"], USER);
    assert_eq!(user.body["full_name"], "Ada Lovelace");
    assert_eq!(user.body["email"], "ada.lovelace@example.com");
    assert_eq!(user.body["site_count"], 125);
    assert!(user.body.get("slug").is_none());
}

#[tokio::test]
async fn a_user_sees_the_teams_that_they_are_in() {
    let world = World::starter().await;
    world
        .netlify
        .add_account("Strangers", Plan::Pro, &[("nobody", Role::Owner)]);
    let accounts = world.get("/accounts").await.body;
    let ids: Vec<_> = accounts
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["id"])
        .collect();
    assert_eq!(ids, [ACCOUNT, FREE_ACCOUNT, GUEST_ACCOUNT]);
    assert_eq!(accounts[0]["slug"], "acme");
    assert_eq!(accounts[0]["type_name"], "Pro");
    assert_eq!(accounts[1]["slug"], "ada-lovelace");
    assert_eq!(accounts[2]["owner_ids"][0], COLLABORATOR);
    let one = world.get(&format!("/accounts/{ACCOUNT}")).await;
    assert_eq!(one.body, accounts[0]);

    let other = World::starter().await.with(COLLABORATOR_TOKEN);
    assert_eq!(
        other.get("/accounts").await.body.as_array().unwrap().len(),
        2
    );
    let theirs = other.get(&format!("/accounts/{FREE_ACCOUNT}")).await;
    assert_refused(&theirs, 404, "not found");
}

#[tokio::test]
async fn an_account_goes_by_id_and_by_slug_unless_it_is_told_otherwise() {
    let world = World::starter().await;
    let by_slug = format!("/accounts/acme/env?site_id={SITE}");
    assert_eq!(
        world.get(&by_slug).await.body,
        world.get(&env("")).await.body
    );
    assert_eq!(world.get(&format!("/{ACCOUNT}/sites")).await.status, 200);
    world.netlify.set(|options| options.account_by_slug = false);
    assert_refused(&world.get(&by_slug).await, 404, "Account not found");
    assert_eq!(world.get(&env("")).await.status, 200);
    assert_eq!(world.get("/acme/sites").await.status, 200);
    assert_eq!(world.get(&format!("/{ACCOUNT}/sites")).await.status, 404);
}

#[tokio::test]
async fn a_call_needs_a_token_that_lives() {
    let world = World::starter().await.with("of nobody");
    assert_refused(&world.get("/user").await, 401, "Access Denied");
    let mut request = world.request("GET", "/api/v1/user").build().unwrap();
    request.headers_mut().remove(AUTHORIZATION);
    let bare = reqwest::RequestBuilder::from_parts(world.http.clone(), request);
    assert_refused(&world.send(bare).await, 401, "Access Denied");

    let short = world.netlify.add_token(USER, Some(Duration::from_hours(1)));
    let world = world.with(&short);
    assert_eq!(world.get("/user").await.status, 200);
    world.netlify.advance(Duration::from_hours(1));
    assert_refused(&world.get("/user").await, 401, "Access Denied");

    let world = world.with(TOKEN);
    assert_eq!(world.get("/user").await.status, 200);
    world.netlify.revoke(TOKEN);
    assert_refused(&world.get("/user").await, 401, "Access Denied");
}

#[tokio::test]
async fn a_new_password_ends_every_token_of_its_user() {
    let world = World::starter().await;
    let second = world.netlify.add_token(USER, None);
    world.netlify.reset_password(USER);
    assert_eq!(world.get("/user").await.status, 401);
    let world = world.with(&second);
    assert_eq!(world.get("/user").await.status, 401);
    let world = world.with(COLLABORATOR_TOKEN);
    assert_eq!(world.get("/user").await.status, 200);
}

#[tokio::test]
async fn a_team_that_enforces_saml_takes_only_tokens_made_for_it() {
    let world = World::starter().await;
    world.netlify.enforce_saml(ACCOUNT);
    assert_refused(&world.get(&env("")).await, 401, "SAML");
    assert_eq!(world.get(&format!("/sites/{SITE}")).await.status, 404);
    let sites = world.get("/sites").await.body;
    assert_eq!(sites.as_array().unwrap().len(), 2);
    world.netlify.grant_saml(TOKEN);
    assert_eq!(world.get(&env("")).await.status, 200);
    assert_eq!(world.get(&format!("/sites/{SITE}")).await.status, 200);
}

#[tokio::test]
async fn a_caller_names_itself() {
    let world = World::starter().await;
    let anonymous = || {
        let mut request = world.request("GET", "/api/v1/user").build().unwrap();
        request.headers_mut().remove(USER_AGENT);
        reqwest::RequestBuilder::from_parts(world.http.clone(), request)
    };
    assert_refused(&world.send(anonymous()).await, 403, "User-Agent");
    world.netlify.set(|options| options.need_user_agent = false);
    assert_eq!(world.send(anonymous()).await.status, 200);
}
