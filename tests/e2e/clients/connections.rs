//! `keyway connect`, `connections` and `disconnect`.

use chrono::{DateTime, TimeDelta, Utc};
use keyway_simulator::vercel::{TEAM, TOKEN};
use keyway_tests::client::Answer;
use keyway_tests::stand_in::StandIn;
use reqwest::Url;
use serde_json::{Value, json};

use super::Profile;
use super::callers::{Caller, Replay, kept, told};
use crate::integrations::world::World;

replays!(
    a_token_connects_and_a_connection_goes,
    a_browser_connects_and_the_client_sees_it,
);

const CONNECTIONS: &str = "/v1/integrations/connections";

async fn connections(cli: &Caller) -> Vec<Value> {
    let data = cli.get(CONNECTIONS).await.data(200);
    let connections = data["connections"].as_array().expect("a list").clone();
    for connection in &connections {
        check(connection);
    }
    connections
}

fn check(connection: &Value) {
    for name in ["id", "provider", "providerUserId", "createdAt", "updatedAt"] {
        assert!(connection[name].is_string(), "{name}: {connection}");
    }
    // "(Team: x)" or "(Personal)" beside its name.
    let team = &connection["providerTeamId"];
    assert!(team.is_null() || team.is_string());
    let account = if team.is_null() {
        &connection["providerUserId"]
    } else {
        team
    };
    assert_eq!(connection["providerAccountId"], *account);
}

async fn a_token_connects_and_a_connection_goes(profile: Profile, replay: &Replay) {
    let world = World::start(profile).await;
    let token = world.account.token.as_str();
    let cli = replay.cli(&world.app, Some(token));
    // Nobody has to be signed in to see what there is.
    let providers = replay
        .cli(&world.app, None)
        .get("/v1/integrations")
        .await
        .data(200);
    let configured: Vec<_> = providers["providers"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|provider| provider["configured"] == true)
        .map(|provider| (provider["name"].clone(), provider["displayName"].clone()))
        .collect();
    let expected = json!([
        ["vercel", "Vercel"],
        ["netlify", "Netlify"],
        ["railway", "Railway"],
        ["fly", "Fly.io"]
    ]);
    assert_eq!(json!(configured), expected);

    let connect = "/v1/integrations/vercel/connect";
    let connected = cli.post(connect, json!({ "token": TOKEN })).await.data(200);
    assert_eq!(connected["success"], true);
    assert_eq!(connected["provider"], "vercel");
    assert_eq!(connected["user"]["username"], "ada");
    assert!(connected["user"]["id"].is_string());
    let body = json!({ "token": TOKEN, "teamId": TEAM });
    let team = cli.post(connect, body).await.data(200);
    assert_eq!(team["user"]["teamName"], "Acme");
    let refused = cli.post(connect, json!({ "token": "nonsense" })).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        told(&refused),
        "Invalid API token. Please check your token and try again."
    );
    let missing = cli.post(connect, json!({ "token": "" })).await;
    assert_eq!(
        (missing.status, told(&missing)),
        (422, "token is required".to_owned())
    );
    let unknown = "/v1/integrations/heroku/connect";
    assert_eq!(cli.post(unknown, json!({ "token": "x" })).await.status, 404);

    let all = cli
        .get("/v1/integrations/providers/vercel/all-projects")
        .await
        .data(200);
    assert_eq!(all["connections"].as_array().map(Vec::len), Some(2));
    all["connections"]
        .as_array()
        .into_iter()
        .flatten()
        .for_each(check);
    let projects = all["projects"].as_array().expect("a list");
    assert!(projects.len() > 20, "not only the provider's first page");
    let mine = projects.iter().find(|project| project["id"] == "prj_myapp");
    let mine = mine.expect("the project");
    assert_eq!(mine["name"], "my-app");
    assert_eq!(mine["linkedRepo"], "acme/my-app");
    assert_eq!(mine["connectionId"], connected["connection"]["id"]);
    assert_eq!(mine["teamId"], Value::Null);
    assert_eq!(
        mine["environments"],
        json!(["production", "preview", "development", "staging"])
    );
    let theirs = projects.iter().find(|project| project["teamId"] == TEAM);
    assert_eq!(theirs.expect("the team's")["teamName"], "Acme");

    let mut ids = Vec::new();
    for connection in connections(&cli).await {
        ids.push(connection["id"].as_str().expect("an id").to_owned());
    }
    assert_eq!(ids.len(), 2);
    let projects = format!("{CONNECTIONS}/{}/projects", ids[1]);
    let projects = replay
        .nobody(&world.app, token)
        .get(&projects)
        .await
        .data(200);
    assert!(
        projects["projects"]
            .as_array()
            .is_some_and(|list| list.len() > 20)
    );
    for id in &ids {
        let path = format!("{CONNECTIONS}/{id}");
        cli.delete(&path).await.empty();
        assert_eq!(cli.delete(&path).await.status, 404);
    }
    assert!(connections(&cli).await.is_empty());
    // How it knows that nothing is connected.
    let none = cli
        .get("/v1/integrations/providers/vercel/all-projects")
        .await
        .data(200);
    assert_eq!(none["projects"], json!([]));
    assert_eq!(none["connections"], json!([]));
}

