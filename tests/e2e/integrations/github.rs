//! Jobs in GitHub mode: whoever asked is asked about again when the job runs.

use chrono::TimeDelta;
use keyway_shared::providers::vercel::VercelSettings;
use keyway_shared::secret::Secret;
use keyway_shared::store::github::KeptToken;
use keyway_simulator::github::{GitHub, Permission};
use keyway_simulator::vercel::{CLIENT_ID, CLIENT_SECRET, Preset, SLUG};
use keyway_simulator::{Action, Fault};
use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use keyway_tests::stand_in::StandIn;
use serde_json::{Value, json};

use super::world::{SYNC, World, connect, id};

const REPO: &str = "acme/my-app";

async fn start(profile: Profile) -> (GitHub, World, String) {
    let github = GitHub::start().await.expect("a stand-in");
    github.add_repo(REPO, true);
    let token = github.add_user("ada");
    github.grant(REPO, "ada", Some(Permission::Admin));
    let vercel = StandIn::start(Preset::LivedIn).await.expect("a stand-in");
    let mut builder = TestApp::builder(profile);
    builder.providers.vercel.api_url = vercel.url();
    builder.github_url = Some(github.url());
    let app = builder.start().await;
    let account = app.account("local").await;
    let me = app.client(&token);
    me.post("/v1/vaults", json!({ "repoFullName": REPO }))
        .await
        .data(201);
    let secret = json!({ "key": "A", "value": "1", "environment": "production" });
    me.post(&format!("/v1/vaults/{REPO}/secrets"), secret)
        .await
        .data(201);
    let connection = connect(&me).await;
    let world = World {
        app,
        vercel,
        account,
        me,
        connection,
    };
    (github, world, token)
}

/// A user of GitHub's who has no connection, in an app that can send browsers there and to Vercel.
pub(super) async fn with_sign_in(profile: Profile, github: &GitHub, token: &str) -> World {
    let vercel = StandIn::start(Preset::LivedIn).await.expect("a stand-in");
    let mut builder = TestApp::builder(profile);
    builder.providers.vercel = VercelSettings {
        api_url: vercel.url(),
        web_url: vercel.url(),
        client_id: Some(CLIENT_ID.to_owned()),
        client_secret: Some(Secret::new(CLIENT_SECRET)),
        integration_slug: Some(SLUG.to_owned()),
    };
    builder.github_url = Some(github.url());
    builder.github_sign_in = true;
    let app = builder.start().await;
    let account = app.account("local").await;
    World {
        me: app.client(token),
        connection: app.unknown_id(),
        app,
        vercel,
        account,
    }
}

/// Asks for a sync, and runs it once after a time.
async fn sync_after(world: &World, time: TimeDelta) -> Value {
    let me = world.me.clone().with("prefer", "respond-async");
    let job = me.post(SYNC, world.fields()).await.data(202);
    world.app.advance(time);
    run(world, &job).await
}

async fn run(world: &World, job: &Value) -> Value {
    world.manual_worker().await.run(id(&job["id"])).await;
    let path = format!("/v1/integrations/jobs/{}", job["id"].as_str().unwrap());
    world.me.get(&path).await.data(200)
}

async fn a_job_runs_while_github_says_that_it_may(profile: Profile) {
    let (github, world, token) = start(profile).await;
    // What GitHub told a moment ago counts.
    let job = sync_after(&world, TimeDelta::zero()).await;
    assert_eq!(job["state"], "succeeded", "{job}");

    // Nobody is here to ask with a token, and none is kept.
    let job = sync_after(&world, TimeDelta::seconds(61)).await;
    assert_eq!(job["state"], "failed");
    assert_eq!(job["errorCode"], "authority-gone");

    // One is kept from a sign-in.
    let me = world.me.get("/v1/users/me").await.data(200);
    let mut tx = world.app.store.begin().await.unwrap();
    let now = tx.now().await.unwrap();
    let kept = KeptToken {
        access: Secret::new(token.as_str()),
        expires_at: None,
        refresh: None,
    };
    tx.set_github_token(id(&me["id"]), Some(&kept), now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let job = sync_after(&world, TimeDelta::seconds(61)).await;
    assert_eq!(job["state"], "succeeded", "{job}");

    // GitHub is away: the job waits, and nothing is written.
    let away = Fault::next(Action::json(502, &json!({})));
    let me = world.me.clone().with("prefer", "respond-async");
    let job = me.post(SYNC, world.fields()).await.data(202);
    world.app.advance(TimeDelta::seconds(61));
    github.fault(away.path("/repositories/"));
    let job = run(&world, &job).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&json!("queued"), &json!(0))
    );
    world.app.advance(TimeDelta::seconds(10));
    let job = run(&world, &job).await;
    assert_eq!(job["state"], "succeeded", "{job}");

    // Reading is enough to push, and no part in the repository is not.
    github.grant(REPO, "ada", Some(Permission::Pull));
    let job = sync_after(&world, TimeDelta::seconds(61)).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let me = world.me.clone().with("prefer", "respond-async");
    let job = me.post(SYNC, world.fields()).await.data(202);
    world.app.advance(TimeDelta::seconds(61));
    github.grant(REPO, "ada", None);
    let job = run(&world, &job).await;
    assert_eq!(job["state"], "failed");
    assert_eq!(job["errorCode"], "authority-gone");
}

on_both_profiles!(a_job_runs_while_github_says_that_it_may);
