//! Rows that give one value to several environments: changing it for one never changes another.

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::{ProviderError, Target};
use keyway_shared::secret::Secret;
use keyway_simulator::vercel::{EnvSeed, Preset};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{PROJECT, World, at, create, failures, made, outside, update};

#[tokio::test]
async fn an_update_is_two_calls_and_changes_nothing_else() {
    let world = World::new(Preset::LivedIn).await;
    let to = at("production");
    let before = outside(world.snapshot(), &to);
    let applied = world.apply(&to, &[update("SENTRY_DSN", "new")]).await;
    assert_eq!((made(&applied), applied.stopped), (1, None));
    assert_eq!(world.methods(), ["PATCH", "POST"]);
    // Neither value nor key nor type: only what the row keeps.
    let sent = world.vercel.requests()[0].body.clone().unwrap();
    assert_eq!(sent, json!({"target": ["development", "preview"]}));
    assert_eq!(
        world.value("SENTRY_DSN", "production").as_deref(),
        Some("new")
    );
    assert_eq!(outside(world.snapshot(), &to), before);
    assert_eq!(world.journal.opened(), 1);
    assert!(world.journal.open_splits().is_empty());
}

#[tokio::test]
async fn the_creates_share_one_batch() {
    let world = World::new(Preset::LivedIn).await;
    let to = at("preview");
    let before = outside(world.snapshot(), &to);
    let changes = [
        update("SENTRY_DSN", "1"),
        update("API_URL", "2"),
        update("FEATURE", "3"),
        create("NEW", "4"),
    ];
    let applied = world.apply(&to, &changes).await;
    assert_eq!(made(&applied), 4);
    assert_eq!(world.methods(), ["PATCH", "PATCH", "POST"]);
    assert_eq!(world.value("API_URL", "preview").as_deref(), Some("2"));
    assert_eq!(outside(world.snapshot(), &to), before);
    assert!(world.journal.open_splits().is_empty());
}

#[tokio::test]
async fn a_sensitive_row_and_one_with_custom_environments_keep_the_rest() {
    let world = World::new(Preset::LivedIn).await;
    let staging = world
        .provider
        .destination(&world.session, &Target::new(PROJECT, "staging"))
        .await
        .unwrap();
    world.seed(&EnvSeed::new("MIXED", "old", &["production", "preview"]).custom(&staging.scope));
    world.seed(&EnvSeed::new("SEALED", "old", &["production", "preview"]).kind("sensitive"));
    let to = at("production");
    let before = outside(world.snapshot(), &to);
    let applied = world
        .apply(&to, &[update("MIXED", "new"), update("SEALED", "new")])
        .await;
    assert_eq!(made(&applied), 2);
    let sent = world.vercel.requests()[0].body.clone().unwrap();
    assert_eq!(
        sent,
        json!({"target": ["preview"], "customEnvironmentIds": [staging.scope.clone()]})
    );
    assert_eq!(outside(world.snapshot(), &to), before);
    let kinds: Vec<_> = world.snapshot().into_iter().collect();
    let sealed = kinds
        .iter()
        .find(|(place, _)| place.key == "SEALED" && place.scope == "production");
    assert_eq!(sealed.unwrap().1.kind, "sensitive");
    // And the custom environment off it.
    let before = outside(world.snapshot(), &staging);
    let applied = world.apply(&staging, &[update("MIXED", "third")]).await;
    assert_eq!((made(&applied), world.vercel.calls()), (1, 2));
    assert_eq!(outside(world.snapshot(), &staging), before);
    assert_eq!(
        world.value("MIXED", &staging.scope).as_deref(),
        Some("third")
    );
}

#[tokio::test]
async fn a_new_row_that_is_refused_puts_everything_back() {
    let world = World::new(Preset::LivedIn).await;
    let before = world.snapshot();
    let to = at("production");
    world.vercel.fault(
        Fault::next(Action::FailKeys {
            keys: vec!["SENTRY_DSN".to_owned()],
            code: "INVALID_VALUE".to_owned(),
        })
        .method("POST"),
    );
    let applied = world.apply(&to, &[update("SENTRY_DSN", "new")]).await;
    assert_eq!(failures(&applied)["SENTRY_DSN"], ErrorCode::Rejected);
    assert_eq!(world.snapshot(), before);
    assert!(world.journal.open_splits().is_empty());
    // Also when it is the whole call that is refused for good.
    let forbidden = json!({"error": {"code": "forbidden", "message": "m"}});
    world
        .vercel
        .fault(Fault::next(Action::json(403, &forbidden)).method("POST"));
    let applied = world.apply(&to, &[update("SENTRY_DSN", "new")]).await;
    assert_eq!(applied.stopped, Some(ProviderError::Forbidden));
    assert_eq!(world.snapshot(), before);
    assert!(world.journal.open_splits().is_empty());
}

#[tokio::test]
async fn a_refused_edit_begins_nothing() {
    let world = World::new(Preset::LivedIn).await;
    let before = world.snapshot();
    let to = at("production");
    let refusals = [
        (404, "not_found", None),
        (400, "ENV_CONFLICT", None),
        (403, "forbidden", None),
        (429, "rate_limited", Some("rate_limited")),
        (401, "unauthorized", Some("unauthorized")),
    ];
    for (status, code, stopped) in refusals {
        let body = json!({"error": {"code": code, "message": "m"}});
        world
            .vercel
            .fault(Fault::next(Action::json(status, &body)).method("PATCH"));
        let applied = world.apply(&to, &[update("SENTRY_DSN", "new")]).await;
        assert_eq!(
            applied.stopped.as_ref().map(ProviderError::outcome),
            stopped
        );
        if stopped.is_none() {
            let expected = match status {
                403 => ErrorCode::Forbidden,
                _ => ErrorCode::Conflict,
            };
            assert_eq!(failures(&applied)["SENTRY_DSN"], expected);
        }
        assert_eq!(world.methods(), ["PATCH"]);
        assert_eq!(world.snapshot(), before);
        assert!(world.journal.open_splits().is_empty());
    }
}

