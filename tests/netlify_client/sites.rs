//! Sites: all pages, by id, domain and name, and which team they belong to.

use keyway_shared::providers::{ProviderError, Target};
use keyway_simulator::netlify::{ACCOUNT, COLLABORATOR_TOKEN, FREE_ACCOUNT, Preset, SITE, TOKEN};

use crate::support::{World, session};

#[tokio::test]
async fn every_page_is_followed_whatever_its_size() {
    for size in [7, 100] {
        let world = World::start(Preset::Starter).await;
        world.netlify.set(|options| options.page_size = size);
        let everything = session(TOKEN, None);
        let all = world.provider.projects(&everything).await.unwrap();
        assert_eq!(all.len(), 125, "{size}");
        // A connection for a team is for its sites only.
        let acme = world.provider.projects(&world.session).await.unwrap();
        assert_eq!(acme.len(), 123, "{size}");
    }
}

#[tokio::test]
async fn repository_and_framework_are_shown() {
    let world = World::start(Preset::Starter).await;
    let sites = world.provider.projects(&world.session).await.unwrap();
    let site = |name: &str| sites.iter().find(|site| site.name == name).unwrap();
    let my_app = site("my-app");
    assert_eq!(my_app.id, SITE);
    assert_eq!(my_app.linked_repo.as_deref(), Some("acme/my-app"));
    assert_eq!(my_app.framework.as_deref(), Some("astro"));
    let nested = site("gitlab-app").linked_repo.as_deref();
    assert_eq!(nested, Some("acme/tools/gitlab-app"));
    assert_eq!(site("dropped").linked_repo, None);
}

#[tokio::test]
async fn a_site_is_found_by_id_domain_and_name() {
    let world = World::start(Preset::Starter).await;
    for named in [SITE, "www.acme.example", "my-app"] {
        let site = world.provider.project(&world.session, named).await.unwrap();
        assert_eq!(site.id, SITE, "{named}");
        assert_eq!(world.provider.is_canonical_project(named), named == SITE);
    }
    // One of another team is none of this connection's.
    let free = session(TOKEN, Some(FREE_ACCOUNT));
    for named in [SITE, "my-app"] {
        let error = world.provider.project(&free, named).await;
        assert_eq!(error, Err(ProviderError::NotFound), "{named}");
    }
    let part = world.provider.project(&world.session, "my-ap").await;
    assert_eq!(part, Err(ProviderError::NotFound));
}

#[tokio::test]
async fn a_connection_without_a_team_asks_the_site_for_its_own() {
    let world = World::start(Preset::Starter).await;
    let everything = session(TOKEN, None);
    let target = Target::new(SITE, "production");
    assert_eq!(world.provider.known_destination(None, &target), None);
    let to = world
        .provider
        .destination(&everything, &target)
        .await
        .unwrap();
    assert_eq!(to.owner_id.as_deref(), Some(ACCOUNT));
    assert_eq!(world.netlify.calls(), 1);
    let known = world.provider.known_destination(Some(ACCOUNT), &target);
    assert_eq!(known, Some(to.clone()));
    assert!(world.provider.list(&everything, &to).await.is_ok());
}

#[tokio::test]
async fn contexts_are_known_and_only_branch_deploys_have_branches() {
    let world = World::start(Preset::Starter).await;
    let resolve = |environment, branch| {
        let (provider, session) = (&world.provider, &world.session);
        async move {
            let target = Target {
                branch,
                ..Target::new(SITE, environment)
            };
            provider.destination(session, &target).await
        }
    };
    for context in [
        "production",
        "deploy-preview",
        "branch-deploy",
        "dev",
        "dev-server",
    ] {
        assert_eq!(resolve(context, None).await.unwrap().scope, context);
    }
    let branch = resolve("branch-deploy", Some("staging")).await.unwrap();
    assert_eq!(branch.branch.as_deref(), Some("staging"));
    let narrowed = resolve("production", Some("staging")).await;
    assert!(matches!(narrowed, Err(ProviderError::Invalid { .. })));
    for unknown in ["preview", "all", "branch", "staging", "Production"] {
        match resolve(unknown, None).await {
            Err(ProviderError::UnknownEnvironment { known }) => assert_eq!(known.len(), 5),
            other => panic!("{unknown}: {other:?}"),
        }
    }
    assert_eq!(world.netlify.calls(), 0);
}

#[tokio::test]
async fn a_member_who_owns_nothing_syncs_sites_all_the_same() {
    let world = World::start(Preset::Starter).await;
    let member = session(COLLABORATOR_TOKEN, Some(ACCOUNT));
    let target = Target::new(SITE, "production");
    let to = world.provider.destination(&member, &target).await.unwrap();
    assert!(world.provider.list(&member, &to).await.is_ok());
}
