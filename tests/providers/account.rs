//! Accounts, projects, environments, OAuth.

use std::time::Duration;

use keyway_shared::providers::{Departure, ProviderError, Return, Target};
use keyway_shared::secret::Secret;
use keyway_simulator::vercel::{Preset, TEAM, TOKEN, USER};
use keyway_simulator::{Action, Fault};
use serde_json::json;

use crate::support::{PROJECT, World, provider, session};

#[tokio::test]
async fn a_token_tells_its_account_and_its_team() {
    let world = World::new(Preset::Starter).await;
    let account = world.provider.account(&world.session).await.unwrap();
    assert_eq!(
        (account.user_id.as_str(), account.account_id()),
        (USER, USER)
    );
    assert_eq!(account.display_name(), "ada");
    assert_eq!(world.vercel.calls(), 1);
    let team = world.provider.account(&session(TOKEN, Some(TEAM))).await;
    let team = team.unwrap();
    assert_eq!((team.account_id(), team.display_name()), (TEAM, "Acme"));
}

#[tokio::test]
async fn a_dead_token_is_told_from_one_that_may_not_ask_for_its_user() {
    let world = World::new(Preset::Starter).await;
    let dead = world.provider.account(&session("wrong", None)).await;
    assert_eq!(dead.unwrap_err(), ProviderError::Unauthorized);
    let forbidden = Action::json(
        403,
        &json!({"error": {"code": "forbidden", "message": "m"}}),
    );
    // Also without the flag: nothing works with it.
    world.vercel.fault(Fault::next(forbidden.clone()).times(2));
    let dead = world.provider.account(&world.session).await;
    assert_eq!(dead.unwrap_err(), ProviderError::Unauthorized);
    world.vercel.fault(Fault::next(forbidden).path("/user"));
    let alive = world.provider.account(&world.session).await.unwrap();
    assert_eq!(alive.account_id(), USER);
    // A token that no header can carry is not sent.
    world.vercel.reset_calls();
    let odd = world.provider.account(&session("a\nb", None)).await;
    assert_eq!(odd.unwrap_err(), ProviderError::Unauthorized);
    assert_eq!(world.vercel.calls(), 0);
}

#[tokio::test]
async fn a_team_that_is_not_shown_must_at_least_show_its_projects() {
    let world = World::new(Preset::Starter).await;
    let forbidden = Action::json(
        403,
        &json!({"error": {"code": "forbidden", "message": "m"}}),
    );
    let of_team = session(TOKEN, Some(TEAM));
    world
        .vercel
        .fault(Fault::next(forbidden.clone()).path("/teams/"));
    let account = world.provider.account(&of_team).await.unwrap();
    assert_eq!((account.account_id(), account.display_name()), (TEAM, TEAM));
    world.vercel.fault(Fault::next(forbidden).after(1).times(2));
    let stranger = world.provider.account(&of_team).await;
    assert_eq!(stranger.unwrap_err(), ProviderError::Forbidden);
}

#[tokio::test]
async fn every_project_is_found() {
    let world = World::new(Preset::Starter).await;
    for n in 0..230 {
        world.vercel.add_project(&format!("more-{n}"), None);
    }
    let projects = world.provider.projects(&world.session).await.unwrap();
    assert_eq!(projects.len(), 253);
    assert_eq!(world.vercel.calls(), 3);
    let linked = |name: &str| {
        let project = projects.iter().find(|project| project.name == name);
        project.unwrap().linked_repo.clone()
    };
    assert_eq!(linked("my-app").as_deref(), Some("acme/my-app"));
    assert_eq!(linked("gitlab-app").as_deref(), Some("acme/app"));
    assert_eq!(linked("bitbucket-app").as_deref(), Some("acme/app"));
    assert_eq!(linked("site-01"), None);
    let team = world.provider.projects(&session(TOKEN, Some(TEAM))).await;
    assert_eq!(team.unwrap().len(), 1);
}

#[tokio::test]
async fn projects_come_bare_or_with_any_cursor() {
    let world = World::new(Preset::Starter).await;
    let bare = json!([{"id": "prj_1", "name": "a", "link": null}]);
    world.vercel.fault(Fault::next(Action::json(200, &bare)));
    let projects = world.provider.projects(&world.session).await.unwrap();
    assert_eq!(
        projects[0].environments,
        ["production", "preview", "development"]
    );
    let page = |next: serde_json::Value| {
        Action::json(
            200,
            &json!({"projects": [], "pagination": {"count": 0, "next": next}}),
        )
    };
    world.vercel.reset_calls();
    world.vercel.fault(Fault::next(page(json!("opaque+/="))));
    world.vercel.fault(Fault::next(page(json!(null))).after(1));
    assert!(
        world
            .provider
            .projects(&world.session)
            .await
            .unwrap()
            .is_empty()
    );
    let queries: Vec<_> = world
        .vercel
        .requests()
        .into_iter()
        .map(|r| r.query)
        .collect();
    assert_eq!(queries, ["limit=100", "limit=100&from=opaque%2B%2F%3D"]);
    world.vercel.fault(Fault::next(page(json!(7))).times(9));
    let endless = world.provider.projects(&world.session).await;
    assert_eq!(endless.unwrap_err(), ProviderError::Protocol);
}

