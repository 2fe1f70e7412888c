//! "Login with Railway": the code flow with PKCE, tokens that end and rotate, scopes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyway_simulator::railway::{
    CLIENT_ID, CLIENT_SECRET, NATIVE_CLIENT_ID, REDIRECT_URI, Role, USER,
};
use serde_json::{Value, json};

use crate::support::{Answer, UPSERT, VARIABLES, World, http, send};

/// Of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const FULL: &str = "openid email profile offline_access project:member";

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn consent_url(world: &World, changes: &[(&str, &str)]) -> String {
    let mut query = BTreeMap::from([
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", REDIRECT_URI),
        ("scope", FULL),
        ("prompt", "consent"),
        ("state", "s t"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    query.extend(changes.iter().copied());
    query.retain(|_, value| !value.is_empty());
    format!(
        "{}/oauth/auth?{}",
        world.railway.url(),
        form(&Vec::from_iter(query))
    )
}

async fn sent_to(url: &str) -> String {
    let answer = send(http().get(url)).await.unwrap();
    assert_eq!(answer.status, 302, "{}", answer.body);
    answer.header("location").unwrap().to_owned()
}

/// What the browser brings back.
async fn consent(world: &World, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let location = sent_to(&consent_url(world, changes)).await;
    let query = location.strip_prefix(&format!("{REDIRECT_URI}?")).unwrap();
    let back: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(back["iss"], format!("{}/oauth", world.railway.url()));
    back
}

async fn token(world: &World, pairs: &[(&str, &str)]) -> Answer {
    let call = http()
        .post(format!("{}/oauth/token", world.railway.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form(pairs));
    send(call).await.unwrap()
}

async fn exchange(world: &World, code: &str, changes: &[(&str, &str)]) -> Answer {
    let mut fields = BTreeMap::from([
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("code_verifier", VERIFIER),
    ]);
    fields.extend(changes.iter().copied());
    fields.retain(|_, value| !value.is_empty());
    token(world, &Vec::from_iter(fields)).await
}

/// Signs in, and gives the tokens.
async fn sign_in(world: &World, scope: &str) -> Value {
    let code = consent(world, &[("scope", scope)]).await["code"].clone();
    let answer = exchange(world, &code, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn refresh(world: &World, refresh_token: &str) -> Answer {
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
    ];
    token(world, &pairs).await
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap()
}

async fn call(world: &World, tokens: &Value, query: &str, variables: Value) -> Answer {
    let header = format!("Bearer {}", text(tokens, "access_token"));
    world
        .call_as(&[("authorization", &header)], query, variables)
        .await
}

async fn me(world: &World, tokens: &Value) -> Answer {
    let header = format!("Bearer {}", text(tokens, "access_token"));
    let url = format!("{}/oauth/me", world.railway.url());
    send(http().get(url).header("authorization", header))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_person_signs_in_with_pkce() {
    let world = World::starter().await;
    let back = consent(&world, &[]).await;
    assert_eq!(back["state"], "s t");
    let answer = exchange(&world, &back["code"], &[]).await;
    let tokens = &answer.body;
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3_600);
    assert!(tokens["refresh_token"].is_string());
    // The ID token says who, and nothing about them.
    let claims = text(tokens, "id_token").split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(
        (&claims["sub"], &claims["aud"]),
        (&json!(USER), &json!(CLIENT_ID))
    );
    assert!(claims.get("email").is_none());
    let answer = me(&world, tokens).await;
    assert_eq!(answer.body["email"], "ada@example.com");
    assert_eq!(answer.body["sub"], USER);
    // A code works once.
    let again = exchange(&world, &back["code"], &[]).await;
    assert_eq!(
        (again.status, &again.body["error"]),
        (400, &json!("invalid_grant"))
    );
}

#[tokio::test]
async fn discovery_says_where_everything_is() {
    let world = World::starter().await;
    let base = format!("{}/oauth", world.railway.url());
    let url = format!("{base}/.well-known/openid-configuration");
    let told = send(http().get(url)).await.unwrap().body;
    assert_eq!(told["issuer"], base.as_str());
    for (name, path) in [
        ("authorization_endpoint", "auth"),
        ("token_endpoint", "token"),
        ("userinfo_endpoint", "me"),
        ("pushed_authorization_request_endpoint", "request"),
        ("registration_endpoint", "register"),
    ] {
        assert_eq!(told[name], format!("{base}/{path}"));
    }
    let answer = send(http().post(format!("{base}/register"))).await.unwrap();
    assert_eq!(
        (answer.status, &answer.body["error"]),
        (501, &json!("not_simulated"))
    );
}

#[tokio::test]
async fn an_exchange_needs_what_the_code_was_made_with() {
    let world = World::starter().await;
    for (changes, status, error) in [
        (("code_verifier", "other"), 400, "invalid_grant"),
        (("code_verifier", ""), 400, "invalid_grant"),
        (
            ("redirect_uri", "http://127.0.0.1/elsewhere"),
            400,
            "invalid_grant",
        ),
        (("client_secret", "wrong"), 401, "invalid_client"),
        (("client_secret", ""), 401, "invalid_client"),
        (("grant_type", "password"), 400, "unsupported_grant_type"),
    ] {
        let code = consent(&world, &[]).await["code"].clone();
        let answer = exchange(&world, &code, &[changes]).await;
        assert_eq!(
            (answer.status, text(&answer.body, "error")),
            (status, error),
            "{changes:?}"
        );
    }
    let code = consent(&world, &[]).await["code"].clone();
    world.railway.advance(Duration::from_mins(11));
    assert_eq!(exchange(&world, &code, &[]).await.status, 400);
}

#[tokio::test]
async fn the_secret_may_be_in_the_header() {
    let world = World::starter().await;
    let code = consent(&world, &[]).await["code"].clone();
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ]);
    let call = http()
        .post(format!("{}/oauth/token", world.railway.url()))
        .basic_auth(CLIENT_ID, Some(CLIENT_SECRET))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let answer = send(call).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_native_app_has_no_secret_and_must_use_pkce() {
    let world = World::starter().await;
    let native = ("client_id", NATIVE_CLIENT_ID);
    let back = consent(&world, &[native, ("code_challenge", "")]).await;
    assert_eq!(back["error"], "invalid_request");
    let code = consent(&world, &[native]).await["code"].clone();
    let answer = exchange(&world, &code, &[native]).await;
    assert_eq!(text(&answer.body, "error"), "invalid_client");
    let answer = exchange(&world, &code, &[native, ("client_secret", "")]).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_consent_page_sends_nobody_to_a_stranger() {
    let world = World::starter().await;
    for changes in [
        (
            "redirect_uri",
            "http://127.0.0.1:8080/v1/integrations/railway/callback/",
        ),
        ("client_id", "somebody"),
    ] {
        let answer = send(http().get(consent_url(&world, &[changes])))
            .await
            .unwrap();
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("location"), None);
    }
    world.railway.add_redirect_uri("http://127.0.0.1/other");
    let url = consent_url(&world, &[("redirect_uri", "http://127.0.0.1/other")]);
    assert!(
        sent_to(&url)
            .await
            .starts_with("http://127.0.0.1/other?code=")
    );
}

#[tokio::test]
async fn the_consent_page_says_no_with_the_state() {
    let world = World::starter().await;
    for (changes, error) in [
        (("scope", "email project:member"), "invalid_scope"),
        (("scope", "openid everything"), "invalid_scope"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
    ] {
        let back = consent(&world, &[changes]).await;
        assert_eq!(
            (back["error"].as_str(), back["state"].as_str()),
            (error, "s t")
        );
    }
    world.railway.set(|options| options.consent_denied = true);
    assert_eq!(consent(&world, &[]).await["error"], "access_denied");
}

#[tokio::test]
async fn a_refresh_token_needs_the_scope_and_the_prompt() {
    let world = World::starter().await;
    let tokens = sign_in(&world, "openid project:member").await;
    assert!(tokens.get("refresh_token").is_none());
    let code = consent(&world, &[("prompt", "")]).await["code"].clone();
    let answer = exchange(&world, &code, &[]).await;
    assert!(answer.body.get("refresh_token").is_none());
    assert!(!text(&answer.body, "scope").contains("offline_access"));
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_reused_one_ends_everything() {
    let world = World::starter().await;
    let first = sign_in(&world, FULL).await;
    let other = sign_in(&world, FULL).await;
    let second = refresh(&world, text(&first, "refresh_token")).await.body;
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(me(&world, &second).await.status, 200);
    let third = refresh(&world, text(&second, "refresh_token")).await.body;
    assert_eq!(me(&world, &third).await.status, 200);

    let reused = refresh(&world, text(&first, "refresh_token")).await;
    assert_eq!(
        (reused.status, text(&reused.body, "error")),
        (400, "invalid_grant")
    );
    // The newest, and those of other sign-ins of the same app.
    for tokens in [&first, &second, &third, &other] {
        assert_eq!(me(&world, tokens).await.status, 401);
        let answer = call(&world, tokens, "{ me { id } }", json!({})).await;
        assert_eq!(answer.error(), "Not Authorized");
    }
    for tokens in [&third, &other] {
        assert_eq!(
            refresh(&world, text(tokens, "refresh_token")).await.status,
            400
        );
    }
}

#[tokio::test]
async fn a_refresh_may_answer_the_same_token_at_first() {
    let world = World::starter().await;
    world
        .railway
        .set(|options| options.refreshes_before_rotation = 1);
    let first = sign_in(&world, FULL).await;
    let same = refresh(&world, text(&first, "refresh_token")).await.body;
    assert_eq!(same["refresh_token"], first["refresh_token"]);
    assert_ne!(same["access_token"], first["access_token"]);
    let next = refresh(&world, text(&same, "refresh_token")).await.body;
    assert_ne!(next["refresh_token"], same["refresh_token"]);
    assert_eq!(
        refresh(&world, text(&same, "refresh_token")).await.status,
        400
    );
    assert_eq!(
        refresh(&world, text(&next, "refresh_token")).await.status,
        400
    );
}

#[tokio::test]
async fn tokens_end_after_an_hour_and_a_year() {
    let world = World::starter().await;
    let tokens = sign_in(&world, FULL).await;
    world.railway.advance(Duration::from_hours(1));
    assert_eq!(me(&world, &tokens).await.status, 401);
    let answer = call(&world, &tokens, "{ me { id } }", json!({})).await;
    assert_eq!(answer.error(), "Not Authorized");
    let renewed = refresh(&world, text(&tokens, "refresh_token")).await.body;
    assert_eq!(me(&world, &renewed).await.status, 200);
    world.railway.advance(Duration::from_hours(365 * 24));
    let late = refresh(&world, text(&renewed, "refresh_token")).await;
    assert_eq!(text(&late.body, "error"), "invalid_grant");
}

#[tokio::test]
async fn an_authorization_has_a_hundred_refresh_tokens() {
    let world = World::starter().await;
    let oldest = sign_in(&world, FULL).await;
    let next = sign_in(&world, FULL).await;
    for _ in 0..99 {
        sign_in(&world, FULL).await;
    }
    assert_eq!(
        refresh(&world, text(&oldest, "refresh_token")).await.status,
        400
    );
    // Silently: nothing else ended.
    assert_eq!(
        refresh(&world, text(&next, "refresh_token")).await.status,
        200
    );
}

#[tokio::test]
async fn what_is_told_of_a_person_goes_by_scope() {
    let world = World::starter().await;
    let tokens = sign_in(&world, "openid workspace:member").await;
    assert_eq!(me(&world, &tokens).await.body, json!({ "sub": USER }));
    let query = "{ me { workspaces { name } } }";
    let answer = call(&world, &tokens, query, json!({})).await;
    assert_eq!(answer.data()["me"]["workspaces"], json!([]));
    let tokens = sign_in(&world, "openid email profile workspace:member").await;
    let answer = call(&world, &tokens, query, json!({})).await;
    assert_eq!(answer.data()["me"]["workspaces"][0]["name"], "Acme");
}

#[tokio::test]
async fn picked_projects_are_all_there_is() {
    let world = World::starter().await;
    world.railway.set(|options| {
        options.consent_projects = Some(BTreeSet::from([world.project.clone()]));
    });
    let tokens = sign_in(&world, FULL).await;
    let query = "{ projects(first: 100) { edges { node { name } } } \
         externalWorkspaces { projects { name } } }";
    let answer = call(&world, &tokens, query, json!({})).await;
    assert_eq!(answer.data()["projects"]["edges"], json!([]));
    let expected = json!([{ "projects": [{ "name": "my-app" }] }]);
    assert_eq!(answer.data()["externalWorkspaces"], expected);
    let variables = world.input(&json!({}));
    call(&world, &tokens, VARIABLES, variables).await.data();
    let input = world.input(&json!({ "variables": { "A": "1" } }));
    call(&world, &tokens, UPSERT, json!({ "input": input }))
        .await
        .data();
    assert_eq!(world.values()["A"], "1");
    let other = json!({ "id": world.railway.project("site-01") });
    let query = "query($id: String!) { project(id: $id) { id } }";
    assert_eq!(
        call(&world, &tokens, query, other).await.error(),
        "Not Authorized"
    );
}

#[tokio::test]
async fn picked_workspaces_are_all_there_is() {
    let world = World::starter().await;
    let other = world.railway.add_workspace("Other", Some(Role::Admin));
    world.railway.set(|options| {
        options.consent_workspaces = Some(BTreeSet::from([other]));
    });
    let tokens = sign_in(&world, "openid email profile workspace:member").await;
    let query = "{ me { workspaces { name } } apiToken { workspaces { name } } }";
    let answer = call(&world, &tokens, query, json!({})).await;
    let expected = json!([{ "name": "Other" }]);
    assert_eq!(answer.data()["me"]["workspaces"], expected);
    assert_eq!(answer.data()["apiToken"]["workspaces"], expected);
    let variables = world.input(&json!({}));
    let answer = call(&world, &tokens, VARIABLES, variables).await;
    assert_eq!(answer.error(), "Not Authorized");
}

#[tokio::test]
async fn a_right_is_the_lesser_of_scope_and_role() {
    let world = World::starter().await;
    let input = json!({ "input": world.input(&json!({ "variables": { "A": "1" } })) });
    let viewer = sign_in(&world, "openid project:viewer").await;
    call(&world, &viewer, VARIABLES, world.input(&json!({})))
        .await
        .data();
    let answer = call(&world, &viewer, UPSERT, input.clone()).await;
    assert_eq!(answer.error(), "Not Authorized");
    let admin = sign_in(&world, "openid workspace:admin").await;
    call(&world, &admin, UPSERT, input.clone()).await.data();
    let acme = world.railway.workspace("Acme").unwrap();
    world.railway.set_role(&acme, Some(Role::Viewer));
    assert_eq!(
        call(&world, &admin, UPSERT, input).await.error(),
        "Not Authorized"
    );
    call(&world, &admin, VARIABLES, world.input(&json!({})))
        .await
        .data();
    world.railway.revoke_authorization(CLIENT_ID);
    assert_eq!(me(&world, &admin).await.status, 401);
}

#[tokio::test]
async fn an_account_token_is_no_access_token() {
    let world = World::starter().await;
    let tokens = json!({ "access_token": keyway_simulator::railway::TOKEN });
    assert_eq!(me(&world, &tokens).await.status, 401);
}