/// Where the provider sends a browser back to, once its user has agreed.
async fn at_the_provider(world: &World, vercel: &StandIn, sent: &Answer) -> String {
    let page = Url::parse(sent.header("location")).expect("the provider's page");
    assert_eq!(
        page.origin(),
        Url::parse(&vercel.url()).expect("an origin").origin()
    );
    let path = format!("{}?{}", page.path(), page.query().unwrap_or_default());
    let back = world
        .through_the_provider(&path, "/v1/integrations/vercel/callback")
        .await;
    let back = Url::parse(&back).expect("an address");
    format!("{}?{}", back.path(), back.query().unwrap_or_default())
}

/// What the page has in a hidden field.
fn hidden<'a>(page: &'a str, name: &str) -> &'a str {
    let mark = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&mark).expect("the field");
    rest.split_once('"').expect("its end").0
}

async fn a_browser_connects_and_the_client_sees_it(profile: Profile, replay: &Replay) {
    // The client puts its token into the address, since it cannot make a browser send a header.
    let world = World::start_with(profile, |builder| builder.options.token_in_query = true).await;
    let token = world.account.token.as_str();
    let cli = replay.cli(&world.app, Some(token));
    cli.get("/v1/integrations").await.data(200);
    let began = world.app.ambient.now() + TimeDelta::milliseconds(1);
    let is_new = |connection: &Value| {
        let created = connection["createdAt"].as_str().expect("a time");
        let created: DateTime<Utc> = created.parse().expect("a time");
        connection["provider"] == "vercel" && created > began
    };
    // It asks every five seconds for one that is newer than its start; there is an older one.
    let before = connections(&cli).await;
    assert_eq!(before.len(), 1);
    assert!(!before.iter().any(is_new));

    let browser = replay.browser(&world.app, "");
    let authorize = "/v1/integrations/vercel/authorize";
    let page = browser.get(&format!("{authorize}?token={token}")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("ada"), "whose account it will be");
    assert!(!page.text.contains(token));
    // The form names its origin, and nobody else is told the address.
    assert_eq!(page.header("referrer-policy"), "same-origin");
    let ticket = hidden(&page.text, "ticket").to_owned();
    let fields = [("ticket", ticket.as_str())];
    let sent = browser.submit(&world.app, authorize, &fields).await;
    assert_eq!(sent.status, 302);
    let back = at_the_provider(&world, &world.vercel, &sent).await;
    let done = replay.browser(&world.app, &kept(&sent)).get(&back).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert!(done.header("content-type").starts_with("text/html"));

    let after = connections(&cli).await;
    assert!(after.iter().any(is_new), "{after:?}");
    // Elsewhere than at an allowed origin nobody is sent, and no other provider is there.
    let evil = format!("{authorize}?token={token}&redirect_uri=https://evil.example.com/");
    let page = browser.get(&evil).await;
    let ticket = hidden(&page.text, "ticket").to_owned();
    let fields = [
        ("ticket", ticket.as_str()),
        ("redirect_uri", "https://evil.example.com/"),
    ];
    let refused = browser.submit(&world.app, authorize, &fields).await;
    assert_eq!(refused.status, 403);
    let unknown = "/v1/integrations/heroku/authorize";
    let unknown = browser.get(&format!("{unknown}?token={token}")).await;
    assert_eq!(unknown.status, 404);
}
