//! OAuth with providers beside Vercel, from the start of a browser to a connection that works.

use keyway_shared::secret::Secret;
use keyway_simulator::{netlify, railway};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use keyway_tests::stand_in::StandIn;
use reqwest::redirect::Policy;
use serde_json::Value;
use url::Url;

use super::world::World;

/// What a browser brings back, and with which cookie.
struct Back {
    path: String,
    cookie: String,
}

/// Sends a browser to the provider, where it agrees.
#[expect(clippy::disallowed_methods, reason = "the test is the browser")]
async fn agree(world: &World, provider: &str, answer: &str) -> Back {
    let start = format!("/v1/integrations/{provider}/authorize");
    let away = world.me.get(&start).await;
    assert_eq!(away.status, 302, "{}", away.text);
    let (cookie, _) = away.header("set-cookie").split_once(';').unwrap();
    let browser = reqwest::Client::builder().redirect(Policy::none()).build();
    let page = format!("{}{answer}", away.header("location"));
    let asked = browser.unwrap().get(page).send().await.unwrap();
    let back = Url::parse(asked.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(back.origin().ascii_serialization(), world.app.url());
    Back {
        path: format!("{}?{}", back.path(), back.query().unwrap()),
        cookie: cookie.to_owned(),
    }
}

async fn come_back(world: &World, path: &str, cookie: &str) -> u16 {
    let browser = world.app.anonymous().with("cookie", cookie);
    browser.get(path).await.status
}

/// The connection with a provider, if there is one.
async fn connection(world: &World, provider: &str) -> Option<Value> {
    let data = world.me.get("/v1/integrations/connections").await.data(200);
    let mut all = data["connections"].as_array().unwrap().iter();
    all.find(|one| one["provider"] == provider).cloned()
}

async fn projects(world: &World, connection: &Value) -> usize {
    let id = connection["id"].as_str().unwrap();
    let path = format!("/v1/integrations/connections/{id}/projects");
    let data = world.me.get(&path).await.data(200);
    data["projects"].as_array().unwrap().len()
}

/// The code is bound to the browser that began, and to Railway.
async fn railway_is_connected_by_the_browser_that_began(profile: Profile) {
    let stand_in = StandIn::railway(railway::Preset::Starter).await.unwrap();
    let world = World::start_with(profile, |builder| {
        builder.system_time = true;
        let settings = &mut builder.providers.railway;
        settings.api_url = stand_in.url();
        settings.web_url = stand_in.url();
        settings.client_id = Some(railway::CLIENT_ID.to_owned());
        settings.client_secret = Some(Secret::new(railway::CLIENT_SECRET));
    })
    .await;
    let callback = format!("{}/v1/integrations/railway/callback", world.app.url());
    stand_in.add_redirect_uri(&callback);

    let back = agree(&world, "railway", "").await;
    assert_eq!(
        come_back(&world, &back.path, "keyway_oauth=another").await,
        403
    );
    let back = agree(&world, "railway", "").await;
    let (nameless, _) = back.path.split_once("&iss=").expect("who gave the code");
    assert_eq!(come_back(&world, nameless, &back.cookie).await, 400);
    assert_eq!(connection(&world, "railway").await, None);

    let back = agree(&world, "railway", "").await;
    assert_eq!(come_back(&world, &back.path, &back.cookie).await, 200);
    let made = connection(&world, "railway").await.unwrap();
    assert_eq!(projects(&world, &made).await, 24);
    // A code works once, and so does the way back.
    assert_eq!(come_back(&world, &back.path, &back.cookie).await, 400);
}

async fn netlify_is_connected_by_the_browser_that_began(profile: Profile) {
    let stand_in = StandIn::netlify(netlify::Preset::Starter).await.unwrap();
    let world = World::start_with(profile, |builder| {
        builder.system_time = true;
        let settings = &mut builder.providers.netlify;
        settings.api_url = stand_in.url();
        settings.web_url = stand_in.url();
        settings.client_id = Some(netlify::CLIENT_ID.to_owned());
        settings.client_secret = Some(Secret::new(netlify::CLIENT_SECRET));
    })
    .await;
    let callback = format!("{}/v1/integrations/netlify/callback", world.app.url());
    stand_in.set_callback(&callback);
    let ada = format!("&as={}", netlify::USER);

    let back = agree(&world, "netlify", &ada).await;
    assert_eq!(
        come_back(&world, &back.path, "keyway_oauth=another").await,
        403
    );
    // No authorization of theirs begins on their own pages.
    let unasked = "/v1/integrations/netlify/callback?code=c&configurationId=i";
    assert_eq!(come_back(&world, unasked, "").await, 400);
    assert_eq!(connection(&world, "netlify").await, None);

    let back = agree(&world, "netlify", &ada).await;
    assert_eq!(come_back(&world, &back.path, &back.cookie).await, 200);
    let made = connection(&world, "netlify").await.unwrap();
    assert_eq!(projects(&world, &made).await, 125);
}

on_both_profiles!(
    railway_is_connected_by_the_browser_that_began,
    netlify_is_connected_by_the_browser_that_began,
);
