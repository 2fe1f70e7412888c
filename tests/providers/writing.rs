//! Creates, updates and deletes, with the calls they cost.

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::{ProviderError, Target};
use keyway_shared::sync::options::VariableType;
use keyway_simulator::vercel::{EnvSeed, Options, Preset};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{PROJECT, World, at, create, delete, failures, made, outside, update};

#[tokio::test]
async fn five_hundred_creates_are_one_call() {
    let world = World::new(Preset::Starter).await;
    let before = world.snapshot();
    let changes: Vec<_> = (0..500)
        .map(|n| create(&format!("KEY_{n:03}"), &format!("value {n}")))
        .collect();
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!((made(&applied), applied.stopped.clone()), (500, None));
    assert_eq!(world.methods(), ["POST"]);
    assert_eq!(
        world.value("KEY_499", "production").as_deref(),
        Some("value 499")
    );
    assert_eq!(outside(world.snapshot(), &at("production")), before);
    assert_eq!(*world.journal.done.lock().unwrap(), 500);
}

#[tokio::test]
async fn a_receipt_is_what_the_next_list_shows() {
    let world = World::new(Preset::Starter).await;
    world.seed(&EnvSeed::new("OLD", "1", &["production"]));
    world.seed(&EnvSeed::new("LOCKED", "1", &["production"]).kind("sensitive"));
    let to = at("production");
    let changes = [create("NEW", ""), update("OLD", "2"), update("LOCKED", "2")];
    let applied = world.apply(&to, &changes).await;
    let view = world.provider.list(&world.session, &to).await.unwrap();
    let rows = view.at(&to);
    assert_eq!(made(&applied), 3);
    for done in applied.results {
        let receipt = done.result.unwrap().unwrap();
        assert_eq!(receipt.remote_id, rows[done.key.as_str()].id);
        assert_eq!(receipt.stamp, rows[done.key.as_str()].stamp);
    }
}

#[tokio::test]
async fn types_are_kept() {
    let world = World::new(Preset::Starter).await;
    world.seed(&EnvSeed::new("PLAIN", "1", &["production"]).kind("plain"));
    world.seed(&EnvSeed::new("SEALED", "1", &["production"]).kind("sensitive"));
    let to = at("production");
    let changes = [
        update("PLAIN", "2"),
        update("SEALED", "2"),
        create("NEW", "2"),
        create("NEXT_PUBLIC_URL", "2"),
    ];
    let applied = world.apply_as(&to, &changes, VariableType::Sensitive).await;
    assert_eq!(made(&applied), 4);
    assert_eq!(world.methods(), ["POST"]);
    let kinds: Vec<_> = world
        .snapshot()
        .into_iter()
        .filter(|(place, _)| place.scope == "production")
        .map(|(place, shown)| (place.key, shown.kind, shown.value))
        .collect();
    let row = |key: &str, kind: &str| (key.to_owned(), kind.to_owned(), "2".to_owned());
    assert_eq!(
        kinds,
        [
            row("NEW", "sensitive"),
            row("NEXT_PUBLIC_URL", "encrypted"),
            row("PLAIN", "plain"),
            row("SEALED", "sensitive"),
        ]
    );
}

#[tokio::test]
async fn a_sensitive_row_that_a_batch_may_not_name_is_edited_without_its_key() {
    let world = World::new(Preset::Starter).await;
    let options = |options: &mut Options| options.refuse_sensitive_upsert = true;
    world.vercel.set(options);
    let changes = [update("SEALED", "2"), create("NEW", "2")];
    for environment in ["production", "preview"] {
        let seed = EnvSeed::new("SEALED", "1", &[environment]);
        world.seed(&seed.kind("sensitive"));
        world.vercel.reset_calls();
        let applied = world.apply(&at(environment), &changes).await;
        assert_eq!(made(&applied), 2);
        assert_eq!(world.methods(), ["POST", "PATCH"]);
        let patch = world.vercel.requests()[1].body.clone().unwrap();
        assert_eq!(patch, json!({"value": "2", "target": [environment]}));
        assert_eq!(world.value("SEALED", environment).as_deref(), Some("2"));
    }
    // The same when the whole call is refused.
    let refused = json!({"error": {"code": "bad_request", "message": "no"}});
    let fault = Fault::next(Action::json(400, &refused));
    world.vercel.fault(fault.method("POST"));
    let changes = [update("SEALED", "3")];
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!(made(&applied), 1);
    assert_eq!(world.value("SEALED", "production").as_deref(), Some("3"));
}

