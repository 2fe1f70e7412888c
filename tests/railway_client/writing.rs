//! What a write changes, and what it leaves alone.

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::ProviderError;
use keyway_shared::sync::remote::{RemoteRow, RemoteValue, RowOwner};
use keyway_simulator::railway::{self, Cause, Role, Target, error, error_after};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{World, create, delete, known, made, row, update};

#[tokio::test]
async fn creates_and_updates_are_one_call_that_deploys_nothing() {
    let world = World::lived_in().await;
    let view = world.list(&world.own()).await;
    let id = row(&view, "API_URL").id.clone();
    world.railway.reset_calls();
    let changes = [
        create("NEW", "1"),
        update("API_URL", "line\n\"two\" \u{1f511}"),
    ];
    let applied = world.apply_to(&view, &world.own(), &changes).await;
    assert_eq!((made(&applied), applied.stopped), (2, None));
    assert_eq!(world.operations(), ["variableCollectionUpsert"]);
    let requests = world.railway.requests();
    let input = &requests[0].body.as_ref().unwrap()["variables"]["input"];
    assert_eq!(
        (&input["replace"], &input["skipDeploys"]),
        (&json!(false), &json!(true))
    );
    let values = world.values();
    assert_eq!(values["NEW"], "1");
    assert_eq!(values["API_URL"], "line\n\"two\" \u{1f511}");
    assert_eq!(world.railway.deployments(), []);
    // The answer is `true`, so nothing but its existence is known of what was written.
    for result in &applied.results {
        let receipt = result.result.as_ref().unwrap().as_ref().unwrap();
        assert_eq!((&receipt.stamp, &receipt.kind), (&None, &None));
        let expected = if result.key == "NEW" { "NEW" } else { &*id };
        assert_eq!(receipt.remote_id, expected);
    }
}

#[tokio::test]
async fn other_variables_services_and_environments_stay() {
    let world = World::lived_in().await;
    let postgres = world.railway.service(&world.project, "Postgres").unwrap();
    let places = [
        Target::shared(&world.production),
        Target::service(&world.production, &postgres),
        Target::service(&world.staging, &world.web),
        Target::service(&world.staging, &postgres),
    ];
    let elsewhere = || places.each_ref().map(|place| world.railway.snapshot(place));
    let (before, own) = (elsewhere(), world.values());
    let staged = world.railway.staged(&world.staging);
    let changes = [create("NEW", "1"), update("EMPTY", "2"), delete("GONE")];
    let applied = world.apply(&world.own(), &changes).await;
    assert_eq!(made(&applied), 3);
    assert_eq!(elsewhere(), before);
    assert_eq!(world.railway.staged(&world.staging), staged);
    let mut expected = own;
    expected.insert("NEW".to_owned(), "1".to_owned());
    expected.insert("EMPTY".to_owned(), "2".to_owned());
    expected.remove("GONE");
    assert_eq!(world.values(), expected);
    assert_eq!(expected["DATABASE_URL"], "${{Postgres.DATABASE_URL}}");
}

#[tokio::test]
async fn shared_variables_are_a_place_of_their_own() {
    let world = World::lived_in().await;
    let shared = world.at(&world.production, None);
    let own = world.values();
    let applied = world
        .apply(
            &shared,
            &[update("SENTRY_DSN", "https://b"), create("S", "1")],
        )
        .await;
    assert_eq!(made(&applied), 2);
    let now = world.railway.snapshot(&Target::shared(&world.production));
    assert_eq!(
        (now["SENTRY_DSN"].value.as_str(), now["S"].value.as_str()),
        ("https://b", "1")
    );
    assert_eq!(world.values(), own);
    assert_eq!(world.railway.deployments(), []);
}

#[tokio::test]
async fn deletes_come_last_one_by_one_and_each_deploys() {
    let world = World::lived_in().await;
    let changes = [delete("GONE"), create("NEW", "1"), delete("EMPTY")];
    let applied = world.apply(&world.own(), &changes).await;
    assert_eq!(made(&applied), 3);
    let expected = [
        "variableCollectionUpsert",
        "variableDelete",
        "variableDelete",
    ];
    assert_eq!(world.operations(), expected);
    let causes: Vec<_> = world
        .railway
        .deployments()
        .iter()
        .map(|it| it.cause)
        .collect();
    assert_eq!(causes, [Cause::Delete, Cause::Delete]);
}

#[tokio::test]
async fn without_changes_there_is_no_call() {
    let world = World::lived_in().await;
    let applied = world.apply(&world.own(), &[delete("NEVER_THERE")]).await;
    assert_eq!((made(&applied), world.railway.calls()), (1, 0));
    let applied = world.apply(&world.own(), &[]).await;
    assert_eq!((made(&applied), world.railway.calls()), (0, 0));
}

