//! Creates, updates and deletes of values of one context.

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::ProviderError;
use keyway_simulator::netlify::{ACCOUNT, EnvSeed, LastValue, OnConflict, Preset, SITE};
use keyway_simulator::{Action, Fault};

use crate::support::{World, all_done, at, create, delete, failures, update};

#[tokio::test]
async fn new_keys_are_one_call_and_a_changed_value_is_one_each() {
    let seed = EnvSeed::new("OLD", &[("production", "1"), ("dev", "2")]);
    let world = World::with(&seed, |_| {}).await;
    let mut changes = vec![update("OLD", "3")];
    changes.extend((0..50).map(|n| create(&format!("NEW_{n}"), "x")));
    all_done(&world.apply(&at("production"), &changes).await);
    assert_eq!(world.methods(), ["POST", "PATCH"]);
    let old = world.everywhere("OLD");
    assert_eq!((&*old["production"], &*old["dev"]), ("3", "2"));
    // A key that another context has is no new key.
    all_done(
        &world
            .apply(&at("deploy-preview"), &[create("OLD", "4")])
            .await,
    );
    assert_eq!(world.methods(), ["PATCH"]);
    assert_eq!(world.everywhere("OLD").len(), 3);
}

#[tokio::test]
async fn no_call_about_variables_is_without_its_site() {
    let world = World::start(Preset::LivedIn).await;
    let team = world.netlify.snapshot(ACCOUNT);
    let changes = [
        create("NEW", "1"),
        update("API_URL", "2"),
        update("SENTRY_DSN", "3"),
        delete("LOG_LEVEL"),
        delete("EMPTY"),
        delete("NODE_VERSION"),
    ];
    all_done(&world.apply(&at("production"), &changes).await);
    let requests = world.netlify.requests();
    let about_variables = requests
        .iter()
        .filter(|request| request.path.contains("/env"));
    assert!(about_variables.clone().count() >= 8);
    for request in about_variables {
        let site = format!("site_id={SITE}");
        assert!(
            request.query.contains(&site),
            "{} {}",
            request.method,
            request.path
        );
    }
    // What the team shares has keys of the same names.
    assert_eq!(world.netlify.snapshot(ACCOUNT), team);
}

#[tokio::test]
async fn a_branch_has_rows_of_its_own() {
    let world = World::start(Preset::LivedIn).await;
    let mut expected = world.everywhere("FEATURE");
    let changes = [update("FEATURE", "changed"), create("NEW", "of-the-branch")];
    all_done(&world.apply(&at("branch:staging"), &changes).await);
    expected.insert("staging", "changed".to_owned());
    assert_eq!(world.everywhere("FEATURE"), expected);
    let new = world.everywhere("NEW");
    assert_eq!(
        new.into_iter().collect::<Vec<_>>(),
        [("staging", "of-the-branch".to_owned())]
    );
    let other = world
        .netlify
        .value(SITE, "FEATURE", "branch-deploy", Some("feature/login"));
    assert_eq!(other.as_deref(), Some("on"));
}

#[tokio::test]
async fn values_are_deleted_by_their_id_and_the_last_takes_its_key_along() {
    for last in [LastValue::KeyStays, LastValue::KeyGoes, LastValue::Refused] {
        let seed = EnvSeed::new("TWO", &[("production", "1"), ("dev", "2")]);
        let world = World::with(&seed, |options| options.last_value = last).await;
        world
            .netlify
            .put_env(SITE, &EnvSeed::new("ONE", &[("production", "3")]));
        let changes = [delete("ONE"), delete("TWO")];
        all_done(&world.apply(&at("production"), &changes).await);
        assert_eq!(world.methods(), ["DELETE", "GET", "DELETE"], "{last:?}");
        assert_eq!(
            world.everywhere("TWO").into_keys().collect::<Vec<_>>(),
            ["dev"]
        );
        assert!(world.everywhere("ONE").is_empty());
        // Nothing is left of it that would be in the way.
        all_done(&world.apply(&at("production"), &[create("ONE", "4")]).await);
        assert_eq!(world.methods(), ["POST"], "{last:?}");
    }
}

#[tokio::test]
async fn the_last_value_is_not_the_last_any_more() {
    let seed = EnvSeed::new("ONE", &[("production", "1")]);
    let world = World::with(&seed, |_| {}).await;
    // Between the list and the delete.
    let view = world.list(&at("production")).await;
    let both = EnvSeed::new("ONE", &[("production", "1"), ("dev", "2")]);
    world.netlify.put_env(SITE, &both);
    all_done(&world.apply_late(&view, &[delete("ONE")]).await);
    assert_eq!(
        world.everywhere("ONE").into_iter().collect::<Vec<_>>(),
        [("dev", "2".to_owned())]
    );
}

#[tokio::test]
async fn a_key_without_any_value_is_written_and_not_created() {
    let seed = EnvSeed::new("EMPTIED", &[]);
    let world = World::with(&seed, |_| {}).await;
    let view = world.list(&at("production")).await;
    assert!(view.at(&at("production")).is_empty());
    all_done(
        &world
            .apply(&at("production"), &[create("EMPTIED", "1")])
            .await,
    );
    assert_eq!(world.methods(), ["PATCH"]);
    assert_eq!(world.everywhere("EMPTIED")["production"], "1");
}