#[tokio::test]
async fn development_takes_what_it_refuses_as_sensitive() {
    let world = World::new(Preset::Starter).await;
    let changes = [create("A", "1"), create("B", "2")];
    let applied = world
        .apply_as(&at("development"), &changes, VariableType::Sensitive)
        .await;
    assert_eq!(made(&applied), 2);
    assert_eq!(world.methods(), ["POST", "POST"]);
    assert_eq!(world.value("B", "development").as_deref(), Some("2"));
    // The same when the whole call is refused.
    let refused = json!({"error": {"code": "bad_request", "message": "no"}});
    world
        .vercel
        .fault(Fault::next(Action::json(400, &refused)).method("POST"));
    let applied = world
        .apply_as(
            &at("development"),
            &[create("C", "3")],
            VariableType::Sensitive,
        )
        .await;
    assert_eq!(made(&applied), 1);
}

#[tokio::test]
async fn custom_environments_and_branches_get_their_own_rows() {
    let world = World::new(Preset::LivedIn).await;
    let staging = world
        .provider
        .destination(&world.session, &Target::new(PROJECT, "staging"))
        .await
        .unwrap();
    let before = outside(world.snapshot(), &staging);
    let changes = [
        update("STAGING_ONLY", "2"),
        create("EXTRA", "3"),
        delete("API_URL"),
    ];
    let applied = world.apply(&staging, &changes).await;
    assert_eq!(made(&applied), 3);
    assert_eq!(world.methods(), ["POST", "DELETE"]);
    assert_eq!(outside(world.snapshot(), &staging), before);
    assert_eq!(world.value("EXTRA", &staging.scope).as_deref(), Some("3"));

    let mut branch = at("preview");
    branch.branch = Some("feature/login".to_owned());
    let before = outside(world.snapshot(), &branch);
    let applied = world
        .apply(&branch, &[update("FEATURE", "2"), create("ONLY_HERE", "3")])
        .await;
    assert_eq!(made(&applied), 2);
    assert_eq!(world.methods(), ["POST"]);
    assert_eq!(outside(world.snapshot(), &branch), before);
    let value = |key| {
        world
            .vercel
            .value(PROJECT, key, "preview", Some("feature/login"))
    };
    assert_eq!(value("FEATURE").as_deref(), Some("2"));
    assert_eq!(value("ONLY_HERE").as_deref(), Some("3"));
}

#[tokio::test]
async fn what_failed_is_named_and_keeps_the_deletes_back() {
    for beside_error in [false, true] {
        let world = World::new(Preset::Starter).await;
        world
            .vercel
            .set(|options| options.failed_beside_error = beside_error);
        world.seed(&EnvSeed::new("GONE", "1", &["production"]));
        let mut changes = vec![create("TZ", "canary-1"), delete("GONE")];
        if !beside_error {
            changes.push(create("GOOD", "1"));
        }
        let applied = world.apply(&at("production"), &changes).await;
        let codes = failures(&applied);
        assert_eq!(codes["TZ"], ErrorCode::Rejected);
        assert_eq!(codes["GONE"], ErrorCode::NotAttempted);
        assert_eq!(made(&applied), usize::from(!beside_error));
        assert_eq!(world.methods(), ["POST"]);
        assert_eq!(world.value("GONE", "production").as_deref(), Some("1"));
        // The stand-in repeats values in its messages.
        let told = format!("{applied:?}");
        assert!(!told.contains("canary-1") && !told.contains("is reserved"));
    }
}

