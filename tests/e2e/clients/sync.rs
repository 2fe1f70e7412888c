//! `keyway sync` and the dashboard's button.

use keyway_simulator::{Action, Fault};
use keyway_tests::client::Answer;
use serde_json::{Value, json};

use super::Profile;
use super::callers::{Caller, DASHBOARD, Replay, signed_in, told};
use crate::integrations::world::{SYNC, World, connect};

replays!(
    a_sync_is_previewed_and_made_and_then_there_is_nothing_to_do,
    a_sync_of_which_a_part_failed_ends_with_the_keys,
    a_sync_that_is_not_ready_says_so,
    a_dashboards_button_syncs,
    only_an_admin_escalates,
);

const VAULT: &str = "/v1/vaults/acme/my-app";

/// With a worker, and what ada has in production.
async fn start(profile: Profile) -> World {
    let world = World::start_with(profile, |builder| {
        builder.system_time = true;
        builder.options.cors_origins = vec![DASHBOARD.to_owned()];
    })
    .await;
    world.work().await;
    fill(&world, json!({ "ONE": "value-one", "TWO": "value-two" })).await;
    world
}

async fn fill(world: &World, secrets: Value) {
    let push = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": secrets });
    world.me.post("/v1/secrets/push", push).await.data(200);
}

/// What `keyway sync` prints at the end, and the code that it ends with.
fn outcome(answer: &Answer) -> (String, i32) {
    if answer.status >= 400 {
        return (told(answer), 1);
    }
    let data = &answer.json["data"];
    if data["success"] == true {
        let count = |name: &str| data["stats"][name].as_i64().expect("a count");
        let [created, updated, deleted] = ["created", "updated", "deleted"].map(count);
        return (
            format!("{created} created, {updated} updated, {deleted} deleted"),
            0,
        );
    }
    (data["error"].as_str().expect("a reason").to_owned(), 1)
}

/// What the dashboard's button shows: whatever is not an error is a success.
fn button(answer: &Answer) -> String {
    if answer.status >= 400 {
        return told(answer);
    }
    let data = &answer.json["data"];
    if data["status"] == "error" {
        return data["error"].as_str().expect("a reason").to_owned();
    }
    let count = |name: &str| data[name].as_i64().expect("a count");
    format!("{} created, {} updated", count("created"), count("updated"))
}

/// The four lists of a preview. Pages ask for their lengths.
fn lists(preview: &Value) -> [Vec<String>; 4] {
    ["toCreate", "toUpdate", "toDelete", "toSkip"].map(|name| {
        let list = preview[name]
            .as_array()
            .unwrap_or_else(|| panic!("{name}: {preview}"));
        list.iter()
            .map(|key| key.as_str().expect("a name").to_owned())
            .collect()
    })
}

async fn preview(caller: &Caller, world: &World) -> [Vec<String>; 4] {
    let path = format!(
        "{SYNC}/preview?connectionId={}&projectId=prj_myapp&keywayEnvironment=production\
         &providerEnvironment=production&direction=push&allowDelete=false",
        world.connection
    );
    lists(&caller.get(&path).await.data(200))
}

/// As the command line client and the dashboard send it.
fn fields(world: &World) -> Value {
    json!({ "connectionId": world.connection, "projectId": "prj_myapp",
        "keywayEnvironment": "production", "providerEnvironment": "production",
        "direction": "push", "allowDelete": false })
}