#[tokio::test]
async fn nothing_is_deleted_after_a_failed_write() {
    let world = World::lived_in().await;
    let refused = railway::error("Not Authorized", None);
    world
        .railway
        .fault(Fault::next(refused).path("variableCollectionUpsert"));
    let applied = world
        .apply(&world.own(), &[create("NEW", "1"), delete("GONE")])
        .await;
    assert_eq!(applied.stopped, Some(ProviderError::Forbidden));
    assert!(applied.results.is_empty());
    assert_eq!(world.operations(), ["variableCollectionUpsert"]);
    assert!(world.values().contains_key("GONE"));
}

#[tokio::test]
async fn what_the_platform_gives_is_left_to_it() {
    let world = World::lived_in().await;
    let mut view = world.list(&world.own()).await;
    view.rows.push(RemoteRow {
        key: "RAILWAY_SERVICE_ID".to_owned(),
        owner: RowOwner::Platform,
        stamp: None,
        ..row(&view, "API_URL").clone()
    });
    world.railway.reset_calls();
    let changes = [update("RAILWAY_SERVICE_ID", "x"), delete("GONE")];
    let applied = world.apply_to(&view, &world.own(), &changes).await;
    let codes: Vec<_> = applied
        .results
        .iter()
        .map(|it| it.result.as_ref().unwrap_err().code)
        .collect();
    assert_eq!(codes, [ErrorCode::Rejected, ErrorCode::NotAttempted]);
    assert_eq!(world.railway.calls(), 0);
}

/// Nobody knows whether a plain write keeps the seal. Either way the value arrives, and what is known of
/// it is what the next list says.
#[tokio::test]
async fn a_sealed_variable_takes_a_value_and_may_lose_its_seal() {
    for keeps in [true, false] {
        let world = World::lived_in().await;
        world
            .railway
            .set(|options| options.upsert_keeps_seal = keeps);
        let changes = [update("STRIPE_SECRET_KEY", "sk_live_2")];
        let applied = world.apply(&world.own(), &changes).await;
        assert_eq!(made(&applied), 1);
        let receipt = applied.results[0]
            .result
            .as_ref()
            .unwrap()
            .as_ref()
            .unwrap();
        assert_eq!(receipt.stamp, None);
        assert_eq!(world.values()["STRIPE_SECRET_KEY"], "sk_live_2");
        let view = world.list(&world.own()).await;
        let value = &row(&view, "STRIPE_SECRET_KEY").value;
        assert_eq!(*value == RemoteValue::Unreadable, keeps);
    }
}

/// Nobody knows whether a write may wait for a person to commit it. Then it shows as a difference again.
#[tokio::test]
async fn a_write_that_is_only_staged_is_not_taken_for_made_by_the_next_list() {
    let world = World::lived_in().await;
    world.railway.set(|options| options.stages_upserts = true);
    let applied = world
        .apply(&world.own(), &[update("EMPTY", "1"), create("N", "1")])
        .await;
    assert_eq!(made(&applied), 2);
    let view = world.list(&world.own()).await;
    assert_eq!(known(&view)["EMPTY"], "");
    assert!(!known(&view).contains_key("N"));
}

/// Nobody knows how the deletion of what is gone is answered.
#[tokio::test]
async fn what_is_gone_already_is_deleted() {
    for fails in [false, true] {
        let world = World::lived_in().await;
        world
            .railway
            .set(|options| options.delete_absent_fails = fails);
        let view = world.list(&world.own()).await;
        world.railway.remove_variable(&world.target(), "GONE");
        let applied = world
            .apply_to(&view, &world.own(), &[delete("GONE"), delete("EMPTY")])
            .await;
        assert_eq!((made(&applied), applied.stopped), (2, None));
        assert!(!world.values().contains_key("EMPTY"));
    }
}

#[tokio::test]
async fn a_false_is_no_success() {
    let world = World::lived_in().await;
    for (field, change) in [
        ("variableCollectionUpsert", create("NEW", "1")),
        ("variableDelete", delete("GONE")),
    ] {
        let said_no = Action::json(200, &json!({ "data": { field: false } }));
        world.railway.fault(Fault::next(said_no).path(field));
        let applied = world.apply(&world.own(), &[change]).await;
        assert_eq!(applied.stopped, Some(ProviderError::OutcomeUnknown));
        assert!(applied.results.is_empty());
    }
}

