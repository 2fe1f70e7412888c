//! The authorization page, the exchange of a code, and tickets.

use std::time::Duration;

use keyway_simulator::netlify::{CLIENT_ID, CLIENT_SECRET, Pkce, TokenEncoding, USER};
use serde_json::{Value, json};

use super::{Answer, World, assert_refused};

const CALLBACK: &str = "https://keyway.example/callback";

impl World {
    /// Where the authorization page sends the browser: its fields, after `?` or `#`.
    async fn authorize(&self, more: &[(&str, &str)]) -> Answer {
        let fields = [
            ("client_id", CLIENT_ID),
            ("redirect_uri", CALLBACK),
            ("state", "s&t"),
        ];
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .extend_pairs(more)
            .finish();
        let request = self.request("GET", &format!("/authorize?{query}"));
        self.try_send(request).await.unwrap()
    }

    async fn code(&self, more: &[(&str, &str)]) -> String {
        let more = [&[("response_type", "code"), ("as", USER)], more].concat();
        let sent = self.authorize(&more).await;
        assert_eq!(sent.status, 302);
        let location = sent.header("location").unwrap();
        let query = location.strip_prefix(&format!("{CALLBACK}?")).unwrap();
        let fields: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        assert_eq!(fields[1], ("state".to_owned(), "s&t".to_owned()));
        assert_eq!(fields[0].0, "code");
        fields[0].1.clone()
    }

    async fn exchange(&self, body: &Value) -> Answer {
        self.send(self.request("POST", "/oauth/token").form(body))
            .await
    }
}

