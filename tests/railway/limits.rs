//! Budgets and their headers, and operations that do not fit.

use std::time::Duration;

use keyway_simulator::railway::{Plan, RateLimitReset, RetryAfter, TOKEN, WORKSPACE_TOKEN};
use serde_json::json;

use crate::support::{Answer, World};

const PING: &str = "{ apiToken { workspaces { id } } }";
const LIMIT: &str = "{ me { apiTokenRateLimit { remainingPoints resetsAt } } }";

async fn ping(world: &World) -> Answer {
    world.call(PING, json!({})).await
}

#[tokio::test]
async fn every_answer_tells_what_is_left_of_the_hour() {
    let world = World::starter().await;
    world.railway.set(|options| options.per_hour = Some(2));
    let answer = ping(&world).await;
    assert_eq!(answer.header("x-ratelimit-limit"), Some("2"));
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("1"));
    assert!(answer.header("x-ratelimit-reset").is_some());
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(
        ping(&world).await.header("x-ratelimit-remaining"),
        Some("0")
    );
    let answer = ping(&world).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.code(), Some("RATE_LIMITED"));
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3_600).contains(&wait));
    // Somebody else's calls are counted by themselves.
    let header = format!("Bearer {WORKSPACE_TOKEN}");
    let answer = world
        .call_as(&[("authorization", &header)], PING, json!({}))
        .await;
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("1"));
    world.railway.advance(Duration::from_secs(wait));
    ping(&world).await.data();
}

#[tokio::test]
async fn plans_have_their_budgets() {
    for (plan, per_hour, per_second) in [
        (Plan::Free, "100", None),
        (Plan::Hobby, "1000", Some(10)),
        (Plan::Pro, "10000", Some(50)),
    ] {
        let world = World::starter().await;
        world.railway.set(|options| options.budget(plan));
        assert_eq!(
            ping(&world).await.header("x-ratelimit-limit"),
            Some(per_hour)
        );
        world
            .railway
            .set(|options| assert_eq!(options.per_second, per_second));
    }
}

#[tokio::test]
async fn a_call_beyond_the_budget_has_no_effect() {
    let world = World::starter().await;
    world.railway.set(|options| options.per_hour = Some(0));
    let answer = world.upsert(&json!({ "variables": { "A": "1" } })).await;
    assert_eq!(answer.status, 429);
    assert!(world.values().is_empty());
    world.railway.set(|options| options.rate_limit_status = 200);
    let answer = world.upsert(&json!({ "variables": { "A": "1" } })).await;
    assert_eq!((answer.status, answer.code()), (200, Some("RATE_LIMITED")));
    world.railway.set(|options| options.per_hour = None);
    let answer = world.upsert(&json!({ "variables": { "A": "1" } })).await;
    answer.data();
    assert_eq!(answer.header("x-ratelimit-limit"), None);
}

#[tokio::test]
async fn the_second_has_a_budget_of_its_own() {
    let world = World::starter().await;
    world.railway.set(|options| options.per_second = Some(0));
    let answer = ping(&world).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), Some("1"));
    // What was refused for the second is not taken from the hour.
    world.railway.set(|options| options.per_second = None);
    assert_eq!(
        ping(&world).await.header("x-ratelimit-remaining"),
        Some("9999")
    );
}

#[tokio::test]
async fn units_and_forms_of_the_headers_are_options() {
    let world = World::starter().await;
    world.railway.set(|options| options.per_hour = Some(0));
    let seconds: u64 = ping(&world)
        .await
        .header("retry-after")
        .unwrap()
        .parse()
        .unwrap();
    world
        .railway
        .set(|options| options.retry_after = RetryAfter::Milliseconds);
    let milliseconds: u64 = ping(&world)
        .await
        .header("retry-after")
        .unwrap()
        .parse()
        .unwrap();
    assert!(seconds <= 3_600 && milliseconds > 3_600);
    let reset = async |form: RateLimitReset| {
        world.railway.set(|options| options.rate_limit_reset = form);
        ping(&world)
            .await
            .header("x-ratelimit-reset")
            .unwrap()
            .to_owned()
    };
    let unix: u64 = reset(RateLimitReset::UnixSeconds).await.parse().unwrap();
    let precise: u64 = reset(RateLimitReset::UnixMilliseconds)
        .await
        .parse()
        .unwrap();
    assert_eq!(precise.div_ceil(1_000), unix);
    let left: u64 = reset(RateLimitReset::SecondsLeft).await.parse().unwrap();
    assert!(left <= 3_600);
    let date = reset(RateLimitReset::Date).await;
    let date = chrono::DateTime::parse_from_rfc3339(&date).unwrap();
    assert_eq!(date.timestamp_millis() as u64, precise);
}

#[tokio::test]
async fn what_is_left_can_be_asked_for() {
    let world = World::starter().await;
    world.railway.set(|options| options.per_hour = Some(5));
    ping(&world).await.data();
    let answer = world.call(LIMIT, json!({})).await;
    let limit = &answer.data()["me"]["apiTokenRateLimit"];
    assert_eq!(limit["remainingPoints"], 3);
    let resets_at = limit["resetsAt"].as_str().unwrap();
    chrono::DateTime::parse_from_rfc3339(resets_at).unwrap();
}

#[tokio::test]
async fn an_operation_that_does_not_fit_is_refused_with_its_status() {
    let world = World::starter().await;
    let header = format!("Bearer {TOKEN}");
    let headers = [("authorization", header.as_str())];
    for status in [400, 200] {
        world.railway.set(|options| options.invalid_status = status);
        for (query, variables, code) in [
            (
                "{ me { teams { id } } }",
                json!({}),
                "GRAPHQL_VALIDATION_FAILED",
            ),
            (
                "mutation { deploymentRedeploy(id: \"1\") }",
                json!({}),
                "GRAPHQL_VALIDATION_FAILED",
            ),
            ("{ me {", json!({}), "GRAPHQL_VALIDATION_FAILED"),
            (
                "query($id: String!) { project(id: $id) { id } }",
                json!({}),
                "BAD_USER_INPUT",
            ),
            (
                "query($id: String!) { project(id: $id) { id } }",
                json!({ "id": 1 }),
                "BAD_USER_INPUT",
            ),
        ] {
            let request = json!({ "query": query, "variables": variables });
            let answer = world.post(&headers, &request).await.unwrap();
            assert_eq!(answer.status, status, "{query}");
            assert_eq!(answer.code(), Some(code), "{query}: {}", answer.body);
            assert!(answer.body.get("data").is_none());
            assert!(answer.body["errors"][0]["traceId"].is_string());
        }
    }
}

#[tokio::test]
async fn what_is_not_simulated_says_so() {
    let world = World::starter().await;
    let header = format!("Bearer {TOKEN}");
    let request = json!({ "query": "mutation { apiTokenCreate(input: { name: \"x\" }) }" });
    let answer = world
        .post(&[("authorization", &header)], &request)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.code(), Some("NOT_SIMULATED"));
    assert_eq!(
        answer.error(),
        "The simulator does not simulate apiTokenCreate"
    );
}

#[tokio::test]
async fn a_named_operation_is_run_of_several() {
    let world = World::starter().await;
    let header = format!("Bearer {TOKEN}");
    let request = json!({ "operationName": "B",
        "query": "query A { me { id } } query B { me { ...F } } fragment F on User { email }" });
    let answer = world
        .post(&[("authorization", &header)], &request)
        .await
        .unwrap();
    assert_eq!(
        *answer.data(),
        json!({ "me": { "email": "ada@example.com" } })
    );
}