#[tokio::test]
async fn a_project_is_found_by_id_and_by_name() {
    let world = World::new(Preset::LivedIn).await;
    for name in ["my-app", PROJECT] {
        let project = world.provider.project(&world.session, name).await.unwrap();
        assert_eq!(project.id, PROJECT);
        assert!(project.environments.contains(&"staging".to_owned()));
    }
    let missing = world.provider.project(&world.session, "a/../b").await;
    assert_eq!(missing.unwrap_err(), ProviderError::NotFound);
    assert!(world.provider.is_canonical_project(PROJECT));
    assert!(!world.provider.is_canonical_project("my-app"));
    assert!(!world.provider.is_canonical_project("prj_"));
}

#[tokio::test]
async fn environments_are_resolved_and_never_guessed() {
    let world = World::new(Preset::LivedIn).await;
    let resolve = async |name: &str, branch: Option<&str>| {
        world
            .provider
            .destination(
                &world.session,
                &Target {
                    branch,
                    ..Target::new(PROJECT, name)
                },
            )
            .await
    };
    for name in ["production", "preview", "development"] {
        assert_eq!(resolve(name, None).await.unwrap().scope, name);
    }
    assert_eq!(world.vercel.calls(), 0);
    let by_slug = resolve("staging", None).await.unwrap();
    assert!(by_slug.custom && by_slug.scope.starts_with("env_"));
    assert_eq!(resolve(&by_slug.scope, None).await.unwrap(), by_slug);
    assert_eq!(world.vercel.calls(), 2);
    let unknown = resolve("Production", None).await.unwrap_err();
    assert_eq!(
        unknown,
        ProviderError::UnknownEnvironment {
            known: ["production", "preview", "development", "staging"]
                .map(str::to_owned)
                .into(),
        }
    );
    assert!(resolve("preview", Some("b")).await.is_ok());
    let branch = resolve("production", Some("b")).await.unwrap_err();
    assert!(matches!(branch, ProviderError::Invalid { .. }));
}

#[tokio::test]
async fn a_code_is_worth_a_token_once() {
    let world = World::new(Preset::Starter).await;
    let departure = Departure {
        state: "a b",
        callback: "https://x/cb",
        verifier: &Secret::new("v"),
    };
    let url = world.provider.authorize_url(&departure).unwrap();
    assert_eq!(
        url,
        "https://vercel.test/integrations/keyway/new?state=a%20b"
    );
    let codes = [
        (json!({"error": "invalid_grant"}), "invalid_grant"),
        (
            json!({"error": {"code": "bad_request", "message": "m"}}),
            "invalid_grant",
        ),
        (
            json!({"error": {"code": "not_found", "message": "m"}}),
            "invalid_client",
        ),
        (json!({"error": "invalid_client"}), "invalid_client"),
    ];
    for (body, expected) in codes {
        world.vercel.fault(Fault::next(Action::json(400, &body)));
        let error = world.provider.exchange_code(&back("c")).await;
        match error.unwrap_err() {
            ProviderError::Invalid { code, .. } => assert_eq!(code, expected),
            other => panic!("{other:?}"),
        }
    }
    let body = json!({"token_type": "Bearer", "access_token": "t", "installation_id": "icfg_1",
        "user_id": "u", "team_id": null});
    world.vercel.fault(Fault::next(Action::json(200, &body)));
    let grant = world.provider.exchange_code(&back("c")).await.unwrap();
    assert_eq!(grant.token.access.expose(), "t");
    assert_eq!(grant.installation_id.as_deref(), Some("icfg_1"));
    assert_eq!(grant.team_id, None);
    let spent = world.provider.exchange_code(&back("never-given")).await;
    assert!(matches!(spent, Err(ProviderError::Invalid { .. })));
}

#[tokio::test]
async fn a_failed_handshake_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let secure = provider(&url, Duration::from_secs(2));
    let of = session(TOKEN, None);
    let (error, ()) = tokio::join!(secure.account(&of), async {
        drop(listener.accept().await.unwrap());
    });
    assert_eq!(error.unwrap_err(), ProviderError::Unavailable);
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let away = provider(&url, Duration::from_secs(1));
    let error = away.account(&session(TOKEN, None)).await.unwrap_err();
    assert_eq!(error, ProviderError::Unavailable);
}

const fn back(code: &str) -> Return<'_> {
    Return {
        code,
        callback: "https://x/cb",
        verifier: None,
        issuer: None,
    }
}
