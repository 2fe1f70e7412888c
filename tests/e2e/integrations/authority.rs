//! Roles and rules that are asked for again: when a job starts, when a link runs, when somebody looks on.

use chrono::TimeDelta;
use keyway_shared::domain::job::JobClass;
use keyway_tests::client::Client;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use keyway_worker::ManualWorker;
use serde_json::{Value, json};
use uuid::Uuid;

use super::test_keys::test_key;
use super::world::{SYNC, World, connect, id};

on_both_profiles!(
    a_job_that_waits_is_held_to_the_rules_of_its_start,
    a_link_pauses_when_its_owner_may_not_go_on,
    secrets_rise_by_the_hand_of_an_admin_only,
    an_environment_that_is_given_by_its_id_counts_as_production,
    jobs_of_a_closed_environment_are_not_shown,
);

pub(super) const VAULT: &str = "/v1/vaults/acme/my-app";
pub(super) const JOBS: &str = "/v1/integrations/jobs";
pub(super) const PROJECT: &str = "prj_myapp";

/// Somebody with a role in ada's vault, and a connection of theirs.
struct Member {
    client: Client,
    connection: Uuid,
}

impl Member {
    fn fields(&self, from: &str, to: &str) -> Value {
        json!({ "connectionId": self.connection, "projectId": PROJECT,
            "keywayEnvironment": from, "providerEnvironment": to })
    }
}

impl World {
    async fn member(&self, role: &str) -> Member {
        let client = self.app.user(role).await.with("prefer", "respond-async");
        let invite = json!({ "username": role, "role": role });
        let members = format!("{VAULT}/members");
        self.me.post(&members, invite).await.data(201);
        Member {
            connection: connect(&client).await,
            client,
        }
    }

    async fn rule(&self, environment: &str, rules: Value) {
        let path = format!("{VAULT}/environments/{environment}/rules");
        self.me.patch(&path, rules).await.data(200);
    }

    pub(super) async fn make(&self, environment: &str, kind: &str) {
        let path = format!("{VAULT}/environments/{environment}/type");
        self.me
            .patch(&path, json!({ "type": kind }))
            .await
            .data(200);
    }

    pub(super) async fn fill(&self, environment: &str, secrets: Value) {
        let push = json!({ "repoFullName": "acme/my-app", "environment": environment,
            "secrets": secrets });
        self.me.post("/v1/secrets/push", push).await.data(200);
    }

    pub(super) fn at_provider(&self, key: &str, environment: &str) -> Option<String> {
        self.vercel.value(PROJECT, key, environment, None)
    }

    async fn shown(&self, job: Uuid) -> Value {
        self.me.get(&format!("{JOBS}/{job}")).await.data(200)
    }
}

fn with(mut fields: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        fields[name] = value.clone();
    }
    fields
}

/// Runs a job and gives its document.
pub(super) async fn run(world: &World, worker: &ManualWorker, job: Uuid) -> Value {
    worker.run(job).await;
    world.shown(job).await
}

#[track_caller]
pub(super) fn is_gone(job: &Value, word: &str) {
    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!(job["errorCode"], "authority-gone", "{job}");
    let error = job["error"].as_str().expect("a sentence");
    assert!(error.contains(word), "{error}");
}

async fn a_job_that_waits_is_held_to_the_rules_of_its_start(profile: Profile) {
    let world = World::start(profile).await;
    let worker = world.manual_worker().await;
    world.fill("production", json!({ "NEW": "1" })).await;
    let writer = world.member("write").await;
    let sync = |more: Value| with(writer.fields("production", "production"), &more);
    for (more, rules) in [
        (json!({}), json!({ "read": "admin", "write": "admin" })),
        (json!({ "allowDelete": true }), json!({ "write": "admin" })),
        (json!({ "direction": "pull" }), json!({ "write": "admin" })),
    ] {
        let asked = writer.client.post(SYNC, sync(more.clone())).await;
        let job = id(&asked.data(202)["id"]);
        world.rule("production", rules).await;
        let calls = world.vercel.calls();
        is_gone(&run(&world, &worker, job).await, "no longer");
        assert_eq!(world.vercel.calls(), calls, "nobody was asked for anything");
        // Nor is it accepted now, or again.
        let refused = writer.client.post(SYNC, sync(more.clone())).await;
        refused.problem(403, "forbidden");
        let retry = format!("{JOBS}/{job}/retry");
        let refused = writer.client.post(&retry, json!({})).await;
        refused.problem(403, "forbidden");
        let open = json!({ "read": "read", "write": "write" });
        world.rule("production", open).await;
    }
    assert_eq!(world.at_provider("NEW", "production"), None);
    // What the rule leaves is left: a push without deletion only reads the vault.
    world.rule("production", json!({ "write": "admin" })).await;
    let asked = writer.client.post(SYNC, sync(json!({}))).await;
    let job = run(&world, &worker, id(&asked.data(202)["id"])).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(world.at_provider("NEW", "production").as_deref(), Some("1"));
    // A reader looks on, unless values are closed.
    let reader = world.member("read").await;
    for (rules, status) in [
        (json!({ "read": "read" }), 202),
        (json!({ "read": "write" }), 403),
    ] {
        world.rule("production", rules).await;
        for call in ["preview", "diff", "status"] {
            let path = format!(
                "{SYNC}/{call}?connectionId={}&projectId={PROJECT}",
                reader.connection
            );
            assert_eq!(reader.client.get(&path).await.status, status, "{call}");
        }
    }
}