async fn a_sync_is_previewed_and_made_and_then_there_is_nothing_to_do(
    profile: Profile,
    replay: &Replay,
) {
    let world = start(profile).await;
    let cli = replay.cli(&world.app, Some(&world.account.token));
    for round in 1..=2 {
        let vault = cli.get(VAULT).await.data(200);
        assert_eq!(vault["secretCount"], 2);
        let all = cli
            .get("/v1/integrations/providers/vercel/all-projects")
            .await
            .data(200);
        let linked = |project: &&Value| {
            let repo = project["linkedRepo"].as_str().unwrap_or_default();
            repo.eq_ignore_ascii_case("Acme/My-App")
        };
        let project = all["projects"]
            .as_array()
            .expect("a list")
            .iter()
            .find(linked);
        let project = project.expect("the one that is linked with the repository");
        let vault = cli.get(VAULT).await.data(200);
        let environments = vault["environments"].as_array().expect("a list");
        assert!(environments.contains(&json!("production")));
        let (connection, id) = (
            project["connectionId"].as_str().expect("an id"),
            project["id"].as_str().expect("an id"),
        );
        // Nothing of the addresses is escaped.
        let pair = format!("connectionId={connection}&projectId={id}");
        let status = cli
            .get(&format!("{SYNC}/status?{pair}&environment=production"))
            .await
            .data(200);
        assert_eq!(status["isFirstSync"], round == 1);
        assert_eq!(status["vaultIsEmpty"], false);
        assert_eq!(status["providerHasSecrets"], true);
        assert!(status["providerSecretCount"].as_i64() > Some(0));
        let both = "keywayEnvironment=production&providerEnvironment=production";
        let link = json!({ "connectionId": connection, "projectId": id,
            "keywayEnvironment": "production", "providerEnvironment": "production" });
        let link = cli.post(&format!("{SYNC}/link"), link).await.data(200)["link"].clone();
        for name in [
            "id",
            "vaultId",
            "connectionId",
            "provider",
            "projectId",
            "projectName",
        ] {
            assert!(link[name].is_string(), "{name}: {link}");
        }
        assert_eq!(link["keywayEnvironment"], "production");
        assert_eq!(link["providerEnvironment"], "production");
        assert_eq!(link["isNew"], round == 1);
        assert_eq!(link["lastSyncedAt"].is_string(), round == 2);

        let diff = cli
            .get(&format!("{SYNC}/diff?{pair}&{both}"))
            .await
            .data(200);
        let keys = |name: &str| diff[name].as_array().expect("a list").clone();
        let (ours, same) = (keys("onlyInKeyway"), keys("same"));
        assert_eq!(diff["keywayCount"], 2);
        assert!(diff["providerCount"].is_i64() && !keys("onlyInProvider").is_empty());
        assert!(keys("different").is_empty());
        let expected = vec![json!("ONE"), json!("TWO")];
        assert_eq!(if round == 1 { ours } else { same }, expected);

        let path = format!("{SYNC}/preview?{pair}&{both}&direction=push&allowDelete=false");
        let [create, update, delete, _] = lists(&cli.get(&path).await.data(200));
        if round == 2 {
            assert!(
                [create, update, delete].concat().is_empty(),
                "already in sync"
            );
            break;
        }
        assert_eq!(
            (create, update, delete),
            (vec!["ONE".into(), "TWO".into()], vec![], vec![])
        );
        let answer = cli.post(SYNC, fields(&world)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            outcome(&answer),
            ("2 created, 0 updated, 0 deleted".to_owned(), 0)
        );
        let data = &answer.json["data"];
        assert_eq!(data["status"], "success");
        assert_eq!(data["stats"]["total"], 2);
        assert!(data["skipped"].is_i64() && data["stats"]["skipped"].is_i64());
        assert!(data["jobId"].is_string());
        assert_eq!(data.get("error"), None);
    }
    // A pull is offered first where the vault is empty and the provider is not.
    let empty = format!(
        "{SYNC}/status?connectionId={}&projectId=prj_myapp&environment=staging",
        world.connection
    );
    let status = cli.get(&empty).await.data(200);
    assert_eq!(status["isFirstSync"], true);
    assert_eq!(status["vaultIsEmpty"], true);
    assert_eq!(status["providerHasSecrets"], true);
}

async fn a_sync_of_which_a_part_failed_ends_with_the_keys(profile: Profile, replay: &Replay) {
    let world = start(profile).await;
    let cli = replay.cli(&world.app, Some(&world.account.token));
    let cookies = signed_in(&world.app, &world.account.user).await;
    let page = replay.dashboard(&world.app, &cookies);
    let fault = || {
        let action = Action::FailKeys {
            keys: vec!["TWO".to_owned()],
            code: "INVALID_VALUE".to_owned(),
        };
        Fault::next(action).method("POST").path("/env")
    };
    world.vercel.fault(fault());
    let answer = cli.post(SYNC, fields(&world)).await;
    assert_eq!(answer.status, 200);
    let (text, code) = outcome(&answer);
    assert_eq!(code, 1);
    assert!(
        text.contains("TWO") && !text.contains("value-two"),
        "{text}"
    );
    let data = answer.json["data"].clone();
    assert_eq!(data["status"], "partial");
    assert_eq!(data["failures"][0]["key"], "TWO");
    assert!(data["failures"][0]["code"].is_string() && data["failures"][0]["message"].is_string());
    // The page shows what was done.
    fill(
        &world,
        json!({ "TWO": "value-two", "THREE": "value-three" }),
    )
    .await;
    world.vercel.fault(fault());
    let answer = page.post(SYNC, fields(&world)).await;
    assert_eq!(answer.json["data"]["status"], "partial");
    assert_eq!(button(&answer), "1 created, 0 updated");

    // Nothing was written, and what there is to do is said.
    world.vercel.revoke(keyway_simulator::vercel::TOKEN);
    let answer = cli.post(SYNC, fields(&world)).await;
    assert_eq!(answer.status, 409, "{}", answer.text);
    assert!(told(&answer).contains("Connect again"), "{}", told(&answer));
}

