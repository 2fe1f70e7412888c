//! Secret variables: unreadable but in `dev`, and made by explicit wish only.

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::sync::options::VariableType;
use keyway_shared::sync::remote::RemoteValue;
use keyway_simulator::netlify::{EnvSeed, FREE_ACCOUNT, SITE, SecretValues};

use crate::support::{World, all_done, at, create, failures, update};

#[tokio::test]
async fn what_a_secret_shows_is_never_its_value() {
    for shown in [
        SecretValues::Masked,
        SecretValues::Empty,
        SecretValues::Absent,
    ] {
        let seed = EnvSeed::new(
            "S",
            &[("production", "sk_live_0123456789"), ("dev", "sk_test")],
        );
        let world = World::with(&seed.secret(), |options| options.secret_values = shown).await;
        let value = |context: &str| {
            let (to, world) = (at(context), &world);
            async move { world.list(&to).await.at(&to)["S"].value.clone() }
        };
        assert_eq!(
            value("production").await,
            RemoteValue::Unreadable,
            "{shown:?}"
        );
        assert!(matches!(value("dev").await, RemoteValue::Known(_)));
    }
}

#[tokio::test]
async fn one_context_of_a_secret_changes_and_it_stays_secret() {
    let seed = EnvSeed::new(
        "S",
        &[("production", "sk_live_1"), ("deploy-preview", "sk_test_1")],
    );
    let world = World::with(&seed.secret(), |_| {}).await;
    let applied = world
        .apply(&at("production"), &[update("S", "sk_live_2")])
        .await;
    all_done(&applied);
    assert_eq!(world.methods(), ["PATCH"]);
    let now = world.everywhere("S");
    assert_eq!(
        (&*now["production"], &*now["deploy-preview"]),
        ("sk_live_2", "sk_test_1")
    );
    assert!(
        world
            .netlify
            .snapshot(SITE)
            .into_values()
            .all(|shown| shown.is_secret)
    );
    let receipt = applied.results[0]
        .result
        .as_ref()
        .unwrap()
        .as_ref()
        .unwrap();
    assert_eq!(receipt.kind.as_deref(), Some("secret"));
    assert!(receipt.stamp.is_some());
}

#[tokio::test]
async fn a_secret_is_made_only_when_that_is_asked_for() {
    let seed = EnvSeed::new("OLD", &[("production", "1")]);
    let world = World::with(&seed, |_| {}).await;
    all_done(
        &world
            .apply(&at("production"), &[create("PLAIN", "1")])
            .await,
    );
    let sensitive = VariableType::Sensitive;
    let changes = [create("SECRET", "2"), update("OLD", "2")];
    let applied = world.apply_as(&at("production"), &changes, sensitive).await;
    all_done(&applied);
    let kinds: Vec<_> = world
        .netlify
        .snapshot(SITE)
        .into_iter()
        .map(|(place, shown)| (place.key, shown.is_secret))
        .collect();
    let named = |key: &str, is_secret| (key.to_owned(), is_secret);
    // What is there keeps its type.
    assert_eq!(
        kinds,
        [
            named("OLD", false),
            named("PLAIN", false),
            named("SECRET", true)
        ]
    );
}

#[tokio::test]
async fn a_plan_without_secrets_is_told_of_each_key() {
    let seed = EnvSeed::new("OLD", &[("production", "1")]);
    let mut world = World::with(&seed, |options| options.free_secret_scopes = false).await;
    world.session = crate::support::session(keyway_simulator::netlify::TOKEN, Some(FREE_ACCOUNT));
    let sites = world.provider.projects(&world.session).await.unwrap();
    let hobby = sites.iter().find(|site| site.name == "hobby").unwrap();
    let target = keyway_shared::providers::Target::new(&hobby.id, "production");
    let to = world
        .provider
        .known_destination(Some(FREE_ACCOUNT), &target)
        .unwrap();
    let changes = [create("A", "1"), create("B", "2")];
    let applied = world.apply_as(&to, &changes, VariableType::Sensitive).await;
    let forbidden = |key: &str| (key.to_owned(), ErrorCode::Forbidden);
    assert_eq!(failures(&applied), [forbidden("A"), forbidden("B")]);
    // Without that wish no scope is named, which this plan would not take.
    all_done(&world.apply(&to, &changes).await);
}
