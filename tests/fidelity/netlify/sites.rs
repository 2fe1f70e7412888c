//! Sites, their pages and their builds.

use std::time::Duration;

use keyway_simulator::netlify::{ACCOUNT, FREE_ACCOUNT, GUEST_ACCOUNT, SITE};
use serde_json::{Value, json};

use super::{Answer, World, assert_refused};

fn names(page: &Value) -> Vec<&str> {
    let sites = page.as_array().unwrap().iter();
    sites.map(|site| site["name"].as_str().unwrap()).collect()
}

/// The address of another page, without its origin.
fn way<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let links = answer.header("link")?.split(", ");
    links.into_iter().find_map(|link| {
        let (address, rel) = link.split_once("; ")?;
        let address = address.strip_prefix('<')?.strip_suffix('>')?;
        (rel == format!("rel=\"{name}\"")).then(|| &address[address.find("/api/v1").unwrap() + 7..])
    })
}

#[tokio::test]
async fn links_lead_through_all_pages() {
    let world = World::starter().await;
    let mut seen = Vec::new();
    let mut pages = 0;
    let mut next = Some("/sites?per_page=30".to_owned());
    while let Some(path) = next {
        let page = world.get(&path).await;
        assert_eq!(page.status, 200);
        seen.extend(names(&page.body).into_iter().map(str::to_owned));
        pages += 1;
        assert_eq!(way(&page, "prev").is_some(), pages > 1);
        assert_eq!(way(&page, "first").is_some(), pages > 1);
        next = way(&page, "next").map(str::to_owned);
        assert_eq!(way(&page, "last").is_some(), next.is_some());
    }
    assert_eq!((pages, seen.len()), (5, 125));
    assert_eq!(seen[0], "my-app");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 125);
}

#[tokio::test]
async fn a_page_has_a_hundred_at_the_most() {
    let world = World::starter().await;
    for path in ["/sites", "/sites?per_page=1000", "/sites?page=0"] {
        let page = world.get(path).await;
        assert_eq!(names(&page.body).len(), 100, "{path}");
        assert!(way(&page, "next").is_some());
    }
    let second = world.get("/sites?page=2").await;
    assert_eq!(names(&second.body).len(), 25);
    assert_eq!(way(&second, "next"), None);
    assert_eq!(way(&second, "prev"), Some("/sites?page=1"));
    let beyond = world.get("/sites?page=9").await;
    assert_eq!(beyond.body, json!([]));
    let only = world.get("/sites?name=app").await;
    assert_eq!(only.header("link"), None);
    world.netlify.set(|options| options.page_size = 2);
    assert_eq!(names(&world.get("/sites").await.body).len(), 2);
}

#[tokio::test]
async fn links_keep_the_other_parameters() {
    let world = World::starter().await;
    let page = world.get("/acme/sites?name=site&per_page=50&page=2").await;
    assert_eq!(
        way(&page, "next"),
        Some("/acme/sites?name=site&per_page=50&page=3")
    );
}

#[tokio::test]
async fn lists_are_filtered_by_role_name_and_team() {
    let world = World::starter().await;
    let guest = world.get("/sites?filter=guest").await;
    assert_eq!(names(&guest.body), ["globex-app"]);
    let owner = world.get("/sites?filter=owner&page=2").await;
    assert_eq!(names(&owner.body).len(), 24);
    let named = world.get("/sites?name=hobby").await;
    assert_eq!(names(&named.body), ["hobby"]);
    let team = world.get("/globex/sites").await;
    assert_eq!(names(&team.body), ["globex-app"]);
    assert_refused(
        &world.get("/strangers/sites").await,
        404,
        "Account not found",
    );
}

#[tokio::test]
async fn a_site_tells_its_team_its_repository_and_its_framework() {
    let world = World::starter().await;
    let site = world.get(&format!("/sites/{SITE}")).await.body;
    assert_eq!(site["name"], "my-app");
    assert_eq!(site["account_id"], ACCOUNT);
    assert_eq!(site["account_slug"], "acme");
    assert_eq!(site["custom_domain"], "www.acme.example");
    assert_eq!(site["git_provider"], "github");
    let settings = &site["build_settings"];
    assert_eq!(settings["provider"], "github");
    assert_eq!(settings["repo_path"], "acme/my-app");
    assert_eq!(settings["repo_branch"], "main");
    assert_eq!(settings["repo_url"], "https://github.com/acme/my-app");
    assert!(settings["installation_id"].is_u64());
    // Of the deploy, and not of the site.
    assert!(site.get("framework").is_none());
    assert_eq!(site["published_deploy"]["framework"], "astro");

    let gitlab = world.get("/sites?name=gitlab-app").await.body;
    let settings = &gitlab[0]["build_settings"];
    assert_eq!(settings["provider"], "gitlab");
    assert_eq!(settings["repo_path"], "acme/tools/gitlab-app");
    assert!(settings.get("installation_id").is_none());
    let dropped = world.get("/sites?name=dropped").await.body;
    assert_eq!(dropped[0]["build_settings"], json!({}));
    assert!(dropped[0].get("published_deploy").is_none());
}

#[tokio::test]
async fn a_site_goes_by_its_domains_too() {
    let world = World::starter().await;
    for name in ["my-app.netlify.app", "www.acme.example"] {
        let site = world.get(&format!("/sites/{name}")).await;
        assert_eq!(site.body["id"], SITE, "{name}");
    }
    assert_refused(&world.get("/sites/my-app").await, 404, "Site not found");
}

#[tokio::test]
async fn what_is_of_others_is_not_there() {
    let world = World::starter().await;
    let theirs = world.netlify.add_site("theirs", "no team", None, None);
    assert_eq!(world.get(&format!("/sites/{theirs}")).await.status, 404);
    let hobby = world.netlify.add_site("hobby-2", FREE_ACCOUNT, None, None);
    assert_eq!(world.get(&format!("/sites/{hobby}")).await.status, 200);
    // A site's variables are asked for with its own team.
    for (account, site) in [(ACCOUNT, hobby.as_str()), (GUEST_ACCOUNT, SITE)] {
        let path = format!("/accounts/{account}/env?site_id={site}");
        assert_refused(&world.get(&path).await, 404, "Site not found");
    }
}

#[tokio::test]
async fn builds_start_when_they_are_asked_for_and_are_few() {
    let world = World::starter().await;
    world.make("KEY", &[("production", "1")]).await;
    world.set("KEY", "production", "2").await;
    assert_eq!(world.netlify.builds(SITE), 0);
    let build = || async {
        let path = format!("/api/v1/sites/{SITE}/builds?clear_cache=true&title=Sync");
        world.send(world.request("POST", &path)).await
    };
    for n in 1..=3 {
        let started = build().await;
        assert_eq!(started.status, 200);
        assert_eq!(started.body["done"], false);
        assert_eq!(world.netlify.builds(SITE), n);
    }
    assert_refused(&build().await, 429, "deploys");
    world.netlify.advance(Duration::from_mins(1));
    assert_eq!(build().await.status, 200);
    world.netlify.set(|options| {
        options.builds_per_minute = None;
        options.builds_per_day = Some(5);
    });
    assert_eq!(build().await.status, 200);
    assert_refused(&build().await, 429, "deploys");
    world.netlify.advance(Duration::from_hours(24));
    assert_eq!(build().await.status, 200);
    let dropped = "/sites/dropped.netlify.app/builds";
    let request = world.request("POST", &format!("/api/v1{dropped}"));
    assert_refused(&world.send(request).await, 422, "not linked");
}
