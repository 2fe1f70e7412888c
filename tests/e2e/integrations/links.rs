//! Links.

use chrono::{DateTime, NaiveTime, Utc};
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::job::project_key;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::world::{SYNC, World, connect, id};

fn with(mut fields: Value, name: &str, value: Value) -> Value {
    fields[name] = value;
    fields
}

async fn a_link_is_saved_listed_changed_and_removed(profile: Profile) {
    let world = World::start(profile).await;
    let (me, link) = (&world.me, format!("{SYNC}/link"));
    // By name; what is saved is the id.
    let fields = with(world.fields(), "projectId", json!("my-app"));
    let saved = me.post(&link, fields.clone()).await.data(200)["link"].clone();
    assert_eq!(saved["isNew"], true);
    assert_eq!(saved["projectId"], "prj_myapp");
    assert_eq!(saved["projectName"], "my-app");
    assert_eq!(saved["provider"], "vercel");
    assert_eq!(saved["keywayEnvironment"], "production");
    assert_eq!(saved["providerEnvironment"], "production");
    assert_eq!(saved["lastSyncedAt"], Value::Null);
    assert_eq!(saved["direction"], "push");
    assert_eq!(saved["deleteScope"], "managed");
    assert_eq!(saved["autoSync"], json!({ "mode": "off" }));
    let again = with(world.fields(), "autoSync", json!({ "mode": "off" }));
    let again = me.post(&link, again).await.data(200)["link"].clone();
    assert_eq!(
        (&again["isNew"], &again["id"]),
        (&json!(false), &saved["id"])
    );

    let one = format!("{SYNC}/links/{}", id(&saved["id"]));
    let change = json!({ "direction": "pull", "allowDelete": true, "shared": true });
    let changed = me.patch(&one, change).await.data(200)["link"].clone();
    assert_eq!(changed["direction"], "pull");
    assert_eq!(changed["allowDelete"], true);
    assert_eq!(changed["providerEnvironment"], "production");
    assert_eq!(me.get(&one).await.data(200)["link"], changed);
    let listed = me.get(&format!("{SYNC}/links")).await.data(200);
    assert_eq!(listed["links"], json!([changed]));
    me.delete(&one).await.empty();
    me.get(&one).await.problem(404, "not-found");
    me.delete(&one).await.problem(404, "not-found");
    me.patch(&one, json!({})).await.problem(404, "not-found");
    me.get(&format!("{SYNC}/links/nonsense"))
        .await
        .problem(404, "not-found");
}

