//! Tokens, whose they are, apps, and the one environment of an app.

use keyway_shared::domain::connection::ProviderAccount;
use keyway_shared::providers::capabilities::{Reading, Rollout};
use keyway_shared::providers::{ProviderError, Target};
use keyway_simulator::fly::{
    APP, AppTokenList, BARE_APP, DEPLOY_TOKEN, Grant, ORGANIZATION, OTHER_ORGANIZATION,
    PERSONAL_ORGANIZATION, Preset, STAGING_APP, TOKEN, USER, USER_TOKEN,
};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{World, create, session};

async fn account(
    world: &World,
    token: &str,
    team: Option<&str>,
) -> Result<ProviderAccount, ProviderError> {
    let session = session(&*world.provider, token, team);
    world.provider.account(&session).await
}

async fn apps(world: &World, token: &str, team: Option<&str>, kind: Option<&str>) -> Vec<String> {
    let mut session = session(&*world.provider, token, team);
    session.credential.token_kind = kind.map(str::to_owned);
    let projects = world.provider.projects(&session).await.unwrap();
    projects.into_iter().map(|project| project.id).collect()
}

fn message(error: ProviderError) -> String {
    match error {
        ProviderError::Invalid { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_of_an_organization_is_the_organization() {
    let world = World::new(Preset::LivedIn).await;
    for team in [None, Some(ORGANIZATION)] {
        let found = account(&world, TOKEN, team).await.unwrap();
        assert_eq!(found.account_id(), ORGANIZATION);
        assert_eq!(found.display_name(), "Acme");
        assert_eq!(found.token_kind, Some("org"));
    }
    assert_eq!(world.fly.calls(), 2);
    let other = account(&world, TOKEN, Some(OTHER_ORGANIZATION)).await;
    assert_eq!(other.unwrap_err(), ProviderError::NotFound);
    let expected = [APP, STAGING_APP, BARE_APP];
    world.fly.reset_calls();
    assert_eq!(
        apps(&world, TOKEN, Some(ORGANIZATION), Some("org")).await,
        expected
    );
    assert_eq!(world.fly.calls(), 1);
    assert_eq!(apps(&world, TOKEN, None, None).await, expected);
}

#[tokio::test]
async fn a_deploy_token_is_its_app_and_lists_nothing() {
    let world = World::new(Preset::LivedIn).await;
    for list in [
        AppTokenList::Refused,
        AppTokenList::OwnApps,
        AppTokenList::Empty,
    ] {
        world.fly.set(|options| options.app_token_list = list);
        let found = account(&world, DEPLOY_TOKEN, None).await.unwrap();
        assert_eq!(
            (found.account_id(), found.display_name()),
            ("app:my-app", APP)
        );
        assert_eq!((found.token_kind, found.team_id), (Some("deploy"), None));
        assert_eq!(
            apps(&world, DEPLOY_TOKEN, None, Some("deploy")).await,
            [APP]
        );
    }
    let world = world.signed(DEPLOY_TOKEN);
    assert_eq!(world.apply(&[create("A", "1")]).await.stopped, None);
    let other = world.provider.project(&world.session, STAGING_APP).await;
    assert_eq!(other.unwrap_err(), ProviderError::Forbidden);
}

#[tokio::test]
async fn a_token_of_several_apps_is_known_by_all_of_them_in_any_order() {
    let world = World::new(Preset::LivedIn).await;
    let grant = || Grant::organization(ORGANIZATION);
    let one = world.fly.add_token(grant().apps(&[STAGING_APP, APP]), None);
    let found = account(&world, &one, None).await.unwrap();
    assert_eq!(found.account_id(), "app:my-app,my-app-staging");
    assert_eq!(apps(&world, &one, None, None).await, [APP, STAGING_APP]);
    // An app that is gone leaves the others.
    let two = world.fly.add_token(grant().apps(&["gone", APP]), None);
    assert_eq!(apps(&world, &two, None, None).await, [APP]);
}

#[tokio::test]
async fn of_several_organizations_the_user_says_which() {
    let world = World::new(Preset::LivedIn).await;
    let several = message(account(&world, USER_TOKEN, None).await.unwrap_err());
    assert!(several.contains("acme, ada-lovelace"), "{several}");
    assert!(several.contains("teamId"), "{several}");
    for (team, own) in [(ORGANIZATION, APP), (PERSONAL_ORGANIZATION, "hobby")] {
        let found = account(&world, USER_TOKEN, Some(team)).await.unwrap();
        assert_eq!(found.account_id(), team);
        assert_eq!(
            (found.user_id.as_str(), found.token_kind),
            (USER, Some("user"))
        );
        let apps = apps(&world, USER_TOKEN, Some(team), Some("user")).await;
        assert_eq!(apps[0], own);
    }
    // `personal` is another name of the same organization, and would make it a second account.
    let personal = account(&world, USER_TOKEN, Some("personal")).await;
    assert_eq!(personal.unwrap_err(), ProviderError::NotFound);
}

#[tokio::test]
async fn a_token_that_tells_nothing_of_itself_is_known_by_what_it_lists() {
    let world = World::new(Preset::LivedIn).await;
    let silent = |times| {
        let body = json!({ "tokens": null });
        Fault::next(Action::json(200, &body))
            .path("/tokens/current")
            .times(times)
    };
    world.fly.fault(silent(3));
    let nameless = message(account(&world, TOKEN, None).await.unwrap_err());
    assert!(nameless.contains("teamId"), "{nameless}");
    let found = account(&world, TOKEN, Some(ORGANIZATION)).await.unwrap();
    assert_eq!(
        (found.account_id(), found.token_kind),
        (ORGANIZATION, Some("org"))
    );
    let other = account(&world, TOKEN, Some(OTHER_ORGANIZATION)).await;
    assert_eq!(other.unwrap_err(), ProviderError::Forbidden);
}

#[tokio::test]
async fn a_token_is_sent_as_it_has_to_be_and_a_dead_one_is_told() {
    let world = World::new(Preset::LivedIn).await;
    // Only the scheme of macaroons will do for them.
    world.fly.set(|options| options.bearer_macaroons = false);
    for pasted in [
        TOKEN.to_owned(),
        TOKEN.replace("FlyV1 ", "bearer "),
        TOKEN.replace("FlyV1 ", ""),
        format!("  {}\n", TOKEN.replace(',', " ,\n ")),
    ] {
        assert!(account(&world, &pasted, None).await.is_ok(), "{pasted:?}");
    }
    // One half of a bundle is none: what discharges it is missing.
    let half = TOKEN.split_once(',').unwrap().0;
    let dead = account(&world, half, None).await;
    assert_eq!(dead.unwrap_err(), ProviderError::Unauthorized);
    world.fly.revoke(TOKEN);
    let dead = account(&world, TOKEN, None).await;
    assert_eq!(dead.unwrap_err(), ProviderError::Unauthorized);
    for pasted in ["", "FlyV1", "fm2_a fm2_b", "FlyV1 Bearer fm2_a"] {
        assert!(world.provider.token(pasted).is_none(), "{pasted:?}");
    }
}

#[tokio::test]
async fn an_app_has_one_environment_and_no_other_name_will_do() {
    let world = World::new(Preset::LivedIn).await;
    let project = world.provider.project(&world.session, APP).await.unwrap();
    assert_eq!((project.id.as_str(), project.name.as_str()), (APP, APP));
    assert_eq!(project.environments, ["production"]);
    assert_eq!((project.linked_repo, project.framework), (None, None));
    let missing = world.provider.project(&world.session, "a/../b").await;
    assert_eq!(missing.unwrap_err(), ProviderError::NotFound);
    world.fly.reset_calls();
    let production = Target::new(APP, "production");
    let known = world.provider.known_destination(None, &production).unwrap();
    let resolved = world
        .provider
        .destination(&world.session, &production)
        .await;
    assert_eq!(resolved.unwrap(), known);
    assert_eq!((known.scope.as_str(), known.custom), ("production", false));
    for name in ["staging", "Production", "preview", APP] {
        let target = Target::new(APP, name);
        assert_eq!(world.provider.known_destination(None, &target), None);
        let unknown = world.provider.destination(&world.session, &target).await;
        let known = vec!["production".to_owned()];
        assert_eq!(
            unknown.unwrap_err(),
            ProviderError::UnknownEnvironment { known }
        );
    }
    assert_eq!(world.fly.calls(), 0);
    assert!(world.provider.is_canonical_project(APP));
    assert!(!world.provider.is_canonical_project("My App"));
}

#[tokio::test]
async fn an_app_is_kept_by_its_name() {
    let world = World::new(Preset::Empty).await;
    let shown = json!({ "id": "jlyv9r5d56v18xrg", "name": APP, "status": "deployed" });
    world.fly.fault(Fault::next(Action::json(200, &shown)));
    let found = world
        .provider
        .project(&world.session, "jlyv9r5d56v18xrg")
        .await;
    assert_eq!(found.unwrap().id, APP);
    let nameless = json!({ "id": "jlyv9r5d56v18xrg" });
    world.fly.fault(Fault::next(Action::json(200, &nameless)));
    let found = world
        .provider
        .project(&world.session, "jlyv9r5d56v18xrg")
        .await;
    assert_eq!(found.unwrap_err(), ProviderError::Protocol);
}

#[tokio::test]
async fn what_it_can_do_is_told() {
    let world = World::new(Preset::Empty).await;
    let can = world.provider.descriptor();
    assert_eq!(can.values.reading, Reading::Digest);
    assert_eq!(can.writes.effect.as_str(), "staged");
    assert_eq!(can.writes.rollout.map(Rollout::as_str), Some("machines"));
    assert!(can.sign_in.oauth.is_none());
    let kinds: Vec<_> = can.sign_in.tokens.iter().map(|kind| kind.name).collect();
    assert_eq!(kinds, ["org", "deploy", "user"]);
    assert_eq!(can.environments.suggested("production"), Some("production"));
    assert_eq!(can.environments.suggested("staging"), None);
    assert!(can.reserved.has("FLY_REGION") && !can.reserved.has("FLY_API_TOKEN"));
}
