//! What stays when a connection is deleted, and how it goes on.

use chrono::TimeDelta;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::connection::Connection;
use keyway_shared::domain::job::JobClass;
use keyway_shared::secret::Secret;
use keyway_simulator::vercel::{TEAM, TOKEN};
use keyway_simulator::{Action, Fault};
use keyway_tests::client::Client;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{SYNC, World, connect, id};

const CONNECTIONS: &str = "/v1/integrations/connections";

async fn start(profile: Profile) -> (World, String) {
    let world = World::start(profile).await;
    push(&world, "1").await;
    let mut fields = world.fields();
    fields["autoSync"] = json!({ "mode": "on-change" });
    let saved = world.me.post(&format!("{SYNC}/link"), fields).await;
    let link = format!("{SYNC}/links/{}", id(&saved.data(200)["link"]["id"]));
    (world, link)
}

async fn push(world: &World, value: &str) {
    let body = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": { "A": value } });
    world.me.post("/v1/secrets/push", body).await.data(200);
}

async fn disconnect(world: &World) {
    let path = format!("{CONNECTIONS}/{}", world.connection);
    world.me.delete(&path).await.empty();
}

async fn show(client: &Client, link: &str) -> Value {
    client.get(link).await.data(200)["link"].clone()
}

/// What the destination has once whatever is due has run.
async fn after_the_next_run(world: &World) -> Option<String> {
    let worker = world.manual_worker().await;
    world.app.advance(TimeDelta::minutes(2));
    worker.schedule().await.expect("schedules");
    let job = world.rung(JobClass::Background).await;
    worker.run(job).await;
    world.vercel.value("prj_myapp", "A", "production", None)
}

/// What became of the credential.
async fn deleted(client: &Client, connection: Uuid, query: &str) -> String {
    let path = format!("{CONNECTIONS}/{connection}{query}");
    let answer = client.delete(&path).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let told = answer.header("keyway-revocation").to_owned();
    assert!(revocations(client).await.contains(&told));
    told
}

