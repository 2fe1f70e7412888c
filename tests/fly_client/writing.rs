//! What a run writes, and with how many calls.

use keyway_shared::providers::Change;
use keyway_simulator::fly::{APP, Preset, VersionField, Written};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{World, create, delete, failures, made, receipt, update};

#[tokio::test]
async fn a_hundred_new_secrets_are_one_call() {
    let world = World::new(Preset::Empty).await;
    let names: Vec<String> = (0..100).map(|n| format!("KEY_{n}")).collect();
    let changes: Vec<Change> = names.iter().map(|name| create(name, name)).collect();
    let applied = world.apply(&changes).await;
    assert_eq!((applied.stopped.clone(), made(&applied)), (None, 100));
    assert_eq!(world.fly.calls(), 1);
    assert_eq!(world.journal.done(), 100);
    for name in &names {
        assert_eq!(world.value(name).as_ref(), Some(name));
    }
}

#[tokio::test]
async fn creates_updates_and_deletes_go_together() {
    let world = World::new(Preset::LivedIn).await;
    let before = world.fly.snapshot(APP);
    let changes = [
        create("NEW", "1"),
        update("LOG_LEVEL", "info"),
        delete("SENTRY_DSN"),
    ];
    let applied = world.apply(&changes).await;
    assert_eq!((applied.stopped.clone(), made(&applied)), (None, 3));
    let together = json!({ "NEW": "1", "LOG_LEVEL": "info", "SENTRY_DSN": null });
    assert_eq!(world.sent(), [together]);
    assert_eq!(world.fly.calls(), 1);
    assert_eq!(receipt(&applied, "SENTRY_DSN"), None);
    let after = world.fly.snapshot(APP);
    for (name, shown) in before {
        if !["LOG_LEVEL", "SENTRY_DSN"].contains(&name.as_str()) {
            assert_eq!(after[&name], shown);
        }
    }
    assert_eq!(after["LOG_LEVEL"].value, "info");
    assert!(!after.contains_key("SENTRY_DSN"));
    // Nothing that runs has changed.
    for machine in world.fly.machines(APP) {
        let running = world.fly.running(&machine).unwrap();
        assert!(!running.secrets.contains_key("NEW"));
    }
}

#[tokio::test]
async fn one_change_is_one_call_and_none_is_none() {
    let world = World::new(Preset::LivedIn).await;
    world.apply(&[update("LOG_LEVEL", "")]).await;
    assert_eq!(world.sent(), [json!({ "LOG_LEVEL": "" })]);
    assert_eq!(world.value("LOG_LEVEL").as_deref(), Some(""));
    // A write of nothing might be refused.
    world.fly.set(|options| options.refuse_no_values = true);
    let applied = world.apply(&[]).await;
    assert_eq!((applied.stopped, applied.results.len()), (None, 0));
    // What is gone is gone.
    let applied = world.apply(&[delete("GONE")]).await;
    assert_eq!((made(&applied), world.fly.calls()), (1, 0));
}

#[tokio::test]
async fn a_write_without_a_value_unsets_nothing() {
    let world = World::new(Preset::LivedIn).await;
    let valueless = Change {
        value: None,
        ..update("LOG_LEVEL", "x")
    };
    let changes = [valueless, create("NEW", "1"), delete("SENTRY_DSN")];
    let applied = world.apply(&changes).await;
    assert_eq!(failures(&applied).len(), 2);
    assert_eq!(world.sent(), [json!({ "NEW": "1" })]);
    assert!(world.value("LOG_LEVEL").is_some() && world.value("SENTRY_DSN").is_some());
}

#[tokio::test]
async fn a_receipt_has_the_digest_of_the_answer() {
    for (written, digests) in [
        (Written::Set, true),
        (Written::All, true),
        (Written::Nothing, false),
    ] {
        for field in [
            VersionField::Both,
            VersionField::New,
            VersionField::Deprecated,
        ] {
            let world = World::new(Preset::LivedIn).await;
            world.fly.set(|options| {
                options.written = written;
                options.version_field = field;
                options.null_fields = true;
            });
            let applied = world
                .apply(&[create("NEW", "1"), update("LOG_LEVEL", "2")])
                .await;
            let staged = world.fly.snapshot(APP);
            for key in ["NEW", "LOG_LEVEL"] {
                let receipt = receipt(&applied, key).unwrap();
                assert_eq!(receipt.remote_id, key);
                assert_eq!(receipt.kind.as_deref(), Some("secret"));
                let digest = digests.then(|| staged[key].digest.clone());
                assert_eq!(receipt.stamp, digest, "{written:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_that_lags_leads_to_the_same_values_once_more() {
    let world = World::new(Preset::LivedIn).await;
    world.fly.set(|options| options.lag_ms = 60_000);
    let changes = [
        create("NEW", "1"),
        update("LOG_LEVEL", "2"),
        delete("SENTRY_DSN"),
    ];
    let applied = world.apply(&changes).await;
    assert_eq!(made(&applied), 3);
    let wrote = world.fly.snapshot(APP);
    assert_eq!(
        receipt(&applied, "NEW").unwrap().stamp.unwrap(),
        wrote["NEW"].digest
    );
    // What the list shows is what was before, so that it all looks as if it was still to do.
    let view = world.list().await;
    assert!(view.rows.iter().all(|row| row.key != "NEW"));
    let again = world.carry_out(&view, &changes).await;
    assert_eq!((again.stopped.clone(), made(&again)), (None, 3));
    assert_eq!(world.fly.snapshot(APP), wrote);
}

#[tokio::test]
async fn whoever_writes_meanwhile_loses_only_what_both_write() {
    let world = World::new(Preset::LivedIn).await;
    let view = world.list().await;
    world.fly.put_secret(APP, "THEIRS", "t");
    world.fly.remove_secret(APP, "SENTRY_DSN");
    let changes = [update("LOG_LEVEL", "2"), delete("SENTRY_DSN")];
    let applied = world.carry_out(&view, &changes).await;
    assert_eq!((applied.stopped.clone(), made(&applied)), (None, 2));
    assert_eq!(world.value("THEIRS").as_deref(), Some("t"));
}

#[tokio::test]
async fn another_write_in_the_way_is_a_conflict_and_nothing_happened() {
    let world = World::new(Preset::Empty).await;
    let busy = Action::json(
        409,
        &json!({ "error": "another write", "status": "unknown" }),
    );
    world.fly.fault(Fault::next(busy).method("POST"));
    let applied = world.apply(&[create("A", "1"), create("B", "1")]).await;
    let error = applied.stopped.unwrap();
    assert_eq!(error.outcome(), "conflict");
    assert!(error.is_transient());
    assert!(applied.results.is_empty());
    assert_eq!(world.fly.calls(), 1);
}
