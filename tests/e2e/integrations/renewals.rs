//! Tokens that end, as requests meet them.

use std::sync::Arc;

use chrono::TimeDelta;
use keyway_shared::domain::connection::{Connection, ProviderName, TokenPair};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use keyway_tests::renewing::{Fate, Renewing};
use serde_json::{Value, json};

use super::world::{World, id};

const CONNECTIONS: &str = "/v1/integrations/connections";

/// A connection whose token ends in an hour, and what asks the provider with it.
async fn start(profile: Profile) -> (World, Arc<Renewing>, String) {
    let mut world = World::start_with(profile, |builder| builder.renewing = true).await;
    let provider = world.app.renewing.clone().expect("a provider");
    let mut tx = world.app.store.begin().await.expect("begins");
    let known = tx.find_connection(world.account.user.id, world.connection);
    let connection = Connection {
        id: world.app.unknown_id(),
        provider: ProviderName::Railway,
        ..known.await.expect("an answer").expect("a connection")
    };
    let pair = provider.authorize();
    let saved = tx.upsert_connection_with(&connection, &pair).await;
    world.connection = saved.expect("is saved").id;
    tx.commit().await.expect("commits");
    let path = format!("{CONNECTIONS}/{}/projects", world.connection);
    (world, provider, path)
}

async fn connection(world: &World) -> Connection {
    let mut tx = world.app.store.begin_read().await.expect("begins");
    let found = tx.find_connection(world.account.user.id, world.connection);
    found.await.expect("an answer").expect("a connection")
}

async fn shown(world: &World) -> Value {
    let listed = world.me.get(CONNECTIONS).await.data(200);
    let all = listed["connections"].as_array().expect("a list");
    let mine = all.iter().find(|one| one["provider"] == "railway");
    mine.expect("the connection").clone()
}

async fn a_request_renews_a_token_that_ends(profile: Profile) {
    let (world, provider, path) = start(profile).await;
    world.me.get(&path).await.data(200);
    assert_eq!(provider.renewals(), 0);
    world.app.advance(TimeDelta::minutes(56));
    world.me.get(&path).await.data(200);
    assert_eq!(provider.renewals(), 1);
    // One that the provider refuses, for the next time.
    provider.expire_all();
    let answer = world.me.get(&path).await;
    answer.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    world.me.get(&path).await.data(200);
    assert_eq!(provider.renewals(), 2);
    let connection = shown(&world).await;
    assert_eq!(
        (&connection["status"], &connection["statusReason"]),
        (&json!("active"), &Value::Null)
    );
}

async fn what_was_connected_by_oauth_is_renewed(profile: Profile) {
    let (world, provider, _) = start(profile).await;
    let began = world.me.get("/v1/integrations/railway/authorize").await;
    assert_eq!(began.status, 302, "{}", began.text);
    let (_, state) = began
        .header("location")
        .split_once("?state=")
        .expect("a state");
    let cookie = began.header("set-cookie").split(';').next().expect("one");
    let browser = world.app.anonymous().with("cookie", cookie);
    let callback = format!("/v1/integrations/railway/callback?code=c&state={state}");
    let back = browser.get(&callback).await;
    assert_eq!(back.status, 200, "{}", back.text);
    let path = format!("{CONNECTIONS}/{}/projects", id(&shown(&world).await["id"]));
    world.app.advance(TimeDelta::minutes(56));
    world.me.get(&path).await.data(200);
    assert_eq!((provider.renewals(), provider.reuses()), (1, 0));
}

async fn many_requests_renew_it_once(profile: Profile) {
    let (world, provider, path) = start(profile).await;
    world.app.advance(TimeDelta::hours(1));
    provider.next([Fate::Slow]);
    let (first, second) = tokio::join!(world.me.get(&path), async {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(2));
        while provider.renewals() == 0 {
            looks.tick().await;
        }
        let second = world.me.get(&path).await;
        provider.go_on();
        second
    });
    first.data(200);
    second.problem(503, "unavailable");
    let many = (0..8).map(|_| world.me.get(&path));
    for answer in futures::future::join_all(many).await {
        answer.data(200);
    }
    assert_eq!((provider.renewals(), provider.reuses()), (1, 0));
}

async fn a_client_that_hangs_up_ends_no_connection(profile: Profile) {
    let (world, provider, path) = start(profile).await;
    world.app.advance(TimeDelta::hours(1));
    provider.next([Fate::Slow]);
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(2));
    tokio::select! {
        _ = world.me.get(&path) => panic!("it was answered"),
        () = async {
            while provider.renewals() == 0 {
                looks.tick().await;
            }
        } => {}
    }
    // Others wait for it.
    world.me.get(&path).await.problem(503, "unavailable");
    provider.go_on();
    while connection(&world).await.token.version == 0 {
        looks.tick().await;
    }
    world.me.get(&path).await.data(200);
    assert_eq!((provider.renewals(), provider.reuses()), (1, 0));
}

async fn a_request_that_fails_with_a_replaced_token_may_be_made_again(profile: Profile) {
    let (world, provider, path) = start(profile).await;
    let give = async || {
        let lasting = TokenPair::lasting(provider.authorize().access);
        let ours = connection(&world).await;
        let mut tx = world.app.store.begin().await.expect("begins");
        let saved = tx.upsert_connection_with(&ours, &lasting).await;
        saved.expect("is saved");
        tx.commit().await.expect("commits");
    };
    give().await;
    provider.hold_next();
    let (answer, ()) = tokio::join!(world.me.get(&path), async {
        provider.held().await;
        give().await;
        provider.go_on();
    });
    answer.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(shown(&world).await["status"], "active");
    world.me.get(&path).await.data(200);
    // One that nothing replaced ends the connection.
    provider.expire_all();
    world.me.get(&path).await.problem(409, "reconnect-required");
    assert_eq!(shown(&world).await["statusReason"], "refused");
}

async fn what_ends_a_connection_is_told(profile: Profile) {
    let (world, provider, path) = start(profile).await;
    world.app.advance(TimeDelta::hours(1));
    provider.next([Fate::Away, Fate::Lost]);
    world.me.get(&path).await.problem(502, "provider-error");
    assert_eq!(shown(&world).await["status"], "active");
    world.me.get(&path).await.problem(409, "reconnect-required");
    let connection = shown(&world).await;
    assert_eq!(
        (&connection["status"], &connection["statusReason"]),
        (&json!("needs-reconnect"), &json!("renewal-lost"))
    );
    world.me.get(&path).await.problem(409, "reconnect-required");
    assert_eq!((provider.renewals(), provider.reuses()), (1, 0));
}

on_both_profiles!(
    a_request_renews_a_token_that_ends,
    what_was_connected_by_oauth_is_renewed,
    many_requests_renew_it_once,
    a_client_that_hangs_up_ends_no_connection,
    a_request_that_fails_with_a_replaced_token_may_be_made_again,
    what_ends_a_connection_is_told,
);
