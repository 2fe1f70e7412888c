//! Fly.io from a pasted token to what its machines run with.

use keyway_simulator::fly::{APP, DEPLOY_TOKEN, Fly, ORGANIZATION, Preset, TOKEN, USER_TOKEN};
use keyway_simulator::{Action, Fault};
use keyway_tests::client::Answer;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use keyway_tests::stand_in::StandIn;
use serde_json::{Value, json};

use super::world::{SYNC, World};

const CONNECT: &str = "/v1/integrations/fly/connect";

struct Run {
    fly: StandIn<Fly>,
    world: World,
    connection: Value,
}

impl Run {
    async fn start(profile: Profile) -> Self {
        let fly = StandIn::fly(Preset::LivedIn).await.expect("a stand-in");
        let world = World::start_with(profile, |builder| {
            builder.system_time = true;
            builder.providers.fly.api_url = fly.url();
        })
        .await;
        world.work().await;
        let token = json!({ "token": TOKEN });
        let connected = world.me.post(CONNECT, token).await.data(200);
        Self {
            connection: connected["connection"].clone(),
            fly,
            world,
        }
    }

    async fn set(&self, secrets: &Value) {
        let push = json!({ "repoFullName": "acme/my-app", "environment": "production",
            "secrets": secrets });
        self.world.me.post("/v1/secrets/push", push).await.data(200);
    }

    fn fields(&self, more: &Value) -> Value {
        let mut fields = json!({ "connectionId": self.connection["id"], "projectId": APP });
        for (name, value) in more.as_object().into_iter().flatten() {
            fields[name] = value.clone();
        }
        fields
    }

    async fn get(&self, call: &str, more: &str) -> Answer {
        let connection = self.connection["id"].as_str().unwrap_or_default();
        let path = format!("{SYNC}/{call}?connectionId={connection}&projectId={APP}{more}");
        self.world.me.get(&path).await
    }

    async fn sync(&self, more: &Value) -> Value {
        self.world.me.post(SYNC, self.fields(more)).await.data(200)
    }
}

/// created, updated, deleted, failed, calls.
fn counts(report: &Value) -> [u64; 5] {
    ["created", "updated", "deleted", "failed", "providerCalls"]
        .map(|name| report[name].as_u64().expect("a count"))
}

async fn a_vault_is_pushed_and_then_in_step(profile: Profile) {
    let run = Run::start(profile).await;
    let secrets = json!({ "LOG_LEVEL": "value-warn", "NEW": "value-new", "FLY_REGION": "fra" });
    run.set(&secrets).await;
    let running = || {
        let machines = run.fly.machines(APP).into_iter();
        machines.map(|id| run.fly.running(&id)).collect::<Vec<_>>()
    };
    let before = running();

    let shown = run.get("preview", "").await.data(200);
    assert_eq!(shown["toCreate"], json!(["NEW"]));
    assert_eq!(shown["toUpdate"], json!(["LOG_LEVEL"]));
    assert_eq!(shown["reasons"]["LOG_LEVEL"], "unverifiable");
    assert_eq!(shown["reasons"]["FLY_REGION"], "reserved");
    let report = run.sync(&json!({ "planId": shown["planId"] })).await;
    assert_eq!(counts(&report), [1, 1, 0, 0, 2], "{report}");
    assert_eq!(run.fly.value(APP, "NEW").as_deref(), Some("value-new"));
    // Staged, and nothing more.
    assert_eq!(running(), before);

    // The digests of that write tell that nothing has changed since, and what has.
    assert_eq!(counts(&run.sync(&json!({})).await), [0, 0, 0, 0, 1]);
    run.fly.put_secret(APP, "LOG_LEVEL", "value-theirs");
    let diff = run.get("diff", "").await.data(200);
    assert!(!diff.to_string().contains("value-"), "{diff}");
    let shown = run.get("preview", "").await.data(200);
    assert_eq!(shown["toUpdate"], json!(["LOG_LEVEL"]));
    assert_eq!(shown["reasons"]["LOG_LEVEL"], "unverifiable");
    assert_eq!(shown["reasons"]["NEW"], "unchanged");
    run.set(&json!({ "LOG_LEVEL": "value-warn" })).await;
    let report = run
        .sync(&json!({ "allowDelete": true, "deleteScope": "managed" }))
        .await;
    assert_eq!(counts(&report), [0, 1, 1, 0, 2], "{report}");
    assert_eq!(run.fly.value(APP, "NEW"), None);
    assert!(run.fly.value(APP, "DATABASE_URL").is_some());
}