async fn a_sync_that_is_not_ready_says_so(profile: Profile, replay: &Replay) {
    // Nobody works, and nobody waits for long.
    let world = World::start_with(profile, |builder| {
        builder.options.default_wait = std::time::Duration::ZERO;
        builder.options.cors_origins = vec![DASHBOARD.to_owned()];
    })
    .await;
    let cli = replay.cli(&world.app, Some(&world.account.token));
    let answer = cli.post(SYNC, fields(&world)).await;
    // Below 400, so it reads the body, and ends with the reason.
    assert_eq!(answer.status, 202);
    let data = &answer.json["data"];
    assert_eq!(
        (&data["status"], &data["success"]),
        (&json!("running"), &json!(false))
    );
    let (text, code) = outcome(&answer);
    let id = data["jobId"].as_str().expect("an id");
    let location = format!("/v1/integrations/jobs/{id}");
    assert_eq!(code, 1);
    assert!(
        text.contains("still running") && text.contains(&location),
        "{text}"
    );
    assert_eq!(answer.header("location"), location);

    // Up-arrow: the same sync again is the same job while it waits for its start.
    let again = cli.post(SYNC, fields(&world)).await.data(202);
    assert_eq!(again["jobId"], id);

    // A page would take a 202 for a success.
    let cookies = signed_in(&world.app, &world.account.user).await;
    let page = replay.dashboard(&world.app, &cookies);
    let answer = page.post(SYNC, fields(&world)).await;
    assert_eq!(answer.status, 200);
    assert!(button(&answer).contains("still running"));

    // A preview without lists would be taken for "nothing to do".
    let path = format!(
        "{SYNC}/preview?connectionId={}&projectId=prj_myapp",
        world.connection
    );
    let answer = cli.get(&path).await;
    assert_eq!(answer.status, 503);
    assert!(!answer.header("retry-after").is_empty());
    assert!(told(&answer).contains("not ready"));
}

async fn a_dashboards_button_syncs(profile: Profile, replay: &Replay) {
    let world = start(profile).await;
    let cookies = signed_in(&world.app, &world.account.user).await;
    let page = replay.dashboard(&world.app, &cookies);
    assert_eq!(page.get(VAULT).await.data(200)["syncs"], json!([]));
    let link = json!({ "connectionId": world.connection, "projectId": "prj_myapp" });
    world.me.post(&format!("{SYNC}/link"), link).await.data(200);
    // A button for each of these.
    let syncs = page.get(VAULT).await.data(200)["syncs"].clone();
    let sync = &syncs[0];
    for name in ["id", "provider", "projectId", "connectionId"] {
        assert!(sync[name].is_string(), "{name}: {sync}");
    }
    assert_eq!(sync["projectName"], "my-app");
    assert_eq!(sync["keywayEnvironment"], "production");
    assert_eq!(sync["providerEnvironment"], "production");
    assert_eq!(sync["lastSyncedAt"], Value::Null);

    let [create, update, delete, _] = preview(&page, &world).await;
    assert_eq!((create.len(), update.len(), delete.len()), (2, 0, 0));
    let answer = page.post(SYNC, fields(&world)).await;
    assert_eq!(button(&answer), "2 created, 0 updated");
    let [create, update, delete, skip] = preview(&page, &world).await;
    assert!([create, update, delete].concat().is_empty());
    assert!(skip.len() >= 2);
    let syncs = page.get(VAULT).await.data(200)["syncs"].clone();
    assert!(syncs[0]["lastSyncedAt"].is_string());
}

async fn only_an_admin_escalates(profile: Profile, replay: &Replay) {
    let world = World::start(profile).await;
    let eve = world.app.account("eve").await;
    let invite = json!({ "username": "eve", "role": "write" });
    let members = format!("{VAULT}/members");
    world.me.post(&members, invite).await.data(201);
    let connection = connect(&world.app.client(&eve.token)).await;
    let cli = replay.cli(&world.app, Some(&eve.token));
    // What the client makes of an environment that it has no word for.
    let mut fields = fields(&world);
    fields["connectionId"] = json!(connection);
    fields["keywayEnvironment"] = json!("staging");
    let answer = cli.post(SYNC, fields).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        told(&answer),
        "Syncing from staging to production requires admin role. Your role (write) cannot escalate \
         secrets to a more protected environment."
    );
}