async fn the_provider_is_asked_before_a_link_is_saved(profile: Profile) {
    let world = World::start(profile).await;
    let (me, link) = (&world.me, format!("{SYNC}/link"));
    let fields = |name: &str, value: &str| with(world.fields(), name, json!(value));
    me.post(&link, fields("projectId", "prj_nothing"))
        .await
        .problem(404, "not-found");
    let answer = me.post(&link, fields("providerEnvironment", "prod")).await;
    answer.refuses(&["providerEnvironment"]);
    assert!(
        answer
            .text
            .contains("production, preview, development, staging")
    );
    // An environment of the project's own, by its id, is saved by its name.
    let staging = fields("providerEnvironment", "staging");
    let by_name = me.post(&link, staging).await.data(200)["link"].clone();
    assert_eq!(by_name["providerEnvironment"], "staging");
    let unknown = me.post(&link, fields("keywayEnvironment", "prod")).await;
    unknown.problem(404, "not-found");
    assert!(unknown.text.contains("development, staging, production"));
    assert_eq!(
        me.get(&format!("{SYNC}/links")).await.data(200)["links"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

async fn what_cannot_be_is_refused_by_name(profile: Profile) {
    let world = World::start(profile).await;
    let (me, link) = (&world.me, format!("{SYNC}/link"));
    let auto = |fields: Value| with(world.fields(), "autoSync", fields);
    let pull = with(world.fields(), "direction", json!("pull"));
    for (fields, field) in [
        (with(world.fields(), "exlcude", json!(["A_*"])), "exlcude"),
        (with(world.fields(), "include", json!("A_*")), "include"),
        (with(world.fields(), "include", json!([])), "include"),
        (with(world.fields(), "exclude", json!(["[A"])), "exclude"),
        (with(world.fields(), "prefix", json!("")), "prefix"),
        (with(world.fields(), "serviceId", json!("srv")), "serviceId"),
        (
            with(world.fields(), "gitBranch", json!("main")),
            "gitBranch",
        ),
        (auto(json!({ "mode": "sometimes" })), "autoSync.mode"),
        (
            auto(json!({ "mode": "off", "evry": "15m" })),
            "autoSync.evry",
        ),
        (
            auto(json!({ "mode": "off", "every": "15m" })),
            "autoSync.every",
        ),
        (auto(json!({ "mode": "interval" })), "autoSync.every"),
        (
            auto(json!({ "mode": "interval", "every": "1m" })),
            "autoSync.every",
        ),
        (
            auto(json!({ "mode": "interval", "cron": "* * * * *" })),
            "autoSync.cron",
        ),
        (
            auto(json!({ "mode": "interval", "cron": "0 3 * * *", "timeZone": "Mars" })),
            "autoSync.timeZone",
        ),
        (
            auto(json!({ "mode": "on-change", "action": "report" })),
            "autoSync.action",
        ),
        (
            with(pull, "autoSync", json!({ "mode": "on-change" })),
            "autoSync.mode",
        ),
    ] {
        me.post(&link, fields).await.refuses(&[field]);
    }
    let saved = me.post(&link, auto(json!({ "mode": "on-change" }))).await;
    let one = format!("{SYNC}/links/{}", id(&saved.data(200)["link"]["id"]));
    for (change, field) in [
        (json!({ "direction": "pull" }), "autoSync.mode"),
        (json!({ "include": ["[A"] }), "include"),
        (
            json!({ "autoSync": { "mode": "interval", "every": "31d" } }),
            "autoSync.every",
        ),
        (json!({ "paused": "yes" }), "paused"),
        (json!({ "projectId": "prj_other" }), "projectId"),
    ] {
        me.patch(&one, change).await.refuses(&[field]);
    }
}

async fn a_link_says_what_its_runs_do_and_when(profile: Profile) {
    let world = World::start(profile).await;
    let (me, link) = (&world.me, format!("{SYNC}/link"));
    let mut fields = world.fields();
    fields["include"] = json!(["DB_*"]);
    fields["prefix"] = json!("DB");
    fields["autoSync"] = json!({ "mode": "on-change" });
    let before = world.app.ambient.now();
    let saved = me.post(&link, fields.clone()).await.data(200)["link"].clone();
    assert_eq!(saved["include"], json!(["DB_*"]));
    assert_eq!(saved["exclude"], Value::Null);
    assert_eq!(saved["prefix"], "DB");
    assert_eq!(
        saved["autoSync"],
        json!({ "mode": "on-change", "action": "write" })
    );
    assert_eq!(
        (&saved["paused"], &saved["failures"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(
        (&saved["lastResult"], &saved["lastDriftAt"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(saved["driftedKeys"], json!([]));
    let next = |link: &Value| -> Option<DateTime<Utc>> {
        link["nextRunAt"]
            .as_str()
            .map(|time| time.parse().expect("a time"))
    };
    assert!(next(&saved).is_some_and(|next| next > before));
    // The same again leaves the times alone; something else does not.
    let again = me.post(&link, fields.clone()).await.data(200)["link"].clone();
    assert_eq!(next(&again), next(&saved));
    let one = format!("{SYNC}/links/{}", id(&saved["id"]));
    let cron = json!({ "mode": "interval", "cron": "30 3 * * 1-5", "timeZone": "Europe/Berlin",
        "action": "report" });
    let change = json!({ "autoSync": cron, "include": null, "exclude": ["*_TEST"] });
    let changed = me.patch(&one, change).await.data(200)["link"].clone();
    assert_eq!(changed["autoSync"], cron);
    assert_eq!(
        (&changed["include"], &changed["prefix"]),
        (&Value::Null, &json!("DB"))
    );
    assert_eq!(changed["exclude"], json!(["*_TEST"]));
    // In Berlin's winter half past three is half past two; spread over five minutes.
    let at = next(&changed).expect("a next run").time();
    let half_past_two = NaiveTime::from_hms_opt(2, 30, 0).expect("a time");
    assert!((at - half_past_two).num_seconds() < 300, "{at}");

    let paused = me.patch(&one, json!({ "paused": true })).await.data(200)["link"].clone();
    assert_eq!(
        (&paused["paused"], &paused["pausedReason"]),
        (&json!(true), &json!("requested"))
    );
    assert_eq!(next(&paused), None);
    // Saving it again does not say that it goes on.
    let again = me.post(&link, fields).await.data(200)["link"].clone();
    assert_eq!((&again["paused"], next(&again)), (&json!(true), None));
    let resumed = me.patch(&one, json!({ "paused": false })).await.data(200)["link"].clone();
    assert_eq!(
        (&resumed["paused"], &resumed["pausedReason"]),
        (&json!(false), &Value::Null)
    );
    assert!(next(&resumed).is_some());
    let off = me
        .patch(&one, json!({ "autoSync": { "mode": "off" } }))
        .await
        .data(200);
    assert_eq!(
        (&off["link"]["autoSync"], next(&off["link"])),
        (&json!({ "mode": "off" }), None)
    );
}

async fn one_destination_belongs_to_one_vault(profile: Profile) {
    let world = World::start(profile).await;
    let me = &world.me;
    me.post("/v1/vaults", json!({ "repoFullName": "acme/other" }))
        .await
        .data(201);
    let mine = format!("{SYNC}/link");
    let other = "/v1/integrations/vaults/acme/other/sync/link";
    me.post(&mine, world.fields()).await.data(200);
    // Its owner is told which vault it is.
    let problem = me.post(other, world.fields()).await;
    problem.problem(409, "conflict");
    assert!(problem.text.contains("acme/my-app"), "{}", problem.text);
    // Another user with the same account is not.
    let eve = world.app.user("eve").await;
    let connection = connect(&eve).await;
    eve.post("/v1/vaults", json!({ "repoFullName": "eve/app" }))
        .await
        .data(201);
    let theirs = "/v1/integrations/vaults/eve/app/sync/link";
    let fields = json!({ "connectionId": connection, "projectId": "my-app" });
    let problem = eve.post(theirs, fields.clone()).await;
    problem.problem(409, "conflict");
    assert!(!problem.text.contains("acme"), "{}", problem.text);
    // Another environment is another destination, and sharing can be meant.
    let preview = with(fields.clone(), "providerEnvironment", json!("preview"));
    eve.post(theirs, preview).await.data(200);
    let shared = with(fields, "shared", json!(true));
    let shared = eve.post(theirs, shared).await.data(200)["link"].clone();
    let one = format!(
        "/v1/integrations/vaults/eve/app/sync/links/{}",
        id(&shared["id"])
    );
    eve.patch(&one, json!({ "shared": false }))
        .await
        .problem(409, "conflict");
}

async fn who_comes_second_in_the_same_moment_is_told_as_well(profile: Profile) {
    let world = World::start(profile).await;
    let (me, app) = (&world.me, &world.app);
    me.post("/v1/vaults", json!({ "repoFullName": "acme/other" }))
        .await
        .data(201);
    let eve = app.user("eve").await;
    let theirs = json!({ "connectionId": connect(&eve).await, "projectId": "my-app" });
    eve.post("/v1/vaults", json!({ "repoFullName": "eve/app" }))
        .await
        .data(201);
    let saved = me.post(&format!("{SYNC}/link"), world.fields()).await;
    let saved = saved.data(200)["link"].clone();
    let mut tx = app.store.begin_read().await.expect("begins");
    let links = tx.list_links(id(&saved["vaultId"])).await.expect("links");
    drop(tx);
    let key = project_key(ProviderName::Vercel, &world.vercel.url(), "prj_myapp");
    for (caller, vault, fields, told) in [
        (me, "acme/other", world.fields(), true),
        (&eve, "eve/app", theirs, false),
    ] {
        let one = format!("{SYNC}/links/{}", id(&saved["id"]));
        me.delete(&one).await.empty();
        // The first is saved, but not to be seen yet.
        let mut first = app.store.begin().await.expect("begins");
        first.upsert_link(&links[0], &key).await.expect("saves");
        let path = format!("/v1/integrations/vaults/{vault}/sync/link");
        let (second, ()) = tokio::join!(caller.post(&path, fields), async {
            if profile == Profile::Production {
                let waiting = "SELECT COUNT(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
                while app.database.number(waiting).await == 0 {}
            }
            first.commit().await.expect("commits");
        });
        second.problem(409, "conflict");
        assert_eq!(second.text.contains("acme"), told, "{}", second.text);
    }
}

async fn a_custom_environment_is_one_destination_by_slug_and_by_id(profile: Profile) {
    let world = World::start(profile).await;
    let me = &world.me;
    me.post("/v1/vaults", json!({ "repoFullName": "acme/other" }))
        .await
        .data(201);
    let qa = world.vercel.add_custom_environment("prj_myapp", "qa");
    let by = |name: &str| with(world.fields(), "providerEnvironment", json!(name));
    let other = "/v1/integrations/vaults/acme/other/sync/link";
    let saved = me.post(&format!("{SYNC}/link"), by("qa")).await;
    saved.data(200);
    me.post(other, by(&qa)).await.problem(409, "conflict");
    me.post(other, by("qa")).await.problem(409, "conflict");
}

async fn links_are_their_vaults_members(profile: Profile) {
    let world = World::start(profile).await;
    let (me, link) = (&world.me, format!("{SYNC}/link"));
    let saved = me.post(&link, world.fields()).await.data(200)["link"].clone();
    let one = format!("{SYNC}/links/{}", id(&saved["id"]));
    let eve = world.app.user("eve").await;
    let fields = json!({ "connectionId": connect(&eve).await, "projectId": "prj_myapp" });
    for answer in [
        eve.get(&one).await,
        eve.delete(&one).await,
        eve.patch(&one, json!({ "direction": "pull" })).await,
        eve.get(&format!("{SYNC}/links")).await,
        eve.post(&link, fields.clone()).await,
    ] {
        answer.problem(404, "not-found");
    }
    let members = "/v1/vaults/acme/my-app/members";
    let invite = |role: &str| json!({ "username": "eve", "role": role });
    assert!(me.post(members, invite("read")).await.status < 300);
    eve.get(&one).await.data(200);
    eve.delete(&one).await.problem(403, "forbidden");
    eve.post(&link, fields.clone())
        .await
        .problem(403, "forbidden");
    assert!(me.post(members, invite("write")).await.status < 300);
    // Another's connection can be neither used nor steered.
    eve.post(&link, world.fields())
        .await
        .problem(404, "not-found");
    eve.patch(&one, json!({ "direction": "pull" }))
        .await
        .problem(403, "forbidden");
    let key = world
        .app
        .key(
            &world.account.user,
            &[Scope::ReadSecrets, Scope::WriteSecrets],
            None,
        )
        .await;
    let writer = world.app.client(&key.token);
    writer
        .patch(&one, json!({ "allowDelete": true }))
        .await
        .problem(403, "forbidden");
    writer
        .post(&link, with(world.fields(), "allowDelete", json!(true)))
        .await
        .problem(403, "forbidden");
    eve.delete(&one).await.empty();
}

on_both_profiles!(
    a_link_is_saved_listed_changed_and_removed,
    the_provider_is_asked_before_a_link_is_saved,
    what_cannot_be_is_refused_by_name,
    a_link_says_what_its_runs_do_and_when,
    one_destination_belongs_to_one_vault,
    who_comes_second_in_the_same_moment_is_told_as_well,
    a_custom_environment_is_one_destination_by_slug_and_by_id,
    links_are_their_vaults_members,
);
