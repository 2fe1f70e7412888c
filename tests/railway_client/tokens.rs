//! Kinds of tokens: how each is told from the others, whose it is, and what it sees.

use keyway_shared::domain::connection::ProviderAccount;
use keyway_shared::providers::{ProviderError, Session, Target};
use keyway_simulator::Fault;
use keyway_simulator::railway::{self, PROJECT_TOKEN, Role, TOKEN, USER, WORKSPACE_TOKEN};

use crate::support::{World, create, made, session};

async fn account(world: &World, session: &Session) -> Result<ProviderAccount, ProviderError> {
    world.railway.reset_calls();
    world.provider.account(session).await
}

#[tokio::test]
async fn a_pasted_token_is_asked_for_its_kind() {
    let world = World::starter().await;
    let acme = world.railway.workspace("Acme").unwrap();
    let of = account(&world, &session(TOKEN, None)).await.unwrap();
    assert_eq!((of.user_id.as_str(), of.account_id()), (USER, USER));
    assert_eq!(
        (of.username.as_str(), of.email.as_deref()),
        ("Ada", Some("ada@example.com"))
    );
    assert_eq!((of.token_kind, of.team_id), (Some("account"), None));
    assert_eq!(world.operations(), ["me"]);
    let of = account(&world, &session(WORKSPACE_TOKEN, None))
        .await
        .unwrap();
    assert_eq!((of.account_id(), of.display_name()), (&*acme, "Acme"));
    assert_eq!(of.token_kind, Some("workspace"));
    assert_eq!(world.operations(), ["me", "apiToken"]);
    let of = account(&world, &session(PROJECT_TOKEN, None))
        .await
        .unwrap();
    let id = format!("project:{}:{}", world.project, world.production);
    assert_eq!(
        (of.account_id(), of.display_name()),
        (&*id, "my-app (production)")
    );
    assert_eq!(of.token_kind, Some("project"));
    assert_eq!(world.operations(), ["me", "apiToken", "projectToken"]);
}

/// Nothing of an account is made from the token.
#[tokio::test]
async fn a_dead_token_is_nobodys() {
    for precise in [false, true] {
        let world = World::starter().await;
        world.railway.set(|options| options.precise_codes = precise);
        for kind in [None, Some("account"), Some("workspace"), Some("project")] {
            let found = account(&world, &session("5e1f0000-dead", kind)).await;
            assert_eq!(found.unwrap_err(), ProviderError::Unauthorized);
            let calls = if kind.is_none() { 3 } else { 1 };
            assert_eq!(world.railway.calls(), calls);
        }
    }
}

#[tokio::test]
async fn a_kind_that_is_known_takes_one_call() {
    let world = World::starter().await;
    for (token, kind) in [
        (TOKEN, "account"),
        (WORKSPACE_TOKEN, "workspace"),
        (PROJECT_TOKEN, "project"),
    ] {
        let found = account(&world, &session(token, Some(kind))).await.unwrap();
        assert_eq!((found.token_kind, world.railway.calls()), (Some(kind), 1));
    }
}

/// A kind is not guessed from an answer that was not given.
#[tokio::test]
async fn an_outage_is_no_refusal() {
    let world = World::starter().await;
    let away = || Fault::next(keyway_simulator::Action::json(503, &serde_json::json!({})));
    for (field, asked) in [("me", 1), ("apiToken", 2), ("projectToken", 3)] {
        world.railway.clear_faults();
        world.railway.fault(away().path(field));
        let found = account(&world, &session(PROJECT_TOKEN, None)).await;
        assert_eq!(found.unwrap_err(), ProviderError::Unavailable);
        assert_eq!(world.railway.calls(), asked);
    }
}

#[tokio::test]
async fn a_team_that_is_named_must_be_the_tokens() {
    let world = World::starter().await;
    let acme = world.railway.workspace("Acme").unwrap();
    let other = world.railway.add_workspace("Other", Some(Role::Member));
    let site = world.railway.add_project(&other, "elsewhere", None);
    let of_team = |token: &str, team: &str| {
        let mut session = session(token, None);
        session.credential.team_id = Some(team.to_owned());
        session
    };
    let found = account(&world, &of_team(TOKEN, &other)).await.unwrap();
    assert_eq!(
        (found.account_id(), found.display_name()),
        (&*other, "Other")
    );
    assert_eq!(found.user_id, USER);
    let projects = world
        .provider
        .projects(&of_team(TOKEN, &other))
        .await
        .unwrap();
    assert_eq!(
        projects.iter().map(|it| &it.id).collect::<Vec<_>>(),
        [&site]
    );
    let found = account(&world, &of_team(WORKSPACE_TOKEN, &acme)).await;
    assert!(found.is_ok());
    for (token, team) in [
        (TOKEN, &world.project),
        (WORKSPACE_TOKEN, &other),
        (PROJECT_TOKEN, &acme),
    ] {
        let found = account(&world, &of_team(token, team)).await;
        assert_eq!(found.unwrap_err(), ProviderError::NotFound, "{token}");
    }
}

#[tokio::test]
async fn a_project_token_sees_one_environment() {
    let mut world = World::lived_in().await;
    world.session = session(PROJECT_TOKEN, Some("project"));
    let projects = world.provider.projects(&world.session).await.unwrap();
    assert_eq!(projects.len(), 1);
    let project = &projects[0];
    assert_eq!(
        (&project.id, project.name.as_str()),
        (&world.project, "my-app")
    );
    assert_eq!(project.environments, ["production"]);
    assert_eq!(project.services.len(), 3);
    assert_eq!(project.linked_repo.as_deref(), Some("acme/my-app"));
    for given in [&*world.project, "my-app"] {
        let one = world.provider.project(&world.session, given).await.unwrap();
        assert_eq!(one, *project);
    }
    let other = world.railway.project("site-01").unwrap();
    for given in [&*other, "site-01"] {
        let one = world.provider.project(&world.session, given).await;
        assert_eq!(one.unwrap_err(), ProviderError::NotFound);
    }
    let resolve = async |environment: &str| {
        let target = Target {
            service_id: Some("web"),
            ..Target::new(&world.project, environment)
        };
        world.provider.destination(&world.session, &target).await
    };
    assert_eq!(resolve("production").await.unwrap(), world.own());
    let known = vec!["production".to_owned()];
    assert_eq!(
        resolve("staging").await.unwrap_err(),
        ProviderError::UnknownEnvironment { known }
    );
    let applied = world.apply(&world.own(), &[create("A", "1")]).await;
    assert_eq!(made(&applied), 1);
    let staging = world.at(&world.staging, Some(&world.web));
    let refused = world.provider.list(&world.session, &staging).await;
    assert_eq!(refused.unwrap_err(), ProviderError::Forbidden);
}

#[tokio::test]
async fn a_workspace_token_sees_its_workspace() {
    let mut world = World::lived_in().await;
    world.session = session(WORKSPACE_TOKEN, Some("workspace"));
    let found = world.provider.account(&world.session).await.unwrap();
    world.session.credential.team_id = found.team_id;
    let projects = world.provider.projects(&world.session).await.unwrap();
    assert_eq!(projects.len(), 24);
    assert!(projects.iter().all(|project| project.name != "partner-app"));
    let applied = world.apply(&world.own(), &[create("A", "1")]).await;
    assert_eq!(made(&applied), 1);
    world.railway.revoke(railway::WORKSPACE_TOKEN);
    let found = world.provider.account(&world.session).await;
    assert_eq!(found.unwrap_err(), ProviderError::Unauthorized);
}