/// Moves the clock, and runs the one job that is started then.
pub(super) async fn scheduled(world: &World, worker: &ManualWorker) -> Value {
    world.app.advance(TimeDelta::minutes(2));
    worker.schedule().await.expect("schedules");
    let job = world.rung(JobClass::Background).await;
    run(world, worker, job).await
}

pub(super) async fn save_link(client: &Client, fields: Value) -> String {
    let auto = json!({ "autoSync": { "mode": "on-change" } });
    let saved = client
        .post(&format!("{SYNC}/link"), with(fields, &auto))
        .await;
    format!("{SYNC}/links/{}", id(&saved.data(200)["link"]["id"]))
}

pub(super) async fn show_link(world: &World, link: &str) -> Value {
    world.me.get(link).await.data(200)["link"].clone()
}

async fn a_link_pauses_when_its_owner_may_not_go_on(profile: Profile) {
    let world = World::start(profile).await;
    let worker = world.manual_worker().await;
    world.fill("staging", json!({ "A": "1" })).await;
    let writer = world.member("write").await;
    let link = save_link(&writer.client, writer.fields("staging", "preview")).await;
    let job = scheduled(&world, &worker).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let rules = json!({ "read": "admin", "write": "admin" });
    world.rule("staging", rules).await;
    world.fill("staging", json!({ "A": "2" })).await;
    is_gone(&scheduled(&world, &worker).await, "no longer");
    let shown = show_link(&world, &link).await;
    assert_eq!(shown["pausedReason"], "authority-gone");
    assert_eq!(world.at_provider("A", "preview").as_deref(), Some("1"));
    // Whoever may not do what it does changes nothing about it, and does not start it.
    let pulls = json!({ "paused": true, "direction": "pull" });
    for answer in [
        writer.client.patch(&link, json!({ "paused": false })).await,
        writer.client.patch(&link, pulls).await,
        writer.client.post(&format!("{link}/heal"), json!({})).await,
    ] {
        answer.problem(403, "forbidden");
    }
    // Nor is told what it found.
    let told = &writer.client.get(&link).await.data(200)["link"];
    assert!(told["lastResult"].is_null(), "{told}");
    assert!(shown["lastResult"].is_object(), "{shown}");
    // Its owner can still hold it back.
    let held = json!({ "paused": true, "allowDelete": false });
    writer.client.patch(&link, held).await.data(200);
    world
        .rule("staging", json!({ "read": "read", "write": "write" }))
        .await;
    let resumed = writer.client.patch(&link, json!({ "paused": false })).await;
    resumed.data(200);
    let job = scheduled(&world, &worker).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(world.at_provider("A", "preview").as_deref(), Some("2"));
    let rules = json!({ "read": "admin", "write": "admin" });
    world.rule("staging", rules).await;
    assert_eq!(writer.client.delete(&link).await.status, 204);
}

async fn secrets_rise_by_the_hand_of_an_admin_only(profile: Profile) {
    let world = World::start(profile).await;
    let worker = world.manual_worker().await;
    world.fill("staging", json!({ "A": "1" })).await;
    let writer = world.member("write").await;
    let admin = world.member("admin").await;
    let path = format!("{SYNC}/link");
    let pull = json!({ "direction": "pull" });
    for (from, to, more) in [
        ("staging", "production", json!({})),
        ("development", "preview", json!({})),
        ("staging", "development", pull.clone()),
        ("production", "preview", pull),
    ] {
        for call in [SYNC, &path] {
            let fields = with(writer.fields(from, to), &more);
            let problem = writer.client.post(call, fields).await;
            let problem = problem.problem(403, "forbidden");
            let detail = problem["detail"].as_str().expect("a sentence");
            assert!(detail.starts_with("Syncing from "), "{detail}");
            let fields = with(admin.fields(from, to), &more);
            let answer = admin.client.post(call, fields).await;
            assert!(answer.status < 300, "{}", answer.text);
            if call == SYNC {
                let job = run(&world, &worker, id(&answer.data(202)["id"])).await;
                assert_ne!(job["errorCode"], "authority-gone", "{job}");
            }
        }
    }
    // A link that goes up cannot be made of one that goes down.
    let down = save_link(&writer.client, writer.fields("production", "preview")).await;
    let turn = json!({ "autoSync": { "mode": "off" }, "direction": "pull" });
    let turned = writer.client.patch(&down, turn).await;
    turned.problem(403, "forbidden");
    assert_eq!(show_link(&world, &down).await["direction"], "push");
    // And what was no rise when it was asked for is one by now.
    let asked = writer
        .client
        .post(SYNC, writer.fields("staging", "preview"))
        .await;
    let job = id(&asked.data(202)["id"]);
    world.make("staging", "development").await;
    is_gone(&run(&world, &worker, job).await, "Only an admin");
    assert_eq!(world.at_provider("A", "preview"), None);
}