/// An error that is not known may come after the effect, and data beside it means nothing: what was
/// refused alone is looked at.
#[tokio::test]
async fn an_error_that_is_not_known_is_looked_into() {
    let mut beside = railway::error_body("Problem processing request", None);
    beside["data"] = json!({ "variableCollectionUpsert": true });
    for (action, arrives) in [
        (error("Problem processing request", None), false),
        (
            error("Problem processing request", Some("FORBIDDEN")),
            false,
        ),
        (
            error("ServiceInstance not found", Some("INTERNAL_SERVER_ERROR")),
            false,
        ),
        (
            error("canary-1 is no good", Some("INTERNAL_SERVER_ERROR")),
            false,
        ),
        (Action::json(200, &beside), false),
        (error_after("Unexpected token", None), true),
    ] {
        let world = World::starter().await;
        let name = format!("{action:?}");
        // Both, then the first alone; the other is taken.
        let fault = Fault::next(action.clone()).path("variableCollectionUpsert");
        world.railway.fault(fault.times(2));
        let changes = [create("A", "canary-1"), create("B", "canary-2")];
        let applied = world.apply(&world.own(), &changes).await;
        assert_eq!(
            (applied.stopped.as_ref(), made(&applied)),
            (None, 1 + usize::from(arrives))
        );
        if !arrives {
            let failures: Vec<_> = applied
                .results
                .iter()
                .filter_map(|done| Some((done.key.as_str(), done.result.as_ref().err()?.code)))
                .collect();
            assert_eq!(failures, [("A", ErrorCode::Rejected)], "{name}");
        }
        let upsert = "variableCollectionUpsert";
        let looked = [upsert, upsert, upsert, "variables", "environment"];
        assert_eq!(world.operations(), looked);
        // While nothing was taken it may be the moment's.
        let world = World::starter().await;
        let fault = Fault::next(action).path("variableCollectionUpsert");
        world.railway.fault(fault);
        let alone = world.apply(&world.own(), &[create("A", "canary-1")]).await;
        let unknown = Some(ProviderError::OutcomeUnknown);
        assert_eq!((alone.stopped, alone.results.len()), (unknown, 0));
        assert!(!format!("{applied:?}").contains("canary"));
    }
}

/// Of a sealed variable nobody can look.
#[tokio::test]
async fn an_error_about_a_sealed_variable_leaves_its_write_open() {
    let world = World::lived_in().await;
    let after = error_after("Unexpected token", None);
    world
        .railway
        .fault(Fault::next(after).path("variableCollectionUpsert").times(2));
    let changes = [update("STRIPE_SECRET_KEY", "sk_live_2"), create("B", "1")];
    let applied = world.apply(&world.own(), &changes).await;
    let mut failures = applied
        .results
        .iter()
        .filter_map(|done| done.result.as_ref().err());
    let failure = failures.next().unwrap();
    assert_eq!(failure.code, ErrorCode::OutcomeUnknown);
    assert_eq!(world.values()["STRIPE_SECRET_KEY"], "sk_live_2");
}

#[tokio::test]
async fn the_one_that_is_refused_is_found_and_the_others_are_written() {
    let world = World::starter().await;
    world
        .railway
        .set(|options| options.max_value_bytes = Some(8));
    let mut changes: Vec<_> = (0..9).map(|n| create(&format!("V_{n}"), "1")).collect();
    changes[6] = create("V_6", "longer than that");
    let applied = world.apply(&world.own(), &changes).await;
    assert_eq!((made(&applied), applied.stopped), (8, None));
    assert_eq!(world.values().len(), 8);
    assert!(!world.values().contains_key("V_6"));
}

#[tokio::test]
async fn an_answer_that_says_nothing_leaves_a_write_open() {
    for body in [
        json!({ "data": null }),
        json!({ "data": { "variableCollectionUpsert": null } }),
    ] {
        let world = World::starter().await;
        let fault = Fault::next(Action::json(200, &body));
        world.railway.fault(fault.path("variableCollectionUpsert"));
        let applied = world.apply(&world.own(), &[create("A", "1")]).await;
        assert_eq!(applied.stopped, Some(ProviderError::OutcomeUnknown));
        assert_eq!(world.railway.calls(), 1, "clients never retry");
    }
}

#[tokio::test]
async fn a_missing_right_stops_before_anything_happened() {
    for precise in [false, true] {
        let world = World::starter().await;
        world.railway.set(|options| options.precise_codes = precise);
        let acme = world.railway.workspace("Acme").unwrap();
        world.railway.set_role(&acme, Some(Role::Viewer));
        let applied = world.apply(&world.own(), &[create("A", "1")]).await;
        assert_eq!(applied.stopped, Some(ProviderError::Forbidden));
        assert!(world.values().is_empty());
    }
}
