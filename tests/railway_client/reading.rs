//! What a place has, and what is known of it.

use keyway_shared::sync::remote::{RemoteValue, RowOwner};
use keyway_simulator::Action;
use keyway_simulator::Fault;
use keyway_simulator::railway::{Target, error};
use serde_json::json;

use crate::support::{World, known, row};

#[tokio::test]
async fn one_call_reads_a_place_with_its_references_as_they_were_written() {
    let world = World::lived_in().await;
    let view = world.list(&world.own()).await;
    assert_eq!(world.operations(), ["variables", "environment"]);
    assert_eq!(world.railway.calls(), 1);
    assert!(view.incomplete.is_none());
    let values = known(&view);
    assert_eq!(values["DATABASE_URL"], "${{Postgres.DATABASE_URL}}");
    assert_eq!(values["GONE"], "before-${{Removed.URL}}-after");
    assert_eq!(values["EMPTY"], "");
    assert_eq!(values["RAILWAY_HEALTHCHECK_TIMEOUT_SEC"], "120");
    // None of what Railway adds when it resolves them.
    assert!(!values.contains_key("RAILWAY_PROJECT_ID"));
    for row in &view.rows {
        assert!(world.own().has(row) && row.stamp.is_some(), "{}", row.key);
        assert_eq!(row.owner, RowOwner::People);
    }
}

#[tokio::test]
async fn only_what_the_place_itself_has_is_its() {
    let world = World::lived_in().await;
    let shared = world.list(&world.at(&world.production, None)).await;
    assert_eq!(known(&shared).keys().collect::<Vec<_>>(), [&"SENTRY_DSN"]);
    assert_eq!(row(&shared, "LICENCE_KEY").kind, "sealed");
    let staging = world.at(&world.staging, Some(&world.web));
    let staging = world.list(&staging).await;
    assert_eq!(known(&staging)["API_URL"], "https://staging.acme.dev");
    assert_eq!(staging.rows.len(), 1);
}

/// Nobody knows whether a sealed name is left out of the values or there with null.
#[tokio::test]
async fn sealed_variables_are_there_and_unreadable_either_way() {
    for as_null in [false, true] {
        let world = World::lived_in().await;
        world
            .railway
            .set(|options| options.sealed_as_null = as_null);
        let view = world.list(&world.own()).await;
        let sealed = row(&view, "STRIPE_SECRET_KEY");
        assert_eq!(sealed.value, RemoteValue::Unreadable);
        assert_eq!(sealed.kind, "sealed");
        assert!(sealed.stamp.is_some());
        assert_eq!(view.rows.len(), 8);
    }
}

#[tokio::test]
async fn a_write_by_hand_changes_the_stamp_and_not_the_id() {
    let world = World::lived_in().await;
    let before = world.list(&world.own()).await;
    world
        .railway
        .seal_variable(&world.target(), "STRIPE_SECRET_KEY", "sk_live_2");
    let after = world.list(&world.own()).await;
    let (before, after) = (
        row(&before, "STRIPE_SECRET_KEY"),
        row(&after, "STRIPE_SECRET_KEY"),
    );
    assert_eq!(before.id, after.id);
    assert!(before.stamp < after.stamp);
}

#[tokio::test]
async fn all_pages_of_an_environment_are_read() {
    let world = World::starter().await;
    let postgres = world.railway.service(&world.project, "Postgres").unwrap();
    let other = Target::service(&world.production, &postgres);
    for n in 0..1_150 {
        world
            .railway
            .set_variable(&other, &format!("OTHER_{n}"), "x");
        world
            .railway
            .seal_variable(&world.target(), &format!("SEALED_{n}"), "x");
    }
    let view = world.list(&world.own()).await;
    assert_eq!(view.rows.len(), 1_150);
    assert!(view.rows.iter().all(|row| row.kind == "sealed"));
    assert_eq!(world.railway.calls(), 3);
}

/// How large a page may be is nowhere said.
#[tokio::test]
async fn a_large_page_that_is_refused_is_asked_for_in_small_ones() {
    for (message, code) in [
        ("Problem processing request", None),
        ("canary", Some("BAD_USER_INPUT")),
        ("canary", Some("INTERNAL_SERVER_ERROR")),
    ] {
        let world = World::starter().await;
        for n in 0..150 {
            world
                .railway
                .set_variable(&world.target(), &format!("V_{n}"), "x");
        }
        world.railway.fault(Fault::next(error(message, code)));
        assert_eq!(world.list(&world.own()).await.rows.len(), 150);
        let requests = world.railway.requests();
        let sizes: Vec<_> = requests
            .iter()
            .map(|request| request.body.as_ref().unwrap()["variables"]["first"].clone())
            .collect();
        assert_eq!(sizes, [1_000, 100, 100]);
    }
}

fn answer(names: &serde_json::Value, values: &serde_json::Value) -> Action {
    Action::json(
        200,
        &json!({ "data": { "variables": values, "environment": { "variables": names } } }),
    )
}

/// Values whose names are not listed, of people and of Railway's own, and one that a sealed variable shows.
#[tokio::test]
async fn lists_of_names_and_of_values_need_not_agree() {
    let world = World::starter().await;
    let names = json!({ "edges": [{ "node": { "id": "v1", "name": "SEALED", "isSealed": true,
            "serviceId": world.web, "updatedAt": "2026-01-01T00:00:00Z" } },
        { "node": { "id": "v2", "name": "HIDDEN", "isSealed": false,
            "serviceId": world.web, "updatedAt": "2026-01-01T00:00:00Z" } }],
        "pageInfo": { "hasNextPage": false, "endCursor": null } });
    let values = json!({ "SEALED": "*****", "NEW": "1", "NULL": null,
        "RAILWAY_SERVICE_ID": "s" });
    world.railway.fault(Fault::next(answer(&names, &values)));
    let view = world.list(&world.own()).await;
    assert_eq!(row(&view, "SEALED").value, RemoteValue::Unreadable);
    assert_eq!(row(&view, "HIDDEN").value, RemoteValue::Unreadable);
    assert_eq!(row(&view, "NULL").value, RemoteValue::Unreadable);
    let new = row(&view, "NEW");
    assert!(new.stamp.is_none() && new.owner == RowOwner::People);
    assert_eq!(row(&view, "RAILWAY_SERVICE_ID").owner, RowOwner::Platform);
    assert_eq!(view.rows.len(), 5);
}

/// A list that is silently short would have variables created that are there.
#[tokio::test]
async fn pages_that_lead_nowhere_are_an_error() {
    let world = World::starter().await;
    for info in [
        json!({ "hasNextPage": true, "endCursor": null }),
        json!({ "hasNextPage": true, "endCursor": "again" }),
    ] {
        let page = json!({ "edges": [], "pageInfo": info });
        world
            .railway
            .fault(Fault::next(answer(&page, &json!({}))).times(3));
        let error = world.provider.list(&world.session, &world.own()).await;
        assert_eq!(
            error.unwrap_err(),
            keyway_shared::providers::ProviderError::Protocol
        );
        world.railway.clear_faults();
    }
}
