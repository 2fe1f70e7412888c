//! Lists and single values.

use keyway_shared::providers::{ProviderError, Target};
use keyway_shared::secret::Secret;
use keyway_shared::sync::remote::{RemoteRow, RemoteValue, RowOwner};
use keyway_simulator::vercel::{EnvSeed, Preset};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{PROJECT, World, at};

fn find<'a>(rows: &'a [RemoteRow], key: &str, scope: &str) -> &'a RemoteRow {
    rows.iter()
        .find(|row| row.key == key && row.scopes.contains(scope))
        .unwrap()
}

#[tokio::test]
async fn one_page_is_one_call_and_pages_are_followed_to_their_end() {
    let world = World::new(Preset::LivedIn).await;
    let all = world
        .provider
        .list(&world.session, &at("production"))
        .await
        .unwrap();
    assert_eq!(world.vercel.calls(), 1);
    assert_eq!(world.session.calls.made(), 1);
    assert_eq!(all.incomplete, None);

    world.vercel.reset_calls();
    world.vercel.set(|options| options.page_size = Some(4));
    let paged = world
        .provider
        .list(&world.session, &at("production"))
        .await
        .unwrap();
    assert_eq!(paged.rows, all.rows);
    assert_eq!(paged.incomplete, None);
    assert_eq!(world.vercel.calls(), all.rows.len().div_ceil(4));
}

#[tokio::test]
async fn a_list_that_does_not_end_is_incomplete() {
    let world = World::new(Preset::Starter).await;
    let page = json!({"envs": [], "pagination": {"count": 0, "next": 5, "prev": null}});
    world
        .vercel
        .fault(Fault::next(Action::json(200, &page)).times(9));
    let view = world
        .provider
        .list(&world.session, &at("production"))
        .await
        .unwrap();
    assert!(view.incomplete.is_some());
    assert_eq!(world.vercel.calls(), 2);
}

#[tokio::test]
async fn a_list_with_hidden_rows_is_incomplete() {
    let world = World::new(Preset::LivedIn).await;
    world.vercel.set(|options| options.hide_production = true);
    let view = world
        .provider
        .list(&world.session, &at("production"))
        .await
        .unwrap();
    assert!(view.incomplete.is_some());
    assert!(!view.rows.is_empty());
    // A row without the list around it cannot be told from a list that was cut.
    let bare = json!({"id": "e1", "key": "A", "type": "plain", "value": "1", "target": "preview"});
    world.vercel.fault(Fault::next(Action::json(200, &bare)));
    let view = world
        .provider
        .list(&world.session, &at("production"))
        .await
        .unwrap();
    assert_eq!((view.rows.len(), view.incomplete.is_some()), (1, true));
}

#[tokio::test]
async fn only_clear_text_is_a_value_and_every_row_has_its_owner() {
    let world = World::new(Preset::LivedIn).await;
    let rows = world
        .provider
        .list(&world.session, &at("production"))
        .await
        .unwrap()
        .rows;
    for row in &rows {
        let expected = match row.kind.as_str() {
            "encrypted" => RemoteValue::Unread,
            "sensitive" | "system" => RemoteValue::Unreadable,
            _ => continue,
        };
        assert_eq!(row.value, expected, "{}", row.key);
    }
    let flag = find(&rows, "OLD_FLAG", "production");
    assert_eq!(flag.value, RemoteValue::Known(Secret::new("on")));
    assert_eq!(flag.scopes.len(), 1);
    assert_eq!(find(&rows, "SENTRY_DSN", "preview").scopes.len(), 3);
    assert_eq!(
        find(&rows, "POSTGRES_URL", "production").owner,
        RowOwner::Integration
    );
    assert_eq!(
        find(&rows, "VERCEL_URL", "production").owner,
        RowOwner::Platform
    );
    assert_eq!(find(&rows, "EMPTY", "production").owner, RowOwner::People);
}

#[tokio::test]
async fn rows_of_our_own_installation_are_ours() {
    let mut world = World::new(Preset::Starter).await;
    for (key, installation) in [("OURS", "icfg_ours"), ("THEIRS", "icfg_other")] {
        let mut seed = EnvSeed::new(key, "v", &["production"]);
        seed.configuration_id = Some(installation.to_owned());
        world.seed(&seed);
    }
    let owners = async |world: &World| {
        let to = at("production");
        let view = world.provider.list(&world.session, &to).await.unwrap();
        ["OURS", "THEIRS"].map(|key| find(&view.rows, key, "production").owner.clone())
    };
    assert_eq!(
        owners(&world).await,
        [RowOwner::Integration, RowOwner::Integration]
    );
    world.session.credential.installation_id = Some("icfg_ours".to_owned());
    assert_eq!(
        owners(&world).await,
        [RowOwner::People, RowOwner::Integration]
    );
}

#[tokio::test]
async fn a_branch_has_its_own_rows() {
    let world = World::new(Preset::LivedIn).await;
    let on = world
        .provider
        .destination(
            &world.session,
            &Target {
                branch: Some("feature/login"),
                ..Target::new(PROJECT, "preview")
            },
        )
        .await
        .unwrap();
    let view = world.provider.list(&world.session, &on).await.unwrap();
    let rows = view.at(&on);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows["FEATURE"].branch.as_deref(), Some("feature/login"));
}

#[tokio::test]
async fn a_read_gives_the_value_with_the_stamp_of_that_answer() {
    let world = World::new(Preset::Starter).await;
    let to = at("production");
    let plain = world.seed(&EnvSeed::new("A", "", &["production"]));
    let sensitive = world.seed(&EnvSeed::new("B", "b", &["production"]).kind("sensitive"));
    let listed = world.provider.list(&world.session, &to).await.unwrap();
    let (value, stamp) = world
        .provider
        .read(&world.session, &to, &plain)
        .await
        .unwrap();
    assert_eq!(value, RemoteValue::Known(Secret::new("")));
    assert_eq!(stamp, find(&listed.rows, "A", "production").stamp);
    assert!(stamp.is_some());
    let (value, _) = world
        .provider
        .read(&world.session, &to, &sensitive)
        .await
        .unwrap();
    assert_eq!(value, RemoteValue::Unreadable);
    let missing = world.provider.read(&world.session, &to, "nope").await;
    assert_eq!(missing.unwrap_err(), ProviderError::NotFound);
    // What is no id never becomes a path, and is not sent.
    world.vercel.reset_calls();
    let escape = world.provider.read(&world.session, &to, "..").await;
    assert!(matches!(escape, Err(ProviderError::Invalid { .. })));
    assert_eq!(world.vercel.calls(), 0);
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_unreadable() {
    let world = World::new(Preset::Starter).await;
    for (status, code) in [(400, "NOT_DECRYPTABLE"), (403, "not_decryptable")] {
        world.vercel.fault(Fault::next(Action::json(
            status,
            &json!({"error": {"code": code, "message": "m"}}),
        )));
        let read = world
            .provider
            .read(&world.session, &at("production"), "e1")
            .await;
        assert_eq!(read.unwrap(), (RemoteValue::Unreadable, None));
    }
}