/// What the two newest entries, which are of the same moment, say of it.
async fn revocations(client: &Client) -> Vec<String> {
    let log = client.get("/v1/activity?limit=2").await.data(200);
    let entries = log.as_array().expect("a list");
    let told = entries.iter().map(|entry| &entry["metadata"]["revocation"]);
    told.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Somebody else with a connection of their own that reaches the same project.
async fn eve(world: &World, role: &str) -> (Client, Uuid) {
    let eve = world.app.user("eve").await;
    let member = json!({ "username": "eve", "role": role });
    let members = "/v1/vaults/acme/my-app/members";
    world.me.post(members, member).await.data(201);
    let connection = connect(&eve).await;
    (eve, connection)
}

async fn a_link_outlives_its_connection(profile: Profile) {
    let (world, link) = start(profile).await;
    let before = show(&world.me, &link).await;
    disconnect(&world).await;
    let shown = show(&world.me, &link).await;
    assert_eq!(
        (&shown["paused"], &shown["pausedReason"]),
        (&json!(true), &json!("disconnected"))
    );
    assert_eq!(shown["nextRunAt"], Value::Null);
    assert_eq!(shown["connectionId"], before["connectionId"]);
    let listed = world.me.get(CONNECTIONS).await.data(200);
    assert_eq!(listed["connections"], json!([]));
    let activity = world.me.get("/v1/activity?limit=1").await.data(200);
    assert_eq!(activity[0]["metadata"]["pausedLinks"], 1);

    // Nothing makes it run: no change, nobody who heals it, and nobody who says that it goes on.
    push(&world, "2").await;
    let worker = world.manual_worker().await;
    world.app.advance(TimeDelta::minutes(2));
    worker.schedule().await.expect("schedules");
    let jobs = world.me.get("/v1/integrations/jobs").await.data(200);
    assert_eq!(jobs, json!([]));
    for answer in [
        world.me.post(&format!("{link}/heal"), json!({})).await,
        world.me.patch(&link, json!({ "paused": false })).await,
    ] {
        answer.problem(409, "reconnect-required");
    }
    world
        .me
        .post(SYNC, world.fields())
        .await
        .problem(404, "not-found");

    // The same account again is the same connection, and the link catches up.
    assert_eq!(connect(&world.me).await, world.connection);
    let shown = show(&world.me, &link).await;
    assert_eq!(
        (&shown["paused"], &shown["id"]),
        (&json!(false), &before["id"])
    );
    assert_eq!(after_the_next_run(&world).await.as_deref(), Some("2"));
}

async fn a_pause_by_hand_outlives_it_too(profile: Profile) {
    let (world, link) = start(profile).await;
    let paused = |on: bool| json!({ "paused": on });
    world.me.patch(&link, paused(true)).await.data(200);
    disconnect(&world).await;
    assert_eq!(show(&world.me, &link).await["pausedReason"], "requested");
    world
        .me
        .patch(&link, paused(false))
        .await
        .problem(409, "reconnect-required");
    connect(&world.me).await;
    assert_eq!(show(&world.me, &link).await["pausedReason"], "requested");
    world.me.patch(&link, paused(false)).await.data(200);
    assert_eq!(show(&world.me, &link).await["paused"], false);
}

async fn a_link_is_given_another_connection(profile: Profile) {
    let (world, link) = start(profile).await;
    let (eve, theirs) = eve(&world, "write").await;
    let to = |connection: Uuid| json!({ "connectionId": connection });
    // As long as it has one, that is for its owner to say, who has to own the other one as well.
    eve.patch(&link, to(theirs)).await.problem(403, "forbidden");
    let not_mine = world.me.patch(&link, to(theirs)).await;
    not_mine.problem(404, "not-found");
    disconnect(&world).await;
    eve.patch(&link, json!({ "allowDelete": true }))
        .await
        .problem(403, "forbidden");
    push(&world, "2").await;
    let moved = eve.patch(&link, to(theirs)).await.data(200)["link"].clone();
    assert_eq!(id(&moved["connectionId"]), theirs);
    assert_eq!(
        (&moved["paused"], &moved["pausedReason"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(after_the_next_run(&world).await.as_deref(), Some("2"));
    // From now on it is theirs, also when ada is back.
    connect(&world.me).await;
    world
        .me
        .patch(&link, json!({ "allowDelete": false }))
        .await
        .problem(403, "forbidden");
    // A second link of the same pair cannot be given a connection that has one.
    let mut fields = world.fields();
    fields["connectionId"] = json!(connect(&world.me).await);
    let second = world.me.post(&format!("{SYNC}/link"), fields).await;
    let second = format!("{SYNC}/links/{}", id(&second.data(200)["link"]["id"]));
    let path = format!("{CONNECTIONS}/{theirs}");
    let mine = world.me.get(CONNECTIONS).await.data(200)["connections"][0].clone();
    eve.delete(&path).await.empty();
    let answer = world.me.patch(&link, to(id(&mine["id"]))).await;
    answer.problem(409, "conflict");
    assert_eq!(show(&world.me, &second).await["paused"], false);
}

async fn another_connection_has_to_reach_the_destination(profile: Profile) {
    let (world, link) = start(profile).await;
    disconnect(&world).await;
    let team = json!({ "token": TOKEN, "teamId": TEAM });
    let team = world
        .me
        .post("/v1/integrations/vercel/connect", team)
        .await
        .data(200);
    let to = json!({ "connectionId": team["connection"]["id"] });
    world.me.patch(&link, to).await.problem(404, "not-found");
    let nothing = json!({ "connectionId": world.app.unknown_id() });
    world
        .me
        .patch(&link, nothing)
        .await
        .problem(404, "not-found");
    // One that was deleted is none.
    let former = json!({ "connectionId": world.connection });
    world
        .me
        .patch(&link, former)
        .await
        .problem(404, "not-found");
    let reason = show(&world.me, &link).await["pausedReason"].clone();
    assert_eq!(reason, "disconnected");
}

async fn another_connection_takes_what_saving_the_link_takes(profile: Profile) {
    let (world, link) = start(profile).await;
    world
        .me
        .patch(&link, json!({ "allowDelete": true }))
        .await
        .data(200);
    let (eve, theirs) = eve(&world, "write").await;
    disconnect(&world).await;
    let to = json!({ "connectionId": theirs });
    let refused = async |scopes: &[&str], environment: &str| {
        let key = json!({ "name": "x", "environment": environment, "scopes": scopes });
        let key = eve.post("/v1/api-keys", key).await.data(200);
        let client = world.app.client(key["token"].as_str().expect("a token"));
        let answer = client.patch(&link, to.clone()).await;
        answer.problem(403, "forbidden");
    };
    let all = ["read:secrets", "write:secrets", "delete:secrets"];
    refused(&all[..1], "live").await;
    refused(&all[..2], "live").await;
    refused(&all, "test").await;
    let member = json!({ "username": "eve", "role": "read" });
    let members = "/v1/vaults/acme/my-app/members";
    world.me.post(members, member).await.data(200);
    refused(&all, "live").await;
    let reason = show(&world.me, &link).await["pausedReason"].clone();
    assert_eq!(reason, "disconnected");
}

async fn a_test_key_brings_nothing_of_production_back(profile: Profile) {
    let (world, link) = start(profile).await;
    disconnect(&world).await;
    let tester = super::test_keys::test_key(&world).await;
    let token = json!({ "token": TOKEN });
    let connected = tester.post("/v1/integrations/vercel/connect", token).await;
    connected.problem(403, "forbidden");
    let sent = tester.get("/v1/integrations/vercel/authorize").await;
    sent.problem(403, "forbidden");
    let reason = show(&world.me, &link).await["pausedReason"].clone();
    assert_eq!(reason, "disconnected");
}

async fn a_token_is_deleted_by_hand(profile: Profile) {
    let world = World::start(profile).await;
    world.vercel.reset_calls();
    let told = deleted(&world.me, world.connection, "?revoke=true").await;
    assert_eq!(told, "by-hand");
    assert_eq!(world.vercel.calls(), 0);
}

async fn what_was_synced_stays_unless_its_removal_is_asked_for(profile: Profile) {
    let (world, _) = start(profile).await;
    world.install().await;
    assert_eq!(after_the_next_run(&world).await.as_deref(), Some("1"));
    let value = || world.vercel.value("prj_myapp", "A", "production", None);
    world.vercel.reset_calls();
    let told = deleted(&world.me, world.connection, "").await;
    assert_eq!((told.as_str(), world.vercel.calls()), ("kept", 0));
    assert_eq!(value().as_deref(), Some("1"));

    let odd = format!("{CONNECTIONS}/{}?revoke=maybe", connect(&world.me).await);
    world.me.delete(&odd).await.refuses(&["revoke"]);
}

async fn an_installation_is_removed_with_what_it_wrote(profile: Profile) {
    let world = World::start(profile).await;
    world.install().await;
    let worker = world.manual_worker().await;
    push(&world, "1").await;
    let asynchronous = world.me.clone().with("prefer", "respond-async");
    asynchronous.post(SYNC, world.fields()).await.data(202);
    let job = world.rung(JobClass::Interactive).await;
    worker.run(job).await;
    let value = || world.vercel.value("prj_myapp", "A", "production", None);
    assert_eq!(value().as_deref(), Some("1"));

    // No link and no job says that production uses it; what was written there goes all the same.
    let path = format!("{CONNECTIONS}/{}?revoke=true", world.connection);
    let tester = super::test_keys::test_key(&world).await;
    tester.delete(&path).await.problem(403, "forbidden");
    let scopes = [Scope::ReadSecrets, Scope::WriteSecrets];
    let key = world.app.key(&world.account.user, &scopes, None).await;
    let writer = world.app.client(&key.token);
    writer.delete(&path).await.problem(403, "forbidden");
    // Nor with what somebody else wrote through the same installation.
    let eve = world.app.account("eve").await;
    let mut tx = world.app.store.begin().await.expect("begins");
    let mine = tx.find_connection(world.account.user.id, world.connection);
    let theirs = Connection {
        id: world.app.unknown_id(),
        user_id: eve.user.id,
        ..mine.await.expect("an answer").expect("a connection")
    };
    let token = Secret::new("simulated-token-of-eve");
    let saved = tx.upsert_connection(&theirs, &token).await;
    let theirs = saved.expect("is saved").id;
    tx.commit().await.expect("commits");
    world.me.delete(&path).await.problem(409, "conflict");
    assert_eq!(value().as_deref(), Some("1"));
    let eve = world.app.client(&eve.token);
    assert_eq!(deleted(&eve, theirs, "").await, "kept");

    let told = deleted(&world.me, world.connection, "?revoke=true").await;
    assert_eq!(told, "revoked");
    assert_eq!(value(), None);
    let log = revocations(&world.me).await;
    assert!(log.contains(&"asked".to_owned()), "{log:?}");
}

async fn one_that_is_gone_already_is_revoked(profile: Profile) {
    let world = World::start(profile).await;
    let installation = world.install().await;
    world.vercel.uninstall(&installation);
    let told = deleted(&world.me, world.connection, "?revoke=true").await;
    assert_eq!(told, "revoked");
}

async fn a_provider_that_is_away_keeps_nobody_connected(profile: Profile) {
    let mut world = World::start(profile).await;
    for action in [
        Action::ResetBefore,
        Action::json(500, &json!({})),
        Action::json(
            403,
            &json!({ "error": { "code": "forbidden", "message": "m" } }),
        ),
    ] {
        world.connection = connect(&world.me).await;
        world.install().await;
        world.vercel.fault(Fault::next(action).method("DELETE"));
        let told = deleted(&world.me, world.connection, "?revoke=true").await;
        assert_eq!(told, "failed");
        let listed = world.me.get(CONNECTIONS).await.data(200);
        assert_eq!(listed["connections"], json!([]));
    }
}

async fn only_who_may_delete_it_revokes_it(profile: Profile) {
    let (world, _) = start(profile).await;
    world.install().await;
    world.vercel.reset_calls();
    let path = format!("{CONNECTIONS}/{}?revoke=true", world.connection);
    let eve = world.app.user("eve").await;
    eve.delete(&path).await.problem(404, "not-found");
    let tester = super::test_keys::test_key(&world).await;
    tester.delete(&path).await.problem(403, "forbidden");
    assert_eq!(world.vercel.calls(), 0);
}

on_both_profiles!(
    a_test_key_brings_nothing_of_production_back,
    a_token_is_deleted_by_hand,
    what_was_synced_stays_unless_its_removal_is_asked_for,
    an_installation_is_removed_with_what_it_wrote,
    one_that_is_gone_already_is_revoked,
    a_provider_that_is_away_keeps_nobody_connected,
    only_who_may_delete_it_revokes_it,
    a_link_outlives_its_connection,
    a_pause_by_hand_outlives_it_too,
    a_link_is_given_another_connection,
    another_connection_has_to_reach_the_destination,
    another_connection_takes_what_saving_the_link_takes,
);