#[tokio::test]
async fn what_is_gone_already_is_deleted_and_what_is_gone_is_not_updated() {
    let seed = EnvSeed::new("A", &[("production", "1"), ("dev", "2")]);
    let world = World::with(&seed, |_| {}).await;
    world
        .netlify
        .put_env(SITE, &EnvSeed::new("B", &[("production", "1")]));
    let view = world.list(&at("production")).await;
    world.netlify.remove_env(SITE, "A");
    world.netlify.remove_env(SITE, "B");
    all_done(&world.apply_late(&view, &[delete("A"), delete("B")]).await);
    let applied = world.apply_late(&view, &[update("A", "2")]).await;
    assert_eq!(failures(&applied), [("A".to_owned(), ErrorCode::Conflict)]);
}

#[tokio::test]
async fn a_refused_key_is_found_and_the_others_arrive() {
    for partial in [false, true] {
        let seed = EnvSeed::new("OLD", &[("production", "1")]);
        let world = World::with(&seed, |options| options.partial_creates = partial).await;
        let mut changes: Vec<_> = (0..20).map(|n| create(&format!("K{n}"), "x")).collect();
        // The stand-in takes letters first, of which nothing is said.
        changes.push(create("_REFUSED", "y"));
        changes.push(create("Z", "x"));
        let mut applied = world.apply(&at("production"), &changes).await;
        // Where a refused call made some of its keys all the same, the next run finds them.
        for _ in 0..5 {
            if applied.stopped.is_none() {
                break;
            }
            assert_eq!(applied.stopped, Some(ProviderError::Conflict));
            let there = world.list(&at("production")).await;
            let there = there.at(&at("production"));
            let left: Vec<_> = changes
                .iter()
                .filter(|change| !there.contains_key(change.key.as_str()))
                .cloned()
                .collect();
            applied = world.apply(&at("production"), &left).await;
        }
        let refused = [("_REFUSED".to_owned(), ErrorCode::Rejected)];
        assert_eq!(failures(&applied), refused, "{partial}");
        assert_eq!(world.netlify.snapshot(SITE).len(), 22);
    }
}

#[tokio::test]
async fn nothing_is_deleted_after_a_failure() {
    let seed = EnvSeed::new("OLD", &[("production", "1")]);
    let world = World::with(&seed, |_| {}).await;
    let changes = [create("_REFUSED", "y"), delete("OLD")];
    let applied = world.apply(&at("production"), &changes).await;
    let codes = failures(&applied);
    assert_eq!(codes[1], ("OLD".to_owned(), ErrorCode::NotAttempted));
    assert_eq!(world.everywhere("OLD")["production"], "1");
}

/// Somebody makes the key between the list and the create: what they gave other contexts stays, unless
/// Netlify itself replaces it.
#[tokio::test]
async fn a_key_that_somebody_makes_in_the_same_moment_is_looked_at_again() {
    for (conflict, status) in [
        (OnConflict::Refused, 422),
        (OnConflict::Refused, 409),
        (OnConflict::Refused, 400),
        (OnConflict::Kept, 422),
    ] {
        let seed = EnvSeed::new("OLD", &[("production", "1")]);
        let world = World::with(&seed, |options| {
            options.on_conflict = conflict;
            options.conflict_status = status;
        })
        .await;
        let view = world.list(&at("production")).await;
        let theirs = EnvSeed::new("NEW", &[("production", "theirs"), ("dev", "theirs")]);
        world.netlify.put_env(SITE, &theirs);
        let applied = world.apply_late(&view, &[create("NEW", "ours")]).await;
        if conflict == OnConflict::Kept {
            // Its answer shows what was kept.
            let failed = [("NEW".to_owned(), ErrorCode::Conflict)];
            assert_eq!((failures(&applied), applied.stopped), (failed.into(), None));
        } else {
            let looks_again = Some(ProviderError::Conflict);
            assert_eq!(applied.stopped, looks_again, "{conflict:?} {status}");
        }
        assert_eq!(world.everywhere("NEW")["dev"], "theirs");
        // The next run sees it.
        all_done(
            &world
                .apply(&at("production"), &[update("NEW", "ours")])
                .await,
        );
        let new = world.everywhere("NEW");
        assert_eq!((&*new["production"], &*new["dev"]), ("ours", "theirs"));
    }
}

#[tokio::test]
async fn a_limit_in_the_middle_stops_and_tells_what_was_done() {
    let seed = EnvSeed::new("A", &[("production", "1")]);
    let world = World::with(&seed, |_| {}).await;
    for key in ["B", "C", "D", "E", "F", "G", "H"] {
        world
            .netlify
            .put_env(SITE, &EnvSeed::new(key, &[("production", "1")]));
    }
    let changes: Vec<_> = ["A", "B", "C", "D", "E", "F", "G", "H"]
        .map(|key| update(key, "2"))
        .into();
    let limited = Action::json(429, &serde_json::json!({ "code": 429, "message": "limit" }));
    world
        .netlify
        .fault(Fault::next(limited).method("PATCH").after(2).times(100));
    let applied = world.apply(&at("production"), &changes).await;
    assert!(matches!(
        applied.stopped,
        Some(ProviderError::RateLimited { .. })
    ));
    // What was done is told, and what was under way came to its end.
    let written = changes
        .iter()
        .filter(|change| world.everywhere(&change.key)["production"] == "2");
    assert_eq!(applied.results.len(), written.count());
    assert_eq!(applied.results.len(), 2);
    // A handful at most was on the way.
    assert!(world.methods().len() <= 6, "{:?}", world.methods());
}