#[tokio::test]
async fn a_row_made_meanwhile_is_a_conflict() {
    let world = World::new(Preset::Starter).await;
    world.vercel.fault(
        Fault::next(Action::FailKeys {
            keys: vec!["A".to_owned()],
            code: "env_already_exists".to_owned(),
        })
        .method("POST"),
    );
    let applied = world
        .apply(&at("production"), &[create("A", "1"), create("B", "1")])
        .await;
    assert_eq!(failures(&applied)["A"], ErrorCode::Conflict);
    assert_eq!(made(&applied), 1);
}

#[tokio::test]
async fn a_batch_is_cut_only_when_it_is_too_large() {
    let world = World::new(Preset::Starter).await;
    world.vercel.set(|options| options.max_batch = 30);
    let changes: Vec<_> = (0..100).map(|n| create(&format!("K{n}"), "v")).collect();
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!((made(&applied), applied.stopped), (100, None));
    // 100 and 50 are refused, then four times 25.
    assert_eq!(world.vercel.calls(), 6);
    // The same when a gateway says so.
    let world = World::new(Preset::Starter).await;
    let refusal = Action::Respond {
        status: 413,
        headers: std::collections::BTreeMap::default(),
        body: "<html>Request Entity Too Large</html>".to_owned(),
    };
    world.vercel.fault(Fault::next(refusal).method("POST"));
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!((made(&applied), applied.stopped), (100, None));
    assert_eq!(world.vercel.calls(), 3);
}

#[tokio::test]
async fn one_bad_variable_does_not_keep_the_others_back() {
    // Vercel names it …
    let world = World::new(Preset::Starter).await;
    let named = json!({"error": {"code": "INVALID_VALUE", "message": "m", "envVarKey": "K7"}});
    world
        .vercel
        .fault(Fault::next(Action::json(400, &named)).method("POST"));
    let changes: Vec<_> = (0..20).map(|n| create(&format!("K{n}"), "v")).collect();
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!(failures(&applied)["K7"], ErrorCode::Rejected);
    assert_eq!((made(&applied), world.vercel.calls()), (19, 2));
    // … or does not, and then it is looked for in halves, as long as that can lead anywhere.
    let world = World::new(Preset::Starter).await;
    let unnamed = json!({"error": {"code": "INVALID_VALUE", "message": "m"}});
    world.vercel.fault(
        Fault::next(Action::json(400, &unnamed))
            .method("POST")
            .times(1000),
    );
    let changes: Vec<_> = (0..200).map(|n| create(&format!("K{n}"), "v")).collect();
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!((failures(&applied).len(), made(&applied)), (200, 0));
    assert!(world.vercel.calls() <= 40);
}

#[tokio::test]
async fn a_variable_that_the_answer_does_not_mention_is_looked_up() {
    let world = World::new(Preset::Starter).await;
    world.seed(&EnvSeed::new("OLD", "1", &["production"]));
    let empty = json!({"created": [], "failed": []});
    let changes = [create("NEW", "2"), update("OLD", "2"), delete("OLD2")];
    world
        .vercel
        .fault(Fault::next(Action::json(201, &empty)).method("POST"));
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!(world.methods(), ["POST", "GET"]);
    assert_eq!(failures(&applied)["NEW"], ErrorCode::ProviderError);
    assert_eq!(failures(&applied)["OLD"], ErrorCode::ProviderError);
    assert_eq!(applied.stopped, None);
    // The rows changed, and nobody can tell by whom.
    world.vercel.fault(
        Fault::next(Action::RespondAfter {
            status: 201,
            body: empty.to_string(),
        })
        .method("POST"),
    );
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!(failures(&applied)["NEW"], ErrorCode::OutcomeUnknown);
    assert_eq!(failures(&applied)["OLD"], ErrorCode::OutcomeUnknown);
    assert_eq!(applied.stopped, Some(ProviderError::OutcomeUnknown));
}

