//! Every kind of broken answer, for a read and for a write.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use keyway_shared::ambient::Ambient;
use keyway_shared::providers::{ApplyOptions, ProviderError};
use keyway_shared::sync::options::VariableType;
use keyway_simulator::vercel::Preset;
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{World, at, create, provider};

fn respond(status: u16, headers: &[(&str, &str)], body: &str) -> Action {
    Action::Respond {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

/// Short only where it is what the test waits for: a slow machine needs its time for a large answer.
fn timeout(action: &Action) -> Duration {
    match action {
        Action::Hang => Duration::from_millis(400),
        _ => Duration::from_mins(1),
    }
}

async fn read(action: Action) -> ProviderError {
    let world = World::with_timeout(Preset::Starter, timeout(&action)).await;
    world.vercel.fault(Fault::next(action));
    let error = world.provider.list(&world.session, &at("production")).await;
    assert_eq!(world.vercel.calls(), 1, "clients never retry");
    error.unwrap_err()
}

/// What a write ends with, and whether it took effect.
async fn write(action: Action) -> (Option<ProviderError>, bool) {
    let world = World::with_timeout(Preset::Starter, timeout(&action)).await;
    world.vercel.fault(Fault::next(action).method("POST"));
    let applied = world
        .apply(&at("production"), &[create("A", "canary-2")])
        .await;
    assert_eq!(world.vercel.calls(), 1, "clients never retry");
    assert!(!format!("{applied:?}").contains("canary"));
    let happened = world.value("A", "production").is_some();
    (applied.stopped, happened)
}

#[tokio::test]
async fn broken_transport_and_bodies() {
    use ProviderError as E;
    let large = "x".repeat(17 * 1024 * 1024);
    let table = [
        (
            Action::ResetBefore,
            E::Unavailable,
            E::OutcomeUnknown,
            false,
        ),
        (Action::ResetAfter, E::Unavailable, E::OutcomeUnknown, true),
        (Action::Hang, E::Timeout, E::OutcomeUnknown, false),
        (Action::TruncateBody, E::Protocol, E::OutcomeUnknown, true),
        (
            respond(200, &[], "<html>hello</html>"),
            E::Protocol,
            E::OutcomeUnknown,
            false,
        ),
        (respond(200, &[], ""), E::Protocol, E::OutcomeUnknown, false),
        (
            respond(200, &[], &large),
            E::Protocol,
            E::OutcomeUnknown,
            false,
        ),
        (
            respond(307, &[("location", "http://127.0.0.1:1/")], ""),
            E::Protocol,
            E::Protocol,
            false,
        ),
        (
            respond(500, &[], "<html/>"),
            E::Unavailable,
            E::OutcomeUnknown,
            false,
        ),
        (
            respond(502, &[], ""),
            E::Unavailable,
            E::OutcomeUnknown,
            false,
        ),
        (
            Action::RespondAfter {
                status: 504,
                body: "{}".to_owned(),
            },
            E::Unavailable,
            E::OutcomeUnknown,
            true,
        ),
        (respond(408, &[], ""), E::Timeout, E::OutcomeUnknown, false),
    ];
    for (action, reading, writing, effect) in table {
        let name = format!("{:.60}", format!("{action:?}"));
        assert_eq!(read(action.clone()).await, reading, "{name}");
        assert_eq!(write(action).await, (Some(writing), effect), "{name}");
    }
}

#[tokio::test]
async fn refusals_by_status_and_code() {
    use ProviderError as E;
    let code = |code: &str| json!({"error": {"code": code, "message": "canary-2"}}).to_string();
    let table = [
        (401, code("unauthorized"), E::Unauthorized),
        (403, code("forbidden"), E::Forbidden),
        (
            403,
            json!({"error": {"code": "forbidden", "message": "canary-2", "invalidToken": true}})
                .to_string(),
            E::Unauthorized,
        ),
        (
            403,
            json!({"err": {"code": "forbidden"}}).to_string(),
            E::Forbidden,
        ),
        (403, String::new(), E::Forbidden),
        (404, code("not_found"), E::NotFound),
        (409, code("conflict"), E::Conflict),
        (429, code("rate_limited"), E::RateLimited { until: None }),
        (400, code("TEAM_NOT_FOUND"), E::NotFound),
    ];
    for (status, body, expected) in table {
        let action = respond(status, &[], &body);
        assert_eq!(read(action.clone()).await, expected, "{status} {body}");
        assert_eq!(
            write(action).await,
            (Some(expected), false),
            "{status} {body}"
        );
    }
}

#[tokio::test]
async fn what_needs_a_person_says_so_and_is_not_tried_again() {
    for (status, code, safe) in [
        (
            403,
            "challenge_required_email_otp",
            "challenge_required_email_otp",
        ),
        (403, "user_auth_required", "user_auth_required"),
        (
            403,
            "integration_configuration_disabled",
            "integration_configuration_disabled",
        ),
        (402, "whatever", "payment_required"),
        (400, "Odd code: canary-2 <b>", "unrecognised"),
        (410, "gone", "gone"),
    ] {
        let body = json!({"error": {"code": code, "message": "canary-2"}});
        let error = read(Action::json(status, &body)).await;
        assert!(!error.is_transient());
        match error {
            ProviderError::Invalid { code, message, .. } => {
                assert_eq!(code, safe);
                assert!(!message.contains("canary"), "{message}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn limits_say_until_when_in_any_of_their_ways() {
    let now = Ambient::system().now();
    let epoch = (now + TimeDelta::seconds(40)).timestamp();
    let date = (now + TimeDelta::seconds(40))
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    let seconds = epoch.to_string();
    let limit = |limit: serde_json::Value| {
        json!({"error": {"code": "rate_limited", "message": "m", "limit": limit}}).to_string()
    };
    let answers = [
        respond(429, &[("retry-after", "40")], ""),
        respond(429, &[("retry-after", &date)], ""),
        respond(429, &[("x-ratelimit-reset", &seconds)], "<html>"),
        respond(
            429,
            &[],
            &limit(json!({"total": 1, "remaining": 0, "reset": epoch})),
        ),
        respond(
            429,
            &[],
            &limit(json!({"reset": null, "resetMs": epoch * 1000})),
        ),
        respond(429, &[], &json!({"limit": {"reset": epoch}}).to_string()),
        respond(503, &[("retry-after", "40")], ""),
    ];
    for answer in answers {
        let name = format!("{answer:?}");
        match read(answer).await {
            ProviderError::RateLimited { until: Some(until) } => {
                let wait = until - now;
                assert!(
                    (TimeDelta::seconds(35)..TimeDelta::seconds(50)).contains(&wait),
                    "{name}: {wait}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_spent_budget_stops_the_run_with_its_reset() {
    let world = World::new(Preset::Starter).await;
    world.vercel.set(|options| {
        options.budgets = BTreeMap::from([("env-creation".to_owned(), 1)]);
    });
    let to = at("production");
    let first = world.apply(&to, &[create("A", "1")]).await;
    assert_eq!(first.stopped, None);
    let second = world.apply(&to, &[create("B", "1")]).await;
    assert!(matches!(
        second.stopped,
        Some(ProviderError::RateLimited { until: Some(_) })
    ));
    assert!(second.results.is_empty());
    assert_eq!(world.value("B", "production"), None);
}

#[tokio::test]
async fn a_write_that_finds_nobody_was_not_sent() {
    let world = World::with_timeout(Preset::Starter, Duration::from_millis(400)).await;
    let to = at("production");
    let view = world.provider.list(&world.session, &to).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let options = ApplyOptions {
        variable_type: VariableType::Encrypted,
    };
    let changes = [create("A", "1")];
    let applied = provider(&url, Duration::from_millis(400))
        .apply(
            &world.session,
            &to,
            &view,
            &changes,
            options,
            &world.journal,
        )
        .await;
    assert_eq!(applied.stopped, Some(ProviderError::Unavailable));
}