fn grant(code: &str) -> Value {
    json!({ "grant_type": "authorization_code", "code": code, "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET, "redirect_uri": CALLBACK })
}

#[tokio::test]
async fn a_code_gives_a_token_once() {
    let world = World::starter().await;
    let code = world.code(&[]).await;
    let token = world.exchange(&grant(&code)).await;
    assert_eq!(token.status, 200);
    assert_eq!(token.body["token_type"], "Bearer");
    // It lasts, and has no scopes.
    for absent in ["expires_in", "refresh_token", "scope"] {
        assert!(token.body.get(absent).is_none(), "{absent}");
    }
    let again = world.exchange(&grant(&code)).await;
    assert_eq!(
        (again.status, &again.body["error"]),
        (400, &json!("invalid_grant"))
    );
    let access = token.body["access_token"].as_str().unwrap();
    let world = world.with(access);
    assert_eq!(world.get("/user").await.body["id"], USER);
}

#[tokio::test]
async fn an_exchange_is_refused_for_what_is_wrong_with_it() {
    let world = World::starter().await;
    for (field, value, status, error) in [
        ("client_secret", "wrong", 401, "invalid_client"),
        ("client_id", "wrong", 401, "invalid_client"),
        ("code", "wrong", 400, "invalid_grant"),
        (
            "redirect_uri",
            "https://elsewhere.example/",
            400,
            "invalid_grant",
        ),
        ("grant_type", "password", 400, "unsupported_grant_type"),
    ] {
        let mut body = grant(&world.code(&[]).await);
        body[field] = json!(value);
        let refused = world.exchange(&body).await;
        assert_eq!(refused.status, status, "{field}");
        assert_eq!(refused.body["error"], error, "{field}");
    }
}

#[tokio::test]
async fn a_token_request_is_a_form_or_json() {
    let world = World::starter().await;
    let as_json = |code: String| world.request("POST", "/oauth/token").json(&grant(&code));
    let accepted = world.send(as_json(world.code(&[]).await)).await;
    assert_eq!(accepted.status, 200);
    world
        .netlify
        .set(|options| options.token_encoding = TokenEncoding::Form);
    let refused = world.send(as_json(world.code(&[]).await)).await;
    assert_eq!(
        (refused.status, &refused.body["error"]),
        (400, &json!("invalid_request"))
    );
    let form = grant(&world.code(&[]).await);
    assert_eq!(world.exchange(&form).await.status, 200);
    world
        .netlify
        .set(|options| options.token_encoding = TokenEncoding::Json);
    let form = grant(&world.code(&[]).await);
    assert_eq!(world.exchange(&form).await.status, 400);
}

#[tokio::test]
async fn nobody_is_sent_where_the_application_is_not() {
    let world = World::starter().await;
    let code = [("response_type", "code"), ("as", USER)];
    world.netlify.set_callback("https://other.example/callback");
    let page = world.authorize(&code).await;
    assert_refused(&page, 422, "redirect_uri");
    assert_eq!(page.header("location"), None);
    world.netlify.set_callback(CALLBACK);
    assert_eq!(world.authorize(&code).await.status, 302);
    let request = world.request("GET", "/authorize?client_id=other&response_type=code");
    let page = world.try_send(request).await.unwrap();
    assert_refused(&page, 401, "application not found");
    // A person's pages are no calls.
    assert_eq!(world.netlify.calls(), 0);
}

#[tokio::test]
async fn a_page_asks_who_allows_it() {
    let world = World::starter().await;
    let page = world.authorize(&[("response_type", "code")]).await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let links: Vec<String> = page
        .text
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .collect();
    assert_eq!(links.len(), 3, "{}", page.text);
    assert!(page.text.contains("Authorize as Ada Lovelace"));
    let follow = async |link: &str| {
        let sent = world.try_send(world.request("GET", link)).await.unwrap();
        sent.header("location").unwrap().to_owned()
    };
    let allowed = follow(&links[1]).await;
    assert!(
        allowed.contains("?code=") && allowed.ends_with("&state=s%26t"),
        "{allowed}"
    );
    let refused = follow(&links[2]).await;
    assert!(refused.contains("?error=access_denied&"), "{refused}");
    // The second one is Bob.
    let code = allowed.split(['=', '&']).nth(1).unwrap();
    let token = world.exchange(&grant(code)).await.body["access_token"].clone();
    let world = world.with(token.as_str().unwrap());
    assert_eq!(world.get("/user").await.body["full_name"], "Bob");
    let nobody = world
        .authorize(&[("response_type", "code"), ("as", "nobody")])
        .await;
    assert_refused(&nobody, 404, "User not found");
}

#[tokio::test]
async fn a_person_may_say_no_and_an_unknown_flow_is_told() {
    let world = World::starter().await;
    for (more, error) in [
        (vec![("response_type", "code"), ("as", "")], "access_denied"),
        (
            vec![("response_type", "magic"), ("as", USER)],
            "unsupported_response_type",
        ),
    ] {
        let sent = world.authorize(&more).await;
        let location = format!("{CALLBACK}?error={error}&state=s%26t");
        assert_eq!(sent.header("location"), Some(location.as_str()));
    }
}

#[tokio::test]
async fn the_implicit_flow_gives_the_token_in_the_fragment() {
    let world = World::starter().await;
    let sent = world
        .authorize(&[("response_type", "token"), ("as", USER)])
        .await;
    let location = sent.header("location").unwrap();
    let fragment = location
        .strip_prefix(&format!("{CALLBACK}#access_token="))
        .unwrap();
    let token = fragment.split('&').next().unwrap().to_owned();
    let world = world.with(&token);
    assert_eq!(world.get("/user").await.status, 200);
}

#[tokio::test]
async fn a_challenge_is_ignored_checked_or_refused() {
    let world = World {
        // A verifier is not described.
        undescribed: true,
        ..World::starter().await
    };
    // The example of RFC 7636.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = [
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        ("code_challenge_method", "S256"),
    ];
    let ignored = grant(&world.code(&challenge).await);
    assert_eq!(world.exchange(&ignored).await.status, 200);
    world.netlify.set(|options| options.pkce = Pkce::Checked);
    for (verifier, status) in [(verifier, 200), ("wrong", 400)] {
        let mut body = grant(&world.code(&challenge).await);
        body["code_verifier"] = json!(verifier);
        assert_eq!(world.exchange(&body).await.status, status);
    }
    let without = grant(&world.code(&challenge).await);
    assert_eq!(world.exchange(&without).await.status, 400);
    world.netlify.set(|options| options.pkce = Pkce::Refused);
    let sent = world
        .authorize(&[("response_type", "code"), challenge[0], challenge[1]])
        .await;
    assert!(
        sent.header("location")
            .unwrap()
            .contains("error=invalid_request")
    );
}

#[tokio::test]
async fn tokens_that_end_come_with_one_that_refreshes() {
    let world = World {
        // Renewals are not described.
        undescribed: true,
        ..World::starter().await
    };
    world
        .netlify
        .set(|options| options.oauth_lifetime_secs = Some(3600));
    let first = world.exchange(&grant(&world.code(&[]).await)).await.body;
    assert_eq!(first["expires_in"], 3600);
    let mut renewal = json!({ "grant_type": "refresh_token", "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET, "refresh_token": first["refresh_token"] });
    let world = world.with(first["access_token"].as_str().unwrap());
    assert_eq!(world.get("/user").await.status, 200);
    world.netlify.advance(Duration::from_hours(1));
    assert_eq!(world.get("/user").await.status, 401);
    let second = world.exchange(&renewal).await.body;
    // Each works once.
    assert_eq!(world.exchange(&renewal).await.status, 400);
    let world = world.with(second["access_token"].as_str().unwrap());
    assert_eq!(world.get("/user").await.status, 200);
    renewal["refresh_token"] = second["refresh_token"].clone();
    world.netlify.reset_password(USER);
    assert_eq!(world.exchange(&renewal).await.status, 400);
}

#[tokio::test]
async fn a_ticket_is_allowed_in_a_browser_and_gives_a_token_once() {
    let world = World::starter().await;
    let post = |path: String| world.send(world.request("POST", &format!("/api/v1{path}")));
    let unknown = post("/oauth/tickets?client_id=other".to_owned()).await;
    assert_refused(&unknown, 401, "application not found");
    let made = post(format!("/oauth/tickets?client_id={CLIENT_ID}")).await;
    assert_eq!(
        (made.status, &made.body["authorized"]),
        (201, &json!(false))
    );
    let id = made.body["id"].as_str().unwrap();
    let exchange = format!("/oauth/tickets/{id}/exchange");
    for (who, said) in [("", "Authorize as Bob"), ("&as=", "Nothing was allowed")] {
        let path = format!("/authorize?response_type=ticket&ticket={id}{who}");
        let page = world.try_send(world.request("GET", &path)).await.unwrap();
        assert!(page.text.contains(said), "{}", page.text);
    }
    assert_eq!(post(exchange.clone()).await.status, 422);
    let page = world.request(
        "GET",
        &format!("/authorize?response_type=ticket&ticket={id}&as={USER}"),
    );
    assert_eq!(world.try_send(page).await.unwrap().status, 200);
    let shown = world.get(&format!("/oauth/tickets/{id}")).await;
    assert_eq!(shown.body["authorized"], true);
    let token = post(exchange.clone()).await;
    assert_eq!(token.status, 201);
    assert_eq!(token.body["user_id"], USER);
    assert_eq!(post(exchange).await.status, 404);
    let world = world.with(token.body["access_token"].as_str().unwrap());
    assert_eq!(world.get("/user").await.status, 200);
}