#[tokio::test]
async fn deletes_come_last_and_are_one_call() {
    let world = World::new(Preset::LivedIn).await;
    let to = at("production");
    let before = outside(world.snapshot(), &to);
    let changes = [
        delete("EMPTY"),
        delete("OLD_FLAG"),
        delete("STRIPE_SECRET_KEY"),
        delete("NEVER_WAS"),
        create("NEW", "1"),
    ];
    let applied = world.apply(&to, &changes).await;
    assert_eq!(made(&applied), 5);
    assert_eq!(world.methods(), ["POST", "DELETE"]);
    assert_eq!(world.value("EMPTY", "production"), None);
    assert_eq!(outside(world.snapshot(), &to), before);
}

#[tokio::test]
async fn a_delete_from_a_shared_row_is_one_call_that_leaves_the_others() {
    let world = World::new(Preset::LivedIn).await;
    let to = at("production");
    let before = outside(world.snapshot(), &to);
    let applied = world.apply(&to, &[delete("SENTRY_DSN")]).await;
    assert_eq!(made(&applied), 1);
    assert_eq!(world.methods(), ["PATCH"]);
    let sent = world.vercel.requests()[0].body.clone().unwrap();
    assert_eq!(sent, json!({"target": ["development", "preview"]}));
    assert_eq!(world.value("SENTRY_DSN", "production"), None);
    assert_eq!(outside(world.snapshot(), &to), before);
    assert_eq!(world.journal.opened(), 0);
}

#[tokio::test]
async fn what_is_gone_already_is_deleted() {
    let world = World::new(Preset::Starter).await;
    let to = at("production");
    world.seed(&EnvSeed::new("A", "1", &["production"]));
    world.seed(&EnvSeed::new("B", "1", &["production"]));
    let view = world.provider.list(&world.session, &to).await.unwrap();
    let again = view.clone();
    let options = keyway_shared::providers::ApplyOptions {
        variable_type: VariableType::Encrypted,
    };
    let both = [delete("A"), delete("B")];
    for (view, changes) in [(view, &both[..1]), (again, &both[..])] {
        let applied = world
            .provider
            .apply(&world.session, &to, &view, changes, options, &world.journal)
            .await;
        assert_eq!(made(&applied), changes.len());
    }
    // One id that is gone may refuse the whole call.
    world.seed(&EnvSeed::new("C", "1", &["production"]));
    let missing = json!({"error": {"code": "not_found", "message": "m"}});
    world
        .vercel
        .fault(Fault::next(Action::json(404, &missing)).method("DELETE"));
    let applied = world.apply(&to, &[delete("C")]).await;
    assert_eq!(failures(&applied)["C"], ErrorCode::ProviderError);
    let applied = world.apply(&to, &[delete("C")]).await;
    assert_eq!((made(&applied), world.vercel.calls()), (1, 1));
}

#[tokio::test]
async fn another_writer_ends_the_run_and_nothing_is_lost() {
    let world = World::new(Preset::Starter).await;
    let before = world.snapshot();
    let busy = json!({"error": {"code": "bad_request",
        "message": "An env update is already in progress for this project"}});
    world
        .vercel
        .fault(Fault::next(Action::json(400, &busy)).method("POST"));
    let changes: Vec<_> = (0..10).map(|n| create(&format!("K{n}"), "v")).collect();
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!(applied.stopped, Some(ProviderError::Conflict));
    assert!(applied.results.is_empty());
    assert_eq!(world.vercel.calls(), 1);
    assert_eq!(world.snapshot(), before);
}