async fn machines_get_what_was_written_when_that_is_asked_for(profile: Profile) {
    let run = Run::start(profile).await;
    run.set(&json!({ "NEW": "value-new" })).await;
    let machines = run.fly.machines(APP);
    // Somebody keeps the second machine from being updated.
    let refused = Action::json(422, &json!({ "error": "no", "status": "unknown" }));
    let second = format!("/machines/{}", machines[1]);
    let update = Fault::next(refused).method("POST").path(&second).after(1);
    run.fly.fault(update);
    let report = run.sync(&json!({ "rollout": true })).await;
    assert_eq!(report["status"], "partial", "{report}");
    assert_eq!(report["redeployRequired"], true);
    let units = report["rollout"].as_array().expect("units");
    let codes: Vec<_> = units.iter().map(|unit| &unit["code"]).collect();
    assert_eq!(
        codes,
        [
            &Value::Null,
            &json!("rejected"),
            &json!("not-attempted"),
            &json!("not-attempted")
        ]
    );
    // There is nothing to write any more, and still something to do.
    let report = run.sync(&json!({ "rollout": true })).await;
    assert_eq!(report["status"], "success", "{report}");
    assert_eq!(report["redeployRequired"], false);
    assert_eq!(report["rollout"].as_array().map(Vec::len), Some(4));
    for machine in machines {
        let running = run.fly.running(&machine).expect("a machine");
        assert_eq!(running.secrets["NEW"], "value-new");
    }
    assert!(run.sync(&json!({ "rollout": true })).await["rollout"].is_null());
}

async fn nothing_can_be_pulled(profile: Profile) {
    let run = Run::start(profile).await;
    run.set(&json!({ "ONE": "value-one" })).await;
    let me = &run.world.me;
    let says = "Fly.io never shows values: nothing can be pulled from it";
    let pull = json!({ "direction": "pull" });
    let link = format!("{SYNC}/link");
    for refused in [
        me.post(SYNC, run.fields(&pull)).await,
        run.get("preview", "&direction=pull").await,
        me.post(&link, run.fields(&pull)).await,
    ] {
        refused.refuses(&["direction"]);
        assert!(refused.text.contains(says), "{}", refused.text);
    }
    let linked = me.post(&link, run.fields(&json!({}))).await.data(200);
    let id = linked["link"]["id"].as_str().unwrap_or_default();
    let path = format!("{SYNC}/links/{id}");
    let turned = me.patch(&path, pull).await;
    turned.refuses(&["direction"]);
    assert!(turned.text.contains(says), "{}", turned.text);
}

async fn an_app_is_one_environment(profile: Profile) {
    let run = Run::start(profile).await;
    let me = &run.world.me;
    let path = format!(
        "/v1/integrations/connections/{}/projects",
        run.connection["id"].as_str().unwrap_or_default()
    );
    let projects = me.get(&path).await.data(200);
    assert_eq!(projects["projects"][0]["id"], APP);
    assert_eq!(
        projects["projects"][0]["environments"],
        json!(["production"])
    );
    run.set(&json!({ "ONE": "value-one" })).await;
    let staging = run.fields(&json!({ "providerEnvironment": "staging" }));
    let refused = me.post(SYNC, staging).await;
    refused.problem(422, "validation-error");
    assert!(
        refused.text.contains("environments: production"),
        "{}",
        refused.text
    );
    assert_eq!(run.fly.value(APP, "ONE"), None);
}

async fn tokens_tell_whose_they_are(profile: Profile) {
    let run = Run::start(profile).await;
    let me = &run.world.me;
    assert_eq!(run.connection["providerAccountId"], ORGANIZATION);
    assert_eq!(run.connection["accountName"], "Acme");
    let connect = async |token: &str, team: Option<&str>| {
        let body = json!({ "token": token, "teamId": team });
        me.post(CONNECT, body).await
    };
    let deploy = connect(DEPLOY_TOKEN, None).await.data(200);
    assert_eq!(deploy["connection"]["providerAccountId"], "app:my-app");
    let several = connect(USER_TOKEN, None).await;
    several.problem(422, "validation-error");
    assert!(
        several.text.contains("acme, ada-lovelace"),
        "{}",
        several.text
    );
    let chosen = connect(USER_TOKEN, Some(ORGANIZATION)).await.data(200);
    assert_eq!(chosen["connection"]["id"], run.connection["id"]);
    connect(TOKEN, Some("globex")).await.refuses(&["teamId"]);
    for nonsense in ["FlyV1", "fm2_a fm2_b", "FlyV1 fm2_unknown"] {
        connect(nonsense, None).await.problem(400, "invalid-token");
    }
}

on_both_profiles!(
    a_vault_is_pushed_and_then_in_step,
    machines_get_what_was_written_when_that_is_asked_for,
    nothing_can_be_pulled,
    an_app_is_one_environment,
    tokens_tell_whose_they_are,
);
