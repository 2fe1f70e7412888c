//! Every kind of broken answer, for a read and for a write.

use std::time::Duration;

use keyway_shared::providers::{Applied, ProviderError};
use keyway_simulator::railway::{Preset, error, error_body};
use keyway_simulator::{Action, Fault};
use serde_json::{Value, json};

use crate::support::{World, code, create, made, provider};

fn respond(status: u16, headers: &[(&str, &str)], body: &str) -> Action {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Action::Respond {
        status,
        headers: headers.iter().map(owned).collect(),
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
    world.railway.fault(Fault::next(action));
    let error = world.provider.list(&world.session, &world.own()).await;
    assert_eq!(world.railway.calls(), 1, "clients never retry");
    error.unwrap_err()
}

/// What a write ends with, and whether it took effect.
async fn write(action: Action) -> (Option<ProviderError>, bool) {
    let world = World::with_timeout(Preset::Starter, timeout(&action)).await;
    let fault = Fault::next(action).path("variableCollectionUpsert");
    world.railway.fault(fault);
    let applied = world.apply(&world.own(), &[create("A", "canary-2")]).await;
    assert_eq!(world.railway.calls(), 1, "clients never retry");
    assert!(!format!("{applied:?}").contains("canary"));
    assert!(applied.results.is_empty());
    (applied.stopped, world.values().contains_key("A"))
}

#[tokio::test]
async fn broken_transport_and_bodies() {
    use ProviderError as E;
    let large = "x".repeat(17 * 1024 * 1024);
    let unknown = E::OutcomeUnknown;
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
        (respond(200, &[], "<html>"), E::Protocol, unknown, false),
        (respond(200, &[], ""), E::Protocol, E::OutcomeUnknown, false),
        (
            respond(200, &[], "{}"),
            E::Protocol,
            E::OutcomeUnknown,
            false,
        ),
        (
            respond(200, &[], "null"),
            E::Protocol,
            E::OutcomeUnknown,
            false,
        ),
        (
            respond(200, &[], "{\"data\":null}"),
            E::Protocol,
            E::OutcomeUnknown,
            false,
        ),
        (
            respond(200, &[], "{\"data\":{}}"),
            E::Protocol,
            E::OutcomeUnknown,
            false,
        ),
        (
            respond(200, &[], "{\"errors\":{}}"),
            E::Protocol,
            E::OutcomeUnknown,
            false,
        ),
        (
            respond(200, &[], "{\"errors\":[]}"),
            E::Protocol,
            E::OutcomeUnknown,
            false,
        ),
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

/// An error of which it is certain that nothing happened.
#[tokio::test]
async fn refusals_by_message_code_and_status() {
    use ProviderError as E;
    let internal = Some("INTERNAL_SERVER_ERROR");
    let limited = || E::RateLimited { until: None };
    let table = [
        (error("Not Authorized", internal), E::Forbidden),
        (error("Not Authorized.", None), E::Forbidden),
        (error("Not Authorized", Some("FORBIDDEN")), E::Forbidden),
        (
            error("Not Authorized", Some("UNAUTHENTICATED")),
            E::Unauthorized,
        ),
        (error("canary-2", Some("UNAUTHENTICATED")), E::Unauthorized),
        (error("canary-2", Some("FORBIDDEN")), E::Forbidden),
        (error("Project not found", internal), E::NotFound),
        (error("Environment not found", None), E::NotFound),
        (error("Service not found", internal), E::NotFound),
        (error("canary-2", Some("NOT_FOUND")), E::NotFound),
        (error("canary-2", Some("RATE_LIMITED")), limited()),
        (error("Too Many Requests", None), limited()),
        (respond(401, &[], ""), E::Unauthorized),
        (
            Action::json(401, &error_body("Not Authorized", None)),
            E::Unauthorized,
        ),
        (respond(403, &[], "canary-2"), E::Forbidden),
        (respond(429, &[], "<html>"), limited()),
        (Action::json(429, &error_body("canary-2", None)), limited()),
        (
            Action::json(400, &error_body("Not Authorized", None)),
            E::Forbidden,
        ),
    ];
    for (action, expected) in table {
        let name = format!("{action:?}");
        assert_eq!(read(action.clone()).await, expected, "{name}");
        assert_eq!(write(action).await, (Some(expected), false), "{name}");
    }
}

/// What a read is refused with, however it is asked, and what becomes of a write that is refused so.
async fn refused(action: Action) -> (ProviderError, Applied) {
    let world = World::starter().await;
    world.railway.fault(Fault::next(action.clone()).times(2));
    let read = world.provider.list(&world.session, &world.own()).await;
    world.railway.clear_faults();
    let fault = Fault::next(action).path("variableCollectionUpsert");
    world.railway.fault(fault);
    let changes = [create("A", "canary-2"), create("B", "canary-2")];
    let applied = world.apply(&world.own(), &changes).await;
    assert!(!format!("{applied:?}").contains("canary"));
    (read.unwrap_err(), applied)
}

#[tokio::test]
async fn what_is_refused_for_good_is_told_in_our_words() {
    let invalid = Some("GRAPHQL_VALIDATION_FAILED");
    for (action, safe, for_a_person) in [
        (
            error("Two Factor Authentication Required", None),
            "two_factor",
            true,
        ),
        (
            Action::json(400, &error_body("canary-2", invalid)),
            "graphql_validation_failed",
            true,
        ),
        (
            error("canary-2", Some("BAD_USER_INPUT")),
            "bad_user_input",
            false,
        ),
        (respond(400, &[], "canary-2"), "refused", false),
        (respond(404, &[], "canary-2"), "refused", false),
        (
            respond(413, &[], "{\"message\":\"canary-2\"}"),
            "too_large",
            false,
        ),
    ] {
        let (read, applied) = refused(action).await;
        assert!(!read.is_transient());
        assert_eq!(code(&read), safe);
        assert!(!format!("{read:?}").contains("canary"), "{read:?}");
        // What a person has to mend is not looked for among the variables; else each is tried by itself.
        match applied.stopped {
            Some(error) => assert_eq!(code(&error), safe),
            None => assert_eq!(made(&applied), 2),
        }
        assert_eq!(applied.results.is_empty(), for_a_person, "{safe}");
    }
}

/// A read of several parts can fail in several ways, and data may stand beside.
#[tokio::test]
async fn the_error_that_is_known_counts_for_a_read() {
    let mut body = error_body("Problem processing request", None);
    let more = error_body("Not Authorized", None)["errors"][0].clone();
    body["errors"].as_array_mut().unwrap().push(more);
    body["data"] = json!({ "variables": {}, "environment": Value::Null });
    let (read, applied) = refused(Action::json(200, &body)).await;
    assert_eq!(read, ProviderError::Forbidden);
    // Of a write the first may have come after the effect: it is looked into, and not taken for a missing right.
    assert_eq!((made(&applied), applied.stopped), (2, None));
    let (read, _) = refused(error("Problem processing request", None)).await;
    assert_eq!(read, ProviderError::Protocol);
}

#[tokio::test]
async fn a_dead_token_is_refused_as_a_missing_right_until_it_is_asked_for() {
    for precise in [false, true] {
        let world = World::starter().await;
        world.railway.set(|options| options.precise_codes = precise);
        let view = world.list(&world.own()).await;
        world.railway.revoke(keyway_simulator::railway::TOKEN);
        let applied = world
            .apply_to(&view, &world.own(), &[create("A", "1")])
            .await;
        let expected = if precise {
            ProviderError::Unauthorized
        } else {
            ProviderError::Forbidden
        };
        assert_eq!(applied.stopped, Some(expected));
        let account = world.provider.account(&world.session).await;
        assert_eq!(account.unwrap_err(), ProviderError::Unauthorized);
    }
}

#[tokio::test]
async fn a_write_that_finds_nobody_was_not_sent() {
    let mut world = World::with_timeout(Preset::Starter, Duration::from_millis(400)).await;
    let view = world.list(&world.own()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    world.provider = provider(&url, Duration::from_millis(400));
    let applied = world
        .apply_to(&view, &world.own(), &[create("A", "1")])
        .await;
    assert_eq!(applied.stopped, Some(ProviderError::Unavailable));
}