#[tokio::test]
async fn the_platforms_rows_are_never_touched() {
    let world = World::new(Preset::LivedIn).await;
    let before = world.snapshot();
    let changes = [update("VERCEL_URL", "x")];
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!(failures(&applied)["VERCEL_URL"], ErrorCode::Rejected);
    assert_eq!((world.vercel.calls(), world.snapshot()), (0, before));
}

#[tokio::test]
async fn rows_of_others_may_be_forbidden_without_stopping_the_rest() {
    let world = World::new(Preset::Starter).await;
    let forbidden = json!({"error": {"code": "forbidden", "message": "m"}});
    let options = |options: &mut Options| options.refuse_sensitive_upsert = true;
    world.vercel.set(options);
    let mut changes = vec![create("NEW", "1")];
    for n in 0..6 {
        world.seed(&EnvSeed::new(&format!("S{n}"), "1", &["production"]).kind("sensitive"));
        changes.push(update(&format!("S{n}"), "2"));
    }
    world
        .vercel
        .fault(Fault::next(Action::json(403, &forbidden)).method("PATCH"));
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!((made(&applied), applied.stopped.clone()), (6, None));
    assert_eq!(failures(&applied)["S0"], ErrorCode::Forbidden);
    // When nothing works, that is the answer, and not a call for each row.
    world.vercel.fault(
        Fault::next(Action::json(403, &forbidden))
            .method("PATCH")
            .times(99),
    );
    let applied = world.apply(&at("production"), &changes[1..]).await;
    assert_eq!(applied.stopped, Some(ProviderError::Forbidden));
    assert_eq!(
        world.methods(),
        ["POST", "PATCH", "PATCH", "PATCH", "PATCH"]
    );
}

#[tokio::test]
async fn a_delete_is_cut_when_too_large_and_goes_on_without_what_is_gone() {
    let world = World::new(Preset::Starter).await;
    let to = at("production");
    let ids: Vec<_> = ["A", "B", "C", "D", "E"]
        .map(|key| world.seed(&EnvSeed::new(key, "1", &["production"])))
        .into();
    assert_eq!(ids.len(), 5);
    let many = json!({"error": {"code": "TOO_MANY_IDS", "message": "m"}});
    world
        .vercel
        .fault(Fault::next(Action::json(400, &many)).method("DELETE"));
    let applied = world
        .apply(&to, &[delete("A"), delete("B"), delete("C")])
        .await;
    assert_eq!(made(&applied), 3);
    assert_eq!(world.vercel.calls(), 4);

    let view = world.provider.list(&world.session, &to).await.unwrap();
    world.apply(&to, &[delete("D")]).await;
    world.vercel.reset_calls();
    let missing = json!({"error": {"code": "ID_NOT_FOUND", "message": "m"}});
    world
        .vercel
        .fault(Fault::next(Action::json(404, &missing)).method("DELETE"));
    let options = keyway_shared::providers::ApplyOptions {
        variable_type: VariableType::Encrypted,
    };
    let both = [delete("D"), delete("E")];
    let applied = world
        .provider
        .apply(&world.session, &to, &view, &both, options, &world.journal)
        .await;
    assert_eq!(made(&applied), 2);
    assert_eq!(world.methods(), ["DELETE", "GET", "DELETE"]);
    assert_eq!(world.value("E", "production"), None);
}

#[tokio::test]
async fn a_failure_of_the_server_is_no_outcome_whatever_it_lists() {
    let world = World::new(Preset::Starter).await;
    let body = json!({"error": {"code": "internal_server_error", "message": "m"},
        "failed": [{"error": {"code": "INVALID_VALUE", "envVarKey": "A", "message": "m"}}]});
    world
        .vercel
        .fault(Fault::next(Action::json(500, &body)).method("POST"));
    let applied = world
        .apply(&at("production"), &[create("A", "1"), create("B", "1")])
        .await;
    assert_eq!(applied.stopped, Some(ProviderError::OutcomeUnknown));
    assert!(applied.results.is_empty());
}