async fn an_environment_that_is_given_by_its_id_counts_as_production(profile: Profile) {
    let world = World::start(profile).await;
    let worker = world.manual_worker().await;
    let custom = world.vercel.add_custom_environment(PROJECT, "qa");
    let main = world.vercel.add_custom_environment(PROJECT, "main");
    world.fill("staging", json!({ "A": "1" })).await;
    let writer = world.member("write").await;
    let admin = world.member("admin").await;
    let sync = async |member: &Member, to: &str| {
        let asked = member.client.post(SYNC, member.fields("staging", to)).await;
        run(&world, &worker, id(&asked.data(202)["id"])).await
    };
    is_gone(&sync(&writer, &custom).await, "Only an admin");
    assert_eq!(sync(&writer, "qa").await["state"], "succeeded");
    assert_eq!(sync(&admin, &custom).await["state"], "succeeded");
    let tester = test_key(&world).await.with("prefer", "respond-async");
    let fields = json!({ "connectionId": world.connection, "projectId": PROJECT,
        "keywayEnvironment": "staging", "providerEnvironment": custom });
    let asked = tester.post(SYNC, fields).await;
    let job = id(&asked.data(202)["id"]);
    is_gone(&run(&world, &worker, job).await, "test key");
    // A link finds out the name before it is saved.
    let path = format!("{SYNC}/link");
    let refused = writer
        .client
        .post(&path, writer.fields("staging", &main))
        .await;
    let problem = refused.problem(403, "forbidden");
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| text.contains("to main"))
    );
    let saved = writer
        .client
        .post(&path, writer.fields("staging", &custom))
        .await;
    assert_eq!(saved.data(200)["link"]["providerEnvironment"], "qa");
}

async fn jobs_of_a_closed_environment_are_not_shown(profile: Profile) {
    let world = World::start(profile).await;
    let reader = world.member("read").await;
    let mine = world.me.clone().with("prefer", "respond-async");
    let job = id(&mine.post(SYNC, world.fields()).await.data(202)["id"]);
    let own = writer_job(&reader).await;
    let path = format!("{JOBS}/{job}");
    let listed = async || {
        let jobs = reader.client.get(JOBS).await;
        let total = jobs.json["meta"]["pagination"]["total"].clone();
        let ids: Vec<_> = jobs
            .data(200)
            .as_array()
            .into_iter()
            .flatten()
            .map(|job| id(&job["id"]))
            .collect();
        (ids, total)
    };
    reader.client.get(&path).await.data(200);
    assert_eq!(listed().await, (vec![own, job], json!(2)));
    let mut events = reader.client.events(&format!("{path}/events")).await;
    assert!(events.next().await.is_some());

    world.rule("production", json!({ "read": "write" })).await;
    assert_eq!(events.next().await, None, "it ends without a word");
    for answer in [
        reader.client.get(&path).await,
        reader.client.get(&format!("{path}/events")).await,
        reader
            .client
            .post(&format!("{path}/cancel"), json!({}))
            .await,
        reader
            .client
            .post(&format!("{path}/retry"), json!({}))
            .await,
    ] {
        answer.problem(404, "not-found");
    }
    assert_eq!(listed().await, (vec![own], json!(1)), "their own stays");
    let writer = world.member("write").await;
    writer.client.get(&path).await.data(200);
    world
        .rule("production", json!({ "write": "admin", "read": "admin" }))
        .await;
    writer.client.get(&path).await.problem(404, "not-found");
    world.me.get(&path).await.data(200);
    let later = world.me.get(&path).await.data(200);
    assert_eq!(later["state"], "queued");
}

/// A job that the member asked for.
async fn writer_job(member: &Member) -> Uuid {
    let fields = member.fields("production", "production");
    id(&member.client.post(SYNC, fields).await.data(202)["id"])
}
