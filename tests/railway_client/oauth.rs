//! "Login with Railway": the way out and back, and tokens that are renewed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyway_shared::ambient::Ambient;
use keyway_shared::domain::connection::{ProviderName, TokenPair};
use keyway_shared::providers::railway::RailwaySettings;
use keyway_shared::providers::registry::{ProviderSettings, Registry};
use keyway_shared::providers::{Departure, ProviderError, Return};
use keyway_shared::secret::Secret;
use keyway_simulator::railway::{CLIENT_ID, Preset, REDIRECT_URI, USER};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{World, code, create, made, session};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What the browser brings back from the page that it was sent to.
#[expect(clippy::disallowed_methods, reason = "the browser is outside")]
async fn consent(world: &World) -> BTreeMap<String, String> {
    let verifier = Secret::new(VERIFIER);
    let departure = Departure {
        state: "s t&=",
        callback: REDIRECT_URI,
        verifier: &verifier,
    };
    let url = world.provider.authorize_url(&departure).unwrap();
    assert!(!url.contains(VERIFIER));
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = browser.get(&url).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap();
    let (_, query) = location.split_once('?').unwrap();
    let back: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(back["state"], "s t&=");
    world.railway.reset_calls();
    back
}

async fn sign_in(world: &World) -> TokenPair {
    let back = consent(world).await;
    let verifier = Secret::new(VERIFIER);
    let grant = world
        .provider
        .exchange_code(&Return {
            code: &back["code"],
            callback: REDIRECT_URI,
            verifier: Some(&verifier),
            issuer: Some(&back["iss"]),
        })
        .await
        .unwrap();
    assert!(grant.team_id.is_none() && grant.installation_id.is_none());
    grant.token
}

async fn renew(world: &World, refresh: &Secret) -> Result<TokenPair, ProviderError> {
    world.provider.renew(refresh).await
}

fn refresh_of(pair: &TokenPair) -> &Secret {
    pair.refresh.as_ref().unwrap()
}

#[tokio::test]
async fn a_code_is_exchanged_once_by_who_has_the_verifier() {
    let world = World::starter().await;
    let pair = sign_in(&world).await;
    let life = pair.expires_at.unwrap() - Ambient::system().now();
    assert!((3_500..=3_600).contains(&life.num_seconds()), "{life}");
    assert!(pair.refresh.is_some());
    for request in world.railway.requests() {
        assert_eq!(
            (request.path.as_str(), request.query.as_str()),
            ("/oauth/token", "")
        );
    }
    let account = world
        .provider
        .account(&session(pair.access.expose(), None))
        .await;
    let account = account.unwrap();
    assert_eq!(
        (account.user_id.as_str(), account.username.as_str()),
        (USER, "Ada")
    );
    let back = consent(&world).await;
    let issuer = back["iss"].clone();
    let (right, wrong) = (Secret::new(VERIFIER), Secret::new("another"));
    let exchange = async |verifier: Option<&Secret>, issuer: &str| {
        let back = Return {
            code: &back["code"],
            callback: REDIRECT_URI,
            verifier,
            issuer: Some(issuer),
        };
        let failed = world.provider.exchange_code(&back).await.unwrap_err();
        code(&failed).to_owned()
    };
    assert_eq!(
        exchange(Some(&right), "https://evil.example").await,
        "invalid_issuer"
    );
    assert_eq!(exchange(None, &issuer).await, "invalid_grant");
    assert_eq!(world.railway.calls(), 0);
    assert_eq!(exchange(Some(&wrong), &issuer).await, "invalid_grant");
    assert_eq!(exchange(Some(&right), &issuer).await, "invalid_grant");
}

#[tokio::test]
async fn refusals_of_a_code() {
    let world = World::starter().await;
    let verifier = Secret::new(VERIFIER);
    let issuer = format!("{}/oauth", world.railway.url());
    let exchange = async |action: Action| {
        world
            .railway
            .fault(Fault::next(action).path("/oauth/token"));
        let back = Return {
            code: "c",
            callback: REDIRECT_URI,
            verifier: Some(&verifier),
            issuer: Some(&issuer),
        };
        world.provider.exchange_code(&back).await.unwrap_err()
    };
    let no = |status, error: &str| Action::json(status, &json!({ "error": error }));
    assert_eq!(
        code(&exchange(no(400, "invalid_grant")).await),
        "invalid_grant"
    );
    assert_eq!(
        code(&exchange(no(401, "invalid_client")).await),
        "invalid_client"
    );
    assert_eq!(code(&exchange(no(400, "canary")).await), "invalid_grant");
    assert_eq!(exchange(no(500, "x")).await, ProviderError::Unavailable);
    let limited = exchange(no(429, "x")).await;
    assert_eq!(limited, ProviderError::RateLimited { until: None });
    let empty = exchange(Action::json(200, &json!({}))).await;
    assert_eq!(empty, ProviderError::Protocol);
    assert_eq!(
        exchange(Action::ResetAfter).await,
        ProviderError::OutcomeUnknown
    );
}

