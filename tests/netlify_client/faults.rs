//! Every kind of broken answer, for a read and for each kind of write.

use std::time::Duration;

use keyway_shared::providers::ProviderError as E;
use keyway_simulator::netlify::{EnvSeed, Preset, SITE};
use keyway_simulator::{Action, Fault};

use crate::support::{World, at, create, delete, update};

fn respond(status: u16, body: &str) -> Action {
    Action::Respond {
        status,
        headers: [].into(),
        body: body.to_owned(),
    }
}

async fn world(action: &Action) -> World {
    // Short only where it is what the test waits for.
    let timeout = match action {
        Action::Hang => Duration::from_millis(400),
        _ => Duration::from_mins(1),
    };
    let world = World::with_timeout(Preset::Starter, timeout).await;
    world.netlify.put_env(
        SITE,
        &EnvSeed::new("OLD", &[("production", "1"), ("dev", "2")]),
    );
    world
}

#[tokio::test]
async fn broken_transport_and_bodies() {
    let table = [
        (Action::ResetBefore, E::Unavailable, E::OutcomeUnknown),
        (Action::ResetAfter, E::Unavailable, E::OutcomeUnknown),
        (Action::Hang, E::Timeout, E::OutcomeUnknown),
        (Action::TruncateBody, E::Protocol, E::OutcomeUnknown),
        (
            respond(200, "<html>hello</html>"),
            E::Protocol,
            E::OutcomeUnknown,
        ),
        (respond(200, ""), E::Protocol, E::OutcomeUnknown),
        (respond(500, "<html/>"), E::Unavailable, E::OutcomeUnknown),
        (respond(502, ""), E::Unavailable, E::OutcomeUnknown),
        (respond(504, "{}"), E::Unavailable, E::OutcomeUnknown),
        (respond(408, ""), E::Timeout, E::OutcomeUnknown),
        (respond(401, ""), E::Unauthorized, E::Unauthorized),
        (respond(403, "{}"), E::Forbidden, E::Forbidden),
        (respond(409, "{}"), E::Conflict, E::Conflict),
        (
            respond(429, "{}"),
            E::RateLimited { until: None },
            E::RateLimited { until: None },
        ),
    ];
    for (action, reading, writing) in table {
        let name = format!("{action:?}");
        let asked = world(&action).await;
        asked.netlify.fault(Fault::next(action.clone()));
        let read = asked.provider.list(&asked.session, &at("production")).await;
        assert_eq!(read.unwrap_err(), reading, "{name}");
        assert_eq!(asked.netlify.calls(), 1, "clients never retry");
        for (method, change) in [
            ("POST", create("NEW", "canary-2")),
            ("PATCH", update("OLD", "canary-2")),
        ] {
            let asked = world(&action).await;
            asked
                .netlify
                .fault(Fault::next(action.clone()).method(method));
            let applied = asked.apply(&at("production"), &[change]).await;
            assert_eq!(applied.stopped, Some(writing.clone()), "{name} {method}");
            assert_eq!(asked.methods(), [method], "clients never retry");
            assert!(!format!("{applied:?}").contains("canary"));
        }
    }
}

/// The answer to a delete has no body; what comes in its place does not matter.
#[tokio::test]
async fn a_delete_succeeds_by_its_status() {
    for action in [
        respond(204, ""),
        respond(200, "<html/>"),
        respond(202, "null"),
    ] {
        let asked = world(&action).await;
        asked.netlify.fault(Fault::next(action).method("DELETE"));
        let applied = asked.apply(&at("production"), &[delete("OLD")]).await;
        assert_eq!(applied.stopped, None);
        assert!(applied.results[0].result.is_ok());
    }
    let asked = world(&Action::ResetAfter).await;
    asked
        .netlify
        .fault(Fault::next(Action::ResetAfter).method("DELETE"));
    let applied = asked.apply(&at("production"), &[delete("OLD")]).await;
    assert_eq!(applied.stopped, Some(E::OutcomeUnknown));
}

/// Netlify tells the end of its minute in seconds since 1970, and nothing else.
#[tokio::test]
async fn a_limit_says_when_to_come_again() {
    let world = World::start(Preset::Starter).await;
    world.netlify.set(|options| {
        options.rate_limit = Some(1);
        options.window_ms = 45_000;
    });
    let first = world.provider.list(&world.session, &at("production")).await;
    assert!(first.is_ok());
    let second = world.provider.list(&world.session, &at("production")).await;
    let Err(E::RateLimited { until: Some(until) }) = second else {
        panic!("{second:?}");
    };
    let now = keyway_shared::ambient::Ambient::system().now();
    let wait = (until - now).num_seconds();
    assert!((0..=50).contains(&wait), "{wait}");
}
