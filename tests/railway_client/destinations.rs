//! Environments and services by id and by name.

use keyway_shared::providers::{ProviderError, Target};
use keyway_shared::sync::remote::Destination;

use crate::support::{World, code};

async fn resolve(
    world: &World,
    environment: &str,
    service: Option<&str>,
) -> Result<Destination, ProviderError> {
    let target = Target {
        service_id: service,
        ..Target::new(&world.project, environment)
    };
    world.provider.destination(&world.session, &target).await
}

#[tokio::test]
async fn ids_take_no_call_and_names_take_one() {
    let world = World::lived_in().await;
    for service in [None, Some(world.web.as_str())] {
        let target = Target {
            service_id: service,
            ..Target::new(&world.project, &world.production)
        };
        let known = world.provider.known_destination(None, &target).unwrap();
        assert_eq!(known, world.at(&world.production, service));
        assert_eq!(
            resolve(&world, &world.production, service).await.unwrap(),
            known
        );
    }
    assert_eq!(world.railway.calls(), 0);
    for (environment, service) in [
        ("production", "web"),
        (world.production.as_str(), "web"),
        ("production", world.web.as_str()),
    ] {
        world.railway.reset_calls();
        let target = Target {
            service_id: Some(service),
            ..Target::new(&world.project, environment)
        };
        assert_eq!(world.provider.known_destination(None, &target), None);
        let found = world.provider.destination(&world.session, &target).await;
        assert_eq!(found.unwrap(), world.own());
        assert_eq!(world.railway.calls(), 1);
    }
    let shared = resolve(&world, "production", None).await.unwrap();
    assert_eq!(shared, world.at(&world.production, None));
    assert_ne!(shared.slot(), world.own().slot());
}

#[tokio::test]
async fn what_is_not_there_is_named_with_what_is() {
    let world = World::lived_in().await;
    let known = ["production", "staging", "pr-17"].map(str::to_owned).into();
    assert_eq!(
        resolve(&world, "Production", None).await.unwrap_err(),
        ProviderError::UnknownEnvironment { known }
    );
    match resolve(&world, "production", Some("api"))
        .await
        .unwrap_err()
    {
        ProviderError::Invalid { code, message, .. } => {
            assert_eq!(code, "unknown_service");
            assert!(message.ends_with("web, Postgres, worker"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let target = Target::new("00000000-0000-4000-8000-000000000000", "production");
    let missing = world.provider.destination(&world.session, &target).await;
    assert_eq!(missing.unwrap_err(), ProviderError::NotFound);
}

#[tokio::test]
async fn an_environment_that_is_closed_is_said_to_be() {
    let world = World::lived_in().await;
    let closed = world.railway.environment(&world.project, "closed").unwrap();
    let error = resolve(&world, "closed", None).await.unwrap_err();
    assert_eq!(code(&error), "restricted_environment");
    // By its id it is the first call that meets it.
    let known = resolve(&world, &closed, None).await.unwrap();
    let error = world
        .provider
        .list(&world.session, &known)
        .await
        .unwrap_err();
    assert_eq!(error, ProviderError::Forbidden);
}

#[tokio::test]
async fn a_name_of_two_is_not_guessed() {
    let world = World::starter().await;
    let second = world.railway.add_environment(&world.project, "staging");
    let error = resolve(&world, "staging", None).await.unwrap_err();
    assert_eq!(code(&error), "ambiguous_environment");
    assert_eq!(resolve(&world, &second, None).await.unwrap().scope, second);
    world.railway.add_service(&world.project, "web");
    let error = resolve(&world, "production", Some("web"))
        .await
        .unwrap_err();
    assert_eq!(code(&error), "ambiguous_service");
}

#[tokio::test]
async fn an_environment_of_another_project_is_refused_before_anything_is_read() {
    let world = World::lived_in().await;
    let other = world.railway.project("site-01").unwrap();
    let foreign = world.railway.environment(&other, "production").unwrap();
    let known = resolve(&world, &foreign, None).await.unwrap();
    let error = world
        .provider
        .list(&world.session, &known)
        .await
        .unwrap_err();
    assert_eq!(error, ProviderError::NotFound);
}

#[tokio::test]
async fn nothing_is_narrowed_to_a_branch() {
    let world = World::starter().await;
    let target = Target {
        branch: Some("main"),
        ..Target::new(&world.project, &world.production)
    };
    assert_eq!(world.provider.known_destination(None, &target), None);
    let error = world.provider.destination(&world.session, &target).await;
    assert_eq!(code(&error.unwrap_err()), "branch");
    assert_eq!(world.railway.calls(), 0);
}
