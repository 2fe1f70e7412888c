//! That what our client sends is really judged, and by what.

use keyway_simulator::RequestRecord;
use keyway_simulator::railway::Railway;
use keyway_tests::stand_in::Described;
use serde_json::{Value, json};

use crate::support::{World, create, delete};

fn request(path: &str, media: &str, body: Value) -> RequestRecord {
    RequestRecord {
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: String::new(),
        body: Some(body),
        content_type: Some(media.to_owned()),
        user_agent: None,
        request_id: None,
        family: "graphql",
        operations: Vec::new(),
        project: None,
        started: 0,
        ended: None,
        status: None,
    }
}

#[tokio::test]
async fn every_call_is_held_against_the_schema() {
    let world = World::lived_in().await;
    world.provider.account(&world.session).await.unwrap();
    world.provider.projects(&world.session).await.unwrap();
    let changes = [create("A", "1"), delete("GONE")];
    let view = world.list(&world.own()).await;
    world.apply_to(&view, &world.own(), &changes).await;
    assert_eq!(world.railway.checked(), world.railway.calls());
    assert!(world.railway.checked() >= 5);
    for request in world.railway.requests() {
        assert_eq!(Railway::check(&request), [""; 0]);
        assert!(!request.query.contains("token"));
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let media = "application/json";
    let good = json!({ "query": "{ me { id } }", "variables": {} });
    assert_eq!(
        Railway::check(&request("/graphql/v2", media, good.clone())),
        [""; 0]
    );
    let bad = json!({ "query": "{ me { teams { id } } }", "variables": {} });
    assert!(!Railway::check(&request("/graphql/v2", media, bad)).is_empty());
    let mut with_query = request("/graphql/v2", media, good.clone());
    with_query.query = "token=1".to_owned();
    assert!(!Railway::check(&with_query).is_empty());
    assert!(!Railway::check(&request("/graphql", media, good)).is_empty());
    let form = json!({ "grant_type": "refresh_token", "client_id": "a", "client_secret": "b",
        "refresh_token": "c", "scope": "d" });
    let media = "application/x-www-form-urlencoded";
    assert!(!Railway::check(&request("/oauth/token", media, form)).is_empty());
}
