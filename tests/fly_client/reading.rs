//! What a list tells.

use keyway_shared::providers::ProviderError;
use keyway_shared::sync::remote::{RemoteValue, RowOwner};
use keyway_simulator::fly::{APP, OTHER_APP, Preset};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{World, app, update};

#[tokio::test]
async fn rows_have_a_name_and_a_digest_and_no_value() {
    let world = World::new(Preset::LivedIn).await;
    let view = world.list().await;
    assert_eq!(view.incomplete, None);
    let staged = world.fly.snapshot(APP);
    assert_eq!(view.rows.len(), staged.len());
    for row in &view.rows {
        assert_eq!(row.id, row.key);
        assert_eq!(row.value, RemoteValue::Unreadable);
        assert_eq!(row.stamp.as_ref(), Some(&staged[&row.key].digest));
        assert_eq!(
            (row.kind.as_str(), &row.owner),
            ("secret", &RowOwner::People)
        );
        assert!(app().has(row));
    }
    let requests = world.fly.requests();
    assert_eq!(requests.len(), 1);
    // Values are never asked for.
    assert_eq!(requests[0].query, "");
    let read = world
        .provider
        .read(&world.session, &app(), "LOG_LEVEL")
        .await;
    assert_eq!(read, Ok((RemoteValue::Unreadable, None)));
    assert_eq!(world.fly.calls(), 1);
}

#[tokio::test]
async fn an_app_without_secrets_shows_none_in_any_way() {
    let world = World::new(Preset::Empty).await;
    assert!(world.list().await.rows.is_empty());
    for body in [
        json!({}),
        json!({ "secrets": null }),
        json!({ "secrets": [] }),
    ] {
        world.fly.fault(Fault::next(Action::json(200, &body)));
        let view = world.list().await;
        assert!(view.rows.is_empty() && view.incomplete.is_none(), "{body}");
    }
    // Any other JSON is not that.
    let other = Action::json(200, &json!({ "ok": true }));
    world.fly.fault(Fault::next(other));
    let listed = world.provider.list(&world.session, &app()).await;
    assert_eq!(listed.unwrap_err(), ProviderError::Protocol);
}

#[tokio::test]
async fn a_row_without_a_digest_certifies_nothing_and_one_without_a_name_is_missing() {
    let world = World::new(Preset::Empty).await;
    let body = json!({ "secrets": [{ "name": "A" }, { "name": "B", "digest": "" },
        { "name": "C", "digest": "c1", "value": "shown-after-all", "label": 1 },
        { "name": "C", "digest": "c2" }] });
    world.fly.fault(Fault::next(Action::json(200, &body)));
    let view = world.list().await;
    let rows = view.rows.iter();
    let stamps: Vec<_> = rows
        .map(|row| (row.key.as_str(), row.stamp.as_deref()))
        .collect();
    assert_eq!(stamps, [("A", None), ("B", None), ("C", Some("c1"))]);
    assert!(!format!("{view:?}").contains("shown-after-all"));
    assert_eq!(view.incomplete, None);
    let body = json!({ "secrets": [{ "digest": "x" }, { "name": "" }] });
    world.fly.fault(Fault::next(Action::json(200, &body)));
    let view = world.list().await;
    assert!(view.rows.is_empty() && view.incomplete.is_some());
}

#[tokio::test]
async fn what_somebody_else_writes_has_another_digest() {
    let world = World::new(Preset::LivedIn).await;
    let stamp = async || {
        let view = world.list().await;
        let row = view.rows.into_iter().find(|row| row.key == "LOG_LEVEL");
        row.unwrap().stamp.unwrap()
    };
    world.apply(&[update("LOG_LEVEL", "ours")]).await;
    let ours = stamp().await;
    world.fly.put_secret(APP, "LOG_LEVEL", "theirs");
    assert_ne!(stamp().await, ours);
    // The same value is the same digest, whoever writes it.
    world.fly.put_secret(APP, "LOG_LEVEL", "ours");
    assert_eq!(stamp().await, ours);
}

#[tokio::test]
async fn apps_out_of_reach_and_apps_that_are_not_there() {
    let world = World::new(Preset::Empty).await;
    let list = async |name: &str| {
        let mut of = app();
        name.clone_into(&mut of.project_id);
        world.provider.list(&world.session, &of).await.unwrap_err()
    };
    assert_eq!(list(OTHER_APP).await, ProviderError::Forbidden);
    world.fly.set(|options| options.out_of_reach_status = 404);
    assert_eq!(list(OTHER_APP).await, ProviderError::NotFound);
    assert_eq!(list("nowhere").await, ProviderError::NotFound);
    // What is no name never becomes a path.
    world.fly.reset_calls();
    assert!(matches!(list("..").await, ProviderError::Invalid { .. }));
    assert_eq!(world.fly.calls(), 0);
}