#[tokio::test]
async fn what_the_user_picked_is_all_there_is() {
    let mut world = World::starter().await;
    world.railway.set(|options| {
        options.consent_projects = Some(BTreeSet::from([world.project.clone()]));
    });
    let pair = sign_in(&world).await;
    world.session = session(pair.access.expose(), None);
    let projects = world.provider.projects(&world.session).await.unwrap();
    assert_eq!(projects.len(), 1);
    assert_eq!(projects[0].id, world.project);
    let applied = world.apply(&world.own(), &[create("A", "1")]).await;
    assert_eq!(made(&applied), 1);
    world.railway.advance(Duration::from_secs(3_601));
    let account = world.provider.account(&world.session).await;
    assert_eq!(account.unwrap_err(), ProviderError::Unauthorized);
}

/// The first refresh tokens may be answered with themselves.
#[tokio::test]
async fn the_newest_refresh_token_counts_and_using_an_old_one_ends_all() {
    let world = World::starter().await;
    world
        .railway
        .set(|options| options.refreshes_before_rotation = 1);
    let first = sign_in(&world).await;
    let same = renew(&world, refresh_of(&first)).await.unwrap();
    assert_eq!(same.refresh, first.refresh);
    assert_ne!(same.access, first.access);
    let next = renew(&world, refresh_of(&same)).await.unwrap();
    assert_ne!(next.refresh, first.refresh);
    let account = world
        .provider
        .account(&session(next.access.expose(), None))
        .await;
    assert!(account.is_ok());
    let reused = renew(&world, refresh_of(&first)).await;
    assert_eq!(reused.unwrap_err(), ProviderError::Unauthorized);
    let newest = renew(&world, refresh_of(&next)).await;
    assert_eq!(newest.unwrap_err(), ProviderError::Unauthorized);
    let account = world
        .provider
        .account(&session(next.access.expose(), None))
        .await;
    assert_eq!(account.unwrap_err(), ProviderError::Unauthorized);
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_leaves_the_old_one() {
    let world = World::starter().await;
    let answer = json!({ "access_token": "a", "token_type": "Bearer" });
    world.railway.fault(Fault::next(Action::json(200, &answer)));
    let pair = renew(&world, &Secret::new("r")).await.unwrap();
    assert_eq!(pair.refresh.unwrap().expose(), "r");
    assert_eq!((pair.access.expose(), pair.expires_at), ("a", None));
}

/// What may have used the token up is told from what certainly has not, and only one refusal is final.
#[tokio::test]
async fn renewals_that_fail() {
    use ProviderError as E;
    let no = |status, error: &str| Action::json(status, &json!({ "error": error }));
    for (action, expected) in [
        (no(400, "invalid_grant"), E::Unauthorized),
        (no(400, "invalid_request"), E::Unavailable),
        (no(401, "invalid_client"), E::Unavailable),
        (no(403, "x"), E::Unavailable),
        (no(404, "x"), E::Unavailable),
        (no(429, "x"), E::RateLimited { until: None }),
        (no(500, "x"), E::Unavailable),
        (no(503, "invalid_grant"), E::Unavailable),
        (no(302, "x"), E::Unavailable),
        (Action::ResetBefore, E::OutcomeUnknown),
        (Action::ResetAfter, E::OutcomeUnknown),
        (Action::TruncateBody, E::OutcomeUnknown),
        (Action::Hang, E::OutcomeUnknown),
        (Action::json(200, &json!({})), E::OutcomeUnknown),
        (
            Action::json(200, &json!({ "access_token": "" })),
            E::OutcomeUnknown,
        ),
    ] {
        let timeout = match action {
            Action::Hang => Duration::from_millis(400),
            _ => Duration::from_mins(1),
        };
        let world = World::with_timeout(Preset::Starter, timeout).await;
        let pair = sign_in(&world).await;
        let name = format!("{action:?}");
        world.railway.fault(Fault::next(action));
        let failed = renew(&world, refresh_of(&pair)).await;
        assert_eq!(failed.unwrap_err(), expected, "{name}");
        assert_eq!(world.railway.calls(), 2, "clients never retry");
    }
    let world = World::starter().await;
    let pair = sign_in(&world).await;
    world.railway.stop().await;
    let failed = renew(&world, refresh_of(&pair)).await;
    assert_eq!(failed.unwrap_err(), E::Unavailable);
}

#[tokio::test]
async fn an_authorization_that_was_revoked_is_over() {
    let world = World::starter().await;
    let pair = sign_in(&world).await;
    world.railway.revoke_authorization(CLIENT_ID);
    let failed = renew(&world, refresh_of(&pair)).await;
    assert_eq!(failed.unwrap_err(), ProviderError::Unauthorized);
}

#[test]
fn without_settings_there_is_no_way_out() {
    let settings = ProviderSettings {
        railway: RailwaySettings {
            client_secret: None,
            ..RailwaySettings::default()
        },
        ..ProviderSettings::default()
    };
    let registry = Registry::new(&settings, Ambient::system()).unwrap();
    let provider = registry.get(ProviderName::Railway).unwrap();
    let verifier = Secret::new(VERIFIER);
    let departure = Departure {
        state: "s",
        callback: REDIRECT_URI,
        verifier: &verifier,
    };
    assert_eq!(provider.authorize_url(&departure), None);
    let oauth = provider.descriptor().sign_in.oauth.unwrap();
    assert!(!oauth.is_configured && oauth.pkce && oauth.renews);
}
