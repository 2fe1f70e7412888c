//! Every kind of broken answer, for a read and for a write.

use std::time::Duration;

use keyway_shared::providers::ProviderError;
use keyway_simulator::fly::{APP, ErrorForm, Preset, READ_ONLY_TOKEN, TOKEN};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{World, app, create, delete, provider, session, update};

fn respond(status: u16, headers: &[(&str, &str)], body: &str) -> Action {
    let headers = headers.iter();
    Action::Respond {
        status,
        headers: headers
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
    let world = World::with_timeout(Preset::Empty, timeout(&action)).await;
    world.fly.fault(Fault::next(action));
    let error = world.provider.list(&world.session, &app()).await;
    assert_eq!(world.fly.calls(), 1, "clients never retry");
    error.unwrap_err()
}

/// What a write ends with, and whether it took effect.
async fn write(action: Action) -> (Option<ProviderError>, bool) {
    let world = World::with_timeout(Preset::Empty, timeout(&action)).await;
    world.fly.fault(Fault::next(action).method("POST"));
    let applied = world.apply(&[create("A", "canary-2")]).await;
    assert_eq!(world.fly.calls(), 1, "clients never retry");
    assert!(!format!("{applied:?}").contains("canary"));
    (applied.stopped, world.value("A").is_some())
}

#[tokio::test]
async fn broken_transport_and_bodies() {
    use ProviderError as E;
    let large = "x".repeat(17 * 1024 * 1024);
    let unknown = E::OutcomeUnknown;
    let after = Action::RespondAfter {
        status: 504,
        body: "{}".to_owned(),
    };
    let elsewhere = respond(307, &[("location", "http://127.0.0.1:1/")], "");
    let table = [
        (Action::ResetBefore, E::Unavailable, unknown.clone(), false),
        (Action::ResetAfter, E::Unavailable, unknown.clone(), true),
        (Action::Hang, E::Timeout, unknown.clone(), false),
        (Action::TruncateBody, E::Protocol, unknown.clone(), true),
        (
            respond(200, &[], "<html>"),
            E::Protocol,
            unknown.clone(),
            false,
        ),
        (respond(200, &[], ""), E::Protocol, unknown.clone(), false),
        (
            respond(200, &[], r#"{"ok":true}"#),
            E::Protocol,
            unknown.clone(),
            false,
        ),
        (
            respond(200, &[], &large),
            E::Protocol,
            unknown.clone(),
            false,
        ),
        (elsewhere, E::Protocol, E::Protocol, false),
        (
            respond(500, &[], "<html/>"),
            E::Unavailable,
            unknown.clone(),
            false,
        ),
        (
            respond(502, &[], ""),
            E::Unavailable,
            unknown.clone(),
            false,
        ),
        (after, E::Unavailable, unknown.clone(), true),
        (respond(408, &[], ""), E::Timeout, unknown, false),
    ];
    for (action, reading, writing, effect) in table {
        let name = format!("{:.60}", format!("{action:?}"));
        assert_eq!(read(action.clone()).await, reading, "{name}");
        assert_eq!(write(action).await, (Some(writing), effect), "{name}");
    }
}

#[tokio::test]
async fn refusals_by_status_whatever_their_body() {
    use ProviderError as E;
    let bodies = [
        json!({ "error": "canary-2", "status": "unknown" }).to_string(),
        json!({ "errors": { "detail": "canary-2" } }).to_string(),
        "canary-2".to_owned(),
        String::new(),
    ];
    for (status, expected) in [
        (401, E::Unauthorized),
        (403, E::Forbidden),
        (404, E::NotFound),
        (409, E::Conflict),
    ] {
        for body in &bodies {
            let action = respond(status, &[], body);
            assert_eq!(read(action.clone()).await, expected, "{status} {body}");
            let wrote = write(action).await;
            assert_eq!(wrote, (Some(expected.clone()), false), "{status} {body}");
        }
    }
    for body in &bodies {
        match read(respond(422, &[], body)).await {
            E::Invalid { code, message, .. } => {
                assert_eq!(code, "422");
                assert!(!message.contains("canary"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn errors_come_in_every_form() {
    for form in [
        ErrorForm::Described,
        ErrorForm::ErrorOnly,
        ErrorForm::Message,
        ErrorForm::Detail,
        ErrorForm::Text,
    ] {
        let world = World::new(Preset::Empty).await;
        world.fly.set(|options| options.error_form = form);
        world.fly.revoke(TOKEN);
        let error = world.provider.list(&world.session, &app()).await;
        assert_eq!(error.unwrap_err(), ProviderError::Unauthorized, "{form:?}");
    }
}

#[tokio::test]
async fn a_dead_token_and_one_that_may_only_read() {
    let world = World::new(Preset::Empty).await.signed(READ_ONLY_TOKEN);
    let applied = world.apply(&[create("A", "1")]).await;
    assert_eq!(applied.stopped, Some(ProviderError::Forbidden));
    let account = world.provider.account(&world.session).await;
    assert!(account.is_ok(), "it lives");
    let view = world.list().await;
    world.fly.revoke(READ_ONLY_TOKEN);
    let applied = world.carry_out(&view, &[create("A", "1")]).await;
    assert_eq!(applied.stopped, Some(ProviderError::Unauthorized));
    assert_eq!(world.value("A"), None);
}

#[tokio::test]
async fn a_write_that_finds_nobody_was_not_sent() {
    let world = World::new(Preset::Empty).await;
    let view = world.list().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let away = World {
        provider: provider(&url, Duration::from_millis(400)),
        session: session(&*world.provider, TOKEN, None),
        ..World::new(Preset::Empty).await
    };
    let applied = away.carry_out(&view, &[create("A", "1")]).await;
    assert_eq!(applied.stopped, Some(ProviderError::Unavailable));
}

#[tokio::test]
async fn any_break_anywhere_converges_and_touches_nothing_else() {
    let changes = [
        create("NEW", "1"),
        update("LOG_LEVEL", "wanted"),
        delete("SENTRY_DSN"),
    ];
    let undisturbed = World::new(Preset::LivedIn).await;
    undisturbed.apply(&changes).await;
    let values = |world: &World| {
        let staged = world.fly.snapshot(APP).into_iter();
        staged
            .map(|(name, shown)| (name, shown.value))
            .collect::<Vec<_>>()
    };
    for action in [
        Action::ResetBefore,
        Action::ResetAfter,
        Action::TruncateBody,
        respond(500, &[], ""),
    ] {
        let world = World::new(Preset::LivedIn).await;
        world.fly.fault(Fault::next(action.clone()).method("POST"));
        let broken = world.apply(&changes).await;
        assert_eq!(broken.stopped, Some(ProviderError::OutcomeUnknown));
        assert!(broken.results.is_empty());
        let again = world.apply(&changes).await;
        assert_eq!(again.stopped, None);
        assert_eq!(values(&world), values(&undisturbed), "{action:?}");
    }
}