#[tokio::test]
async fn what_was_begun_is_finished_before_the_run_ends() {
    let world = World::new(Preset::LivedIn).await;
    let to = at("production");
    let limited = json!({"error": {"code": "rate_limited", "message": "m"}});
    world.vercel.fault(
        Fault::next(Action::json(429, &limited))
            .method("PATCH")
            .after(1),
    );
    let changes = [
        update("API_URL", "1"),
        update("SENTRY_DSN", "2"),
        create("NEW", "3"),
    ];
    let applied = world.apply(&to, &changes).await;
    assert_eq!(
        applied.stopped,
        Some(ProviderError::RateLimited { until: None })
    );
    assert_eq!(world.methods(), ["PATCH", "PATCH", "POST"]);
    assert_eq!(made(&applied), 1);
    assert_eq!(world.value("API_URL", "production").as_deref(), Some("1"));
    // What was not begun waits for the next run.
    assert_eq!(world.value("NEW", "production"), None);
    assert!(world.journal.open_splits().is_empty());
}

#[tokio::test]
async fn an_open_split_is_closed_by_looking_first() {
    for (method, after_effect, value) in [
        ("PATCH", false, Some("late")),
        ("PATCH", true, Some("late")),
        ("PATCH", true, None),
        ("POST", false, Some("late")),
        ("POST", false, None),
        ("POST", true, Some("late")),
        ("POST", true, None),
    ] {
        let case = format!("{method} {after_effect} {value:?}");
        let world = World::new(Preset::LivedIn).await;
        let to = at("production");
        let before = world.snapshot();
        let action = if after_effect {
            Action::ResetAfter
        } else {
            Action::ResetBefore
        };
        world.vercel.fault(Fault::next(action).method(method));
        let applied = world.apply(&to, &[update("SENTRY_DSN", "new")]).await;
        assert_eq!(
            applied.stopped,
            Some(ProviderError::OutcomeUnknown),
            "{case}"
        );
        assert!(applied.results.is_empty(), "{case}");
        let open = world.journal.open_splits();
        assert_eq!(open.len(), 1, "{case}");
        assert!(!format!("{open:?}").contains("new"), "{case}");

        let value = value.map(Secret::new);
        for _ in 0..2 {
            world
                .provider
                .close_split(&world.session, &open[0], value.as_ref())
                .await
                .unwrap();
        }
        assert_eq!(outside(world.snapshot(), &to), outside(before.clone(), &to));
        let now = world.value("SENTRY_DSN", "production");
        let expected = match (method, after_effect, &value) {
            // The row was never taken apart, or has been put back.
            ("PATCH", false, _) | (_, false, None) | ("PATCH", true, None) => {
                "https://sentry.example/1"
            }
            ("POST", true, _) => "new",
            _ => "late",
        };
        assert_eq!(now.as_deref(), Some(expected), "{case}");
    }
}

#[tokio::test]
async fn targets_that_were_edited_since_are_added_to() {
    let world = World::new(Preset::LivedIn).await;
    let to = at("production");
    world
        .vercel
        .fault(Fault::next(Action::ResetBefore).method("POST"));
    world.apply(&to, &[update("SENTRY_DSN", "new")]).await;
    let open = world.journal.open_splits();
    // Somebody takes development off by hand meanwhile.
    let applied = world
        .apply(&at("development"), &[crate::support::delete("SENTRY_DSN")])
        .await;
    assert_eq!(made(&applied), 1);
    world
        .provider
        .close_split(&world.session, &open[0], None)
        .await
        .unwrap();
    assert!(world.value("SENTRY_DSN", "production").is_some());
    assert!(world.value("SENTRY_DSN", "preview").is_some());
    assert_eq!(world.value("SENTRY_DSN", "development"), None);
}

#[tokio::test]
async fn a_new_row_that_the_answer_does_not_mention_is_looked_up() {
    let world = World::new(Preset::LivedIn).await;
    let before = world.snapshot();
    let to = at("production");
    let empty = json!({"created": []});
    world
        .vercel
        .fault(Fault::next(Action::json(201, &empty)).method("POST"));
    let applied = world.apply(&to, &[update("SENTRY_DSN", "new")]).await;
    assert_eq!(failures(&applied)["SENTRY_DSN"], ErrorCode::ProviderError);
    assert_eq!((world.snapshot(), applied.stopped), (before, None));
    assert!(world.journal.open_splits().is_empty());

    let effect = Action::RespondAfter {
        status: 201,
        body: empty.to_string(),
    };
    world.vercel.fault(Fault::next(effect).method("POST"));
    let applied = world.apply(&to, &[update("SENTRY_DSN", "new")]).await;
    assert_eq!(applied.stopped, Some(ProviderError::OutcomeUnknown));
    assert_eq!(
        world.value("SENTRY_DSN", "production").as_deref(),
        Some("new")
    );
    assert!(world.journal.open_splits().is_empty());
}
