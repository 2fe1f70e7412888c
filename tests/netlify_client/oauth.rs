//! OAuth: the code flow, whose answers Netlify describes in part only.

use keyway_shared::providers::{Departure, ProviderError, Return};
use keyway_shared::secret::Secret;
use keyway_simulator::netlify::{Pkce, Preset, TokenEncoding, USER};
use keyway_simulator::{Action, Fault};
use serde_json::json;
use url::Url;

use crate::support::{World, session};

const CALLBACK: &str = "https://keyway.example/v1/integrations/netlify/callback";

/// What a browser does at Netlify: it agrees, and brings a code back.
#[expect(clippy::disallowed_methods, reason = "the test is the browser")]
async fn code(world: &World) -> String {
    let departure = Departure {
        state: "a state",
        callback: CALLBACK,
        verifier: &Secret::new("a verifier"),
    };
    let page = world.provider.authorize_url(&departure).unwrap();
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = browser
        .get(format!("{page}&as={USER}"))
        .send()
        .await
        .unwrap();
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    let back = Url::parse(&back).unwrap();
    let field = |name: &str| {
        let mut pairs = back.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, text)| text.into_owned())
    };
    assert_eq!(field("state").as_deref(), Some("a state"));
    field("code").unwrap()
}

const fn back(code: &str) -> Return<'_> {
    Return {
        code,
        callback: CALLBACK,
        verifier: None,
        issuer: None,
    }
}

#[tokio::test]
async fn a_code_is_worth_a_token_once() {
    let world = World::start(Preset::Starter).await;
    world.netlify.set_callback(CALLBACK);
    for encoding in [TokenEncoding::Both, TokenEncoding::Form] {
        world.netlify.set(|options| {
            options.token_encoding = encoding;
            // A challenge would be refused, and none is sent.
            options.pkce = Pkce::Refused;
        });
        let code = code(&world).await;
        let grant = world.provider.exchange_code(&back(&code)).await.unwrap();
        assert_eq!(
            (&grant.token.refresh, grant.token.expires_at),
            (&None, None)
        );
        let account = world
            .provider
            .account(&session(grant.token.access.expose(), None))
            .await;
        assert_eq!(account.unwrap().user_id, USER);
        let again = world.provider.exchange_code(&back(&code)).await;
        match again {
            Err(ProviderError::Invalid { code, .. }) => assert_eq!(code, "invalid_grant"),
            other => panic!("{other:?}"),
        }
    }
    // No secret in any address.
    for request in world.netlify.requests() {
        assert!(!request.query.contains("secret"), "{}", request.path);
    }
}

#[tokio::test]
async fn should_tokens_end_after_all_they_are_renewed() {
    let world = World::start(Preset::Starter).await;
    world
        .netlify
        .set(|options| options.oauth_lifetime_secs = Some(3_600));
    let code = code(&world).await;
    let grant = world.provider.exchange_code(&back(&code)).await.unwrap();
    let (refresh, end) = (
        grant.token.refresh.unwrap(),
        grant.token.expires_at.unwrap(),
    );
    let next = world.provider.renew(&refresh).await.unwrap();
    assert_ne!(next.access, grant.token.access);
    assert!(next.refresh.is_some() && next.expires_at.unwrap() >= end);
    // A refresh token works once.
    let again = world.provider.renew(&refresh).await;
    assert_eq!(again, Err(ProviderError::Unauthorized));
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_leaves_the_old_one() {
    let world = World::start(Preset::Starter).await;
    let body = json!({ "access_token": "next", "token_type": "Bearer" });
    let answer = Fault::next(Action::json(200, &body));
    world.netlify.fault(answer.path("/oauth/token"));
    let old = Secret::new("the-old-one");
    let next = world.provider.renew(&old).await.unwrap();
    assert_eq!((next.access.expose(), next.refresh), ("next", Some(old)));
}
