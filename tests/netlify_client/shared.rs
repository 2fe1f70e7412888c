//! A value under `all`: every other context keeps what it had, however Netlify behaves where nothing is
//! said.

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::ProviderError;
use keyway_simulator::netlify::{AllWithOthers, EnvSeed, SITE};
use keyway_simulator::{Action, Fault};

use crate::support::{World, all_done, at, create, delete, failures, update};

const EVERY: [AllWithOthers; 4] = [
    AllWithOthers::Beside,
    AllWithOthers::Split,
    AllWithOthers::Replaced,
    AllWithOthers::Refused,
];

#[tokio::test]
async fn one_context_changes_and_the_others_keep_their_value() {
    for others in EVERY {
        for context in [
            "production",
            "deploy-preview",
            "branch-deploy",
            "dev",
            "dev-server",
        ] {
            let seed = EnvSeed::new("A", &[("all", "before")]);
            let world = World::with(&seed, |options| options.all_with_others = others).await;
            let mut expected = world.everywhere("A");
            assert_eq!(expected.len(), 6);
            let applied = world.apply(&at(context), &[update("A", "after")]).await;
            all_done(&applied);
            // Looked at once more, and replaced.
            assert_eq!(world.methods(), ["GET", "PUT"]);
            expected.insert(context, "after".to_owned());
            if context == "branch-deploy" {
                // The branch has no value of its own.
                expected.insert("staging", "after".to_owned());
            }
            assert_eq!(world.everywhere("A"), expected, "{others:?} {context}");
            // The answer shows our row: nothing has to be read.
            let receipt = applied.results[0]
                .result
                .as_ref()
                .unwrap()
                .as_ref()
                .unwrap();
            let view = world.list(&at(context)).await;
            let row = view.at(&at(context))["A"].clone();
            assert_eq!((&receipt.remote_id, &receipt.stamp), (&row.id, &row.stamp));
        }
    }
}

#[tokio::test]
async fn a_branch_gets_its_own_beside_what_all_have() {
    for others in EVERY {
        let seed = EnvSeed::new("A", &[("all", "before")]);
        let world = World::with(&seed, |options| options.all_with_others = others).await;
        let mut expected = world.everywhere("A");
        let changes = [create("A", "of-it")];
        all_done(&world.apply(&at("branch:staging"), &changes).await);
        expected.insert("staging", "of-it".to_owned());
        assert_eq!(world.everywhere("A"), expected, "{others:?}");
        // And loses it again.
        all_done(&world.apply(&at("branch:staging"), &[delete("A")]).await);
        expected.insert("staging", "before".to_owned());
        assert_eq!(world.everywhere("A"), expected, "{others:?}");
    }
}

#[tokio::test]
async fn one_context_loses_it_and_the_others_keep_theirs() {
    for others in EVERY {
        let seed = EnvSeed::new("A", &[("all", "before"), ("branch:staging", "of-it")]);
        let world = World::with(&seed, |options| options.all_with_others = others).await;
        let mut expected = world.everywhere("A");
        all_done(&world.apply(&at("production"), &[delete("A")]).await);
        expected.remove("production");
        assert_eq!(world.everywhere("A"), expected, "{others:?}");
    }
}

#[tokio::test]
async fn what_is_explicit_beside_all_stays() {
    let seed = EnvSeed::new("A", &[("all", "debug"), ("production", "warn")]);
    let world = World::with(&seed, |_| {}).await;
    let mut expected = world.everywhere("A");
    // Production has its own: one call.
    all_done(
        &world
            .apply(&at("production"), &[update("A", "error")])
            .await,
    );
    assert_eq!(world.methods(), ["PATCH"]);
    expected.insert("production", "error".to_owned());
    assert_eq!(world.everywhere("A"), expected);
    // Previews have what all have.
    all_done(
        &world
            .apply(&at("deploy-preview"), &[update("A", "info")])
            .await,
    );
    expected.insert("deploy-preview", "info".to_owned());
    assert_eq!(world.everywhere("A"), expected);
}

#[tokio::test]
async fn narrowed_scopes_stay_narrow() {
    let seed = EnvSeed::new("A", &[("all", "22")]).scopes(&["builds", "post-processing"]);
    let world = World::with(&seed, |_| {}).await;
    let scopes = || {
        let all = world.netlify.snapshot(SITE).into_values();
        all.map(|shown| shown.scopes).next().unwrap()
    };
    let before = scopes();
    all_done(&world.apply(&at("production"), &[update("A", "24")]).await);
    assert_eq!(scopes(), before);
}

#[tokio::test]
async fn somebodys_edit_since_the_list_is_not_undone() {
    let seed = EnvSeed::new("A", &[("all", "before")]);
    let world = World::with(&seed, |_| {}).await;
    let view = world.list(&at("production")).await;
    let edited = EnvSeed::new("A", &[("all", "before"), ("production", "by-hand")]);
    world.netlify.put_env(SITE, &edited);
    let expected = world.everywhere("A");
    let applied = world.apply_late(&view, &[update("A", "ours")]).await;
    // Looked at again before anything is written.
    assert_eq!(applied.stopped, Some(ProviderError::Conflict));
    assert_eq!(world.everywhere("A"), expected);
}

#[tokio::test]
async fn a_secret_for_all_cannot_be_taken_apart() {
    let seed = EnvSeed::new("A", &[("all", "hidden-from-all")]).secret();
    let world = World::with(&seed, |_| {}).await;
    let before = world.everywhere("A");
    let changes = [update("A", "ours"), create("B", "1")];
    let applied = world.apply(&at("production"), &changes).await;
    assert_eq!(failures(&applied), [("A".to_owned(), ErrorCode::Rejected)]);
    assert_eq!(world.everywhere("A"), before);
    assert_eq!(world.everywhere("B")["production"], "1");
}

#[tokio::test]
async fn a_lost_answer_to_a_replacement_is_not_taken_for_a_refusal() {
    let seed = EnvSeed::new("A", &[("all", "before")]);
    let world = World::with(&seed, |_| {}).await;
    let mut expected = world.everywhere("A");
    world
        .netlify
        .fault(Fault::next(Action::ResetAfter).method("PUT"));
    let applied = world
        .apply(&at("production"), &[update("A", "after")])
        .await;
    assert_eq!(applied.stopped, Some(ProviderError::OutcomeUnknown));
    expected.insert("production", "after".to_owned());
    assert_eq!(world.everywhere("A"), expected);
}
