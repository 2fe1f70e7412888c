//! Projects, their environments and services.

use keyway_shared::providers::ProviderError;
use keyway_simulator::railway::Role;

use crate::support::{World, code};

#[tokio::test]
async fn every_project_is_listed_with_one_call() {
    let world = World::lived_in().await;
    let projects = world.provider.projects(&world.session).await.unwrap();
    assert_eq!(world.railway.calls(), 1);
    let names: Vec<_> = projects
        .iter()
        .map(|project| project.name.as_str())
        .collect();
    assert_eq!(names.len(), 25);
    // Of another workspace; those that were deleted are in neither.
    assert!(names.contains(&"partner-app") && names.contains(&"site-23"));
    assert!(!names.contains(&"old-app") && !names.contains(&"partner-old"));
    let app = projects
        .iter()
        .find(|project| project.name == "my-app")
        .unwrap();
    assert_eq!(app.id, world.project);
    assert_eq!(app.linked_repo.as_deref(), Some("acme/my-app"));
    // One that is closed to the user cannot be asked for.
    assert_eq!(app.environments, ["production", "staging", "pr-17"]);
    let services: Vec<_> = app
        .services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(services, ["web", "Postgres", "worker"]);
    assert_eq!(app.services[0].id, world.web);
    let other = projects
        .iter()
        .find(|project| project.name == "site-01")
        .unwrap();
    assert!(other.linked_repo.is_none() && other.services.is_empty());
}

#[tokio::test]
async fn all_pages_of_all_workspaces_are_followed() {
    let world = World::starter().await;
    let acme = world.railway.workspace("Acme").unwrap();
    let other = world.railway.add_workspace("Other", Some(Role::Admin));
    for n in 0..230 {
        world.railway.add_project(&acme, &format!("more-{n}"), None);
    }
    world.railway.add_project(&other, "last", None);
    let projects = world.provider.projects(&world.session).await.unwrap();
    assert_eq!(projects.len(), 24 + 230 + 1);
    assert_eq!(world.railway.calls(), 3);
}

#[tokio::test]
async fn all_parts_of_a_project_are_followed() {
    let world = World::starter().await;
    for n in 0..120 {
        world
            .railway
            .add_environment(&world.project, &format!("env-{n}"));
    }
    for n in 0..230 {
        world
            .railway
            .add_service(&world.project, &format!("service-{n}"));
    }
    let project = world
        .provider
        .project(&world.session, &world.project)
        .await
        .unwrap();
    assert_eq!(project.environments.len(), 122);
    assert_eq!(project.services.len(), 232);
    let mut ids: Vec<_> = project.services.iter().map(|service| &service.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 232);
    assert_eq!(world.railway.calls(), 3);
}

#[tokio::test]
async fn one_project_by_id_or_name() {
    let world = World::starter().await;
    let one = async |given: &str| world.provider.project(&world.session, given).await;
    let by_id = one(&world.project).await.unwrap();
    assert_eq!(world.railway.calls(), 1);
    assert_eq!(one(&world.project.to_uppercase()).await.unwrap(), by_id);
    assert_eq!(one("my-app").await.unwrap(), by_id);
    assert_eq!(one("MY-APP").await.unwrap_err(), ProviderError::NotFound);
    let acme = world.railway.workspace("Acme").unwrap();
    world.railway.add_project(&acme, "my-app", None);
    assert_eq!(code(&one("my-app").await.unwrap_err()), "ambiguous_project");
}

/// What is not there may be told apart from what may not be seen.
#[tokio::test]
async fn a_project_that_is_not_there() {
    for (tells, expected) in [
        (true, ProviderError::NotFound),
        (false, ProviderError::Forbidden),
    ] {
        let world = World::starter().await;
        world.railway.set(|options| options.tells_missing = tells);
        let id = "00000000-0000-4000-8000-000000000000";
        let found = world.provider.project(&world.session, id).await;
        assert_eq!(found.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn only_an_id_is_canonical() {
    let world = World::starter().await;
    assert!(world.provider.is_canonical_project(&world.project));
    for other in ["my-app", "", &world.project.to_uppercase()] {
        assert!(!world.provider.is_canonical_project(other), "{other}");
    }
}

/// Names that cannot be asked for, or that two have, are shown by their ids.
#[tokio::test]
async fn environments_are_shown_by_what_they_can_be_asked_for() {
    let world = World::starter().await;
    let spaced = world
        .railway
        .add_environment(&world.project, "my environment");
    let first = world.railway.add_environment(&world.project, "twice");
    let second = world.railway.add_environment(&world.project, "twice");
    let project = world
        .provider
        .project(&world.session, &world.project)
        .await
        .unwrap();
    let expected = ["production", "staging", &spaced, &first, &second];
    assert_eq!(project.environments, expected);
}
