//! What receivers are told, by real workers.

use std::collections::BTreeSet;

use keyway_shared::domain::job::JobState;
use keyway_simulator::vercel::TOKEN;
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use serde_json::{Value, json};

use super::{HOOKS, Receiver, deliveries, hook, set_secrets, work, world};
use crate::integrations::world::SYNC;

keyway_tests::on_both_profiles!(
    syncs_are_told_with_names_and_counts_and_a_signature,
    a_webhook_hears_only_what_it_asked_for,
    a_dead_connection_is_told_once,
    a_removed_installation_is_told_at_once,
    both_secrets_sign_while_they_overlap,
    a_test_is_an_event_like_any_other,
    nothing_that_is_sent_or_kept_bears_a_value,
    a_worker_does_not_call_its_own_network,
);

async fn syncs_are_told_with_names_and_counts_and_a_signature(profile: Profile) {
    let mut receiver = Receiver::start().await;
    let world = world(profile).await;
    work(&world, true).await;
    let (webhook, secret) = hook(&world, &receiver.url(), Value::Null).await;
    set_secrets(&world, json!({ "A": "1", "B": "2" })).await;
    let report = world.me.post(SYNC, world.fields()).await.data(200);

    let told = receiver.next().await;
    assert!(told.is_signed_with(&secret));
    assert!(!told.is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let event = told.json();
    assert_eq!(event["type"], "sync.succeeded", "{event}");
    let data = &event["data"];
    assert_eq!(data["vault"], "acme/my-app");
    assert_eq!(data["jobId"], report["jobId"]);
    assert_eq!(data["connectionId"], world.connection.to_string());
    assert_eq!(data["projectId"], "prj_myapp");
    assert_eq!(data["providerEnvironment"], "production");
    assert_eq!(data["created"], json!(["A", "B"]));
    assert_eq!(data["stats"]["created"], 2);
    assert_eq!(told.header("content-type"), "application/json");

    let listed = deliveries(&world, webhook, JobState::Succeeded).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed[0]["attempts"], 1);
    assert_eq!(listed[0]["responseStatus"], 204);
    let id = listed[0]["id"].as_str().unwrap().replace('-', "");
    assert_eq!(told.header("webhook-id"), format!("msg_{id}"));

    // One key fails, then everything.
    let refuse = |keys: &[&str]| Action::FailKeys {
        keys: keys.iter().map(ToString::to_string).collect(),
        code: "INVALID_VALUE".to_owned(),
    };
    for (keys, kind) in [(&["B"][..], "sync.partial"), (&["A", "B"], "sync.failed")] {
        let value = format!("of {kind}");
        set_secrets(&world, json!({ "A": value, "B": value })).await;
        world.vercel.fault(Fault::next(refuse(keys)).method("POST"));
        world.me.post(SYNC, world.fields()).await.data(200);
        world.vercel.clear_faults();
        let told = receiver.next().await;
        assert!(told.is_signed_with(&secret));
        let event = told.json();
        assert_eq!(event["type"], kind, "{event}");
        let failed = event["data"]["failures"].as_array().unwrap();
        assert_eq!(failed.len(), keys.len(), "{event}");
        assert_eq!(
            failed[keys.len() - 1],
            json!({ "key": "B", "code": "rejected" })
        );
    }
    // They are no jobs of anybody's.
    let jobs = world.me.get("/v1/integrations/jobs").await.data(200);
    let kinds: Vec<_> = jobs
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["kind"])
        .collect();
    assert_eq!(kinds, ["sync", "sync", "sync"]);
    let own = format!(
        "/v1/integrations/jobs/{}",
        listed[0]["id"].as_str().unwrap()
    );
    world.me.get(&own).await.problem(404, "not-found");
}

async fn a_webhook_hears_only_what_it_asked_for(profile: Profile) {
    let (mut all, mut failures) = (Receiver::start().await, Receiver::start().await);
    let world = world(profile).await;
    work(&world, true).await;
    let events = json!(["sync.failed", "connection.needs-reconnect"]);
    hook(&world, &failures.url(), events).await;
    let (silent, _) = hook(&world, &failures.url(), Value::Null).await;
    let disable = json!({ "enabled": false });
    world
        .me
        .patch(&format!("{HOOKS}/{silent}"), disable)
        .await
        .data(200);
    hook(&world, &all.url(), Value::Null).await;
    set_secrets(&world, json!({ "A": "1" })).await;
    world.me.post(SYNC, world.fields()).await.data(200);
    assert_eq!(all.next().await.json()["type"], "sync.succeeded");
    let mut fields = world.fields();
    fields["projectId"] = json!("prj_none");
    world.me.post(SYNC, fields).await.problem(404, "not-found");
    assert_eq!(failures.next().await.json()["type"], "sync.failed");
    assert_eq!(all.next().await.json()["type"], "sync.failed");
    failures.nothing_more();
}

async fn a_dead_connection_is_told_once(profile: Profile) {
    let mut receiver = Receiver::start().await;
    let world = world(profile).await;
    work(&world, true).await;
    let events = json!(["connection.needs-reconnect"]);
    hook(&world, &receiver.url(), events).await;
    world.vercel.revoke(TOKEN);
    for _ in 0..2 {
        let refused = world.me.post(SYNC, world.fields()).await;
        refused.problem(409, "reconnect-required");
    }
    let event = receiver.next().await.json();
    assert_eq!(event["type"], "connection.needs-reconnect");
    assert_eq!(event["data"]["connectionId"], world.connection.to_string());
    assert_eq!(event["data"]["provider"], "vercel");
    receiver.nothing_more();
}

async fn a_removed_installation_is_told_at_once(profile: Profile) {
    let mut receiver = Receiver::start().await;
    let world = world(profile).await;
    work(&world, true).await;
    hook(&world, &receiver.url(), Value::Null).await;
    let link = format!("{SYNC}/link");
    world.me.post(&link, world.fields()).await.data(200);
    let installation = world.install().await;
    let at = world.app.ambient.now().timestamp_millis();
    let notice = world.vercel.removed_event("evt_1", &installation, at);
    for _ in 0..2 {
        world.notice(&notice).await.empty();
    }
    let event = receiver.next().await.json();
    assert_eq!(event["type"], "connection.needs-reconnect");
    let connection = world.connection.to_string();
    assert_eq!(event["data"]["connectionId"], connection);
    // Once: the next that is heard is of something else.
    world
        .me
        .post("/v1/integrations/vercel/connect", json!({ "token": TOKEN }))
        .await
        .data(200);
    set_secrets(&world, json!({ "A": "1" })).await;
    world.me.post(SYNC, world.fields()).await.data(200);
    assert_eq!(receiver.next().await.json()["type"], "sync.succeeded");
}

async fn both_secrets_sign_while_they_overlap(profile: Profile) {
    let mut receiver = Receiver::start().await;
    let world = world(profile).await;
    work(&world, true).await;
    let (webhook, old) = hook(&world, &receiver.url(), Value::Null).await;
    let rotate = format!("{HOOKS}/{webhook}/rotate");
    let rotated = world.me.post(&rotate, json!({})).await.data(200);
    assert!(rotated["webhook"]["previousSecretUntil"].is_string());
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, old);
    world
        .me
        .post(&format!("{HOOKS}/{webhook}/test"), json!({}))
        .await
        .data(202);
    let told = receiver.next().await;
    assert!(told.is_signed_with(&old) && told.is_signed_with(new));
    assert_eq!(told.header("webhook-signature").split(' ').count(), 2);
}

async fn a_test_is_an_event_like_any_other(profile: Profile) {
    let mut receiver = Receiver::start().await;
    let world = world(profile).await;
    work(&world, true).await;
    let (webhook, secret) = hook(&world, &receiver.url(), json!(["sync.failed"])).await;
    let accepted = world
        .me
        .post(&format!("{HOOKS}/{webhook}/test"), json!({}))
        .await;
    assert_eq!(
        accepted.header("location"),
        format!("{HOOKS}/{webhook}/deliveries")
    );
    let accepted = accepted.data(202);
    let told = receiver.next().await;
    assert!(told.is_signed_with(&secret));
    assert_eq!(told.json()["type"], "webhook.test");
    let listed = deliveries(&world, webhook, JobState::Succeeded).await;
    assert_eq!(listed[0]["id"], accepted["delivery"]["id"]);
}

async fn nothing_that_is_sent_or_kept_bears_a_value(profile: Profile) {
    const CANARY: &str = "canary-value-81c0f2";
    let mut receiver = Receiver::start().await;
    let world = world(profile).await;
    work(&world, true).await;
    let (_, secret) = hook(&world, &receiver.url(), Value::Null).await;
    set_secrets(&world, json!({ "A": CANARY, "B": format!("{CANARY}-b") })).await;
    // The provider repeats values in what it says of a failure.
    let says = json!({ "error": { "code": CANARY, "message": CANARY, "key": CANARY } });
    let mut fault = Fault::next(Action::json(400, &says)).method("POST");
    fault.times = 5;
    world.vercel.fault(fault);
    let failed = world.me.post(SYNC, world.fields()).await.data(200);
    assert_eq!(failed["status"], "error", "{failed}");
    world.vercel.clear_faults();
    let report = world.me.post(SYNC, world.fields()).await.data(200);
    assert_eq!(report["status"], "success", "{report}");
    // Deliveries do not wait for each other.
    let mut kinds = BTreeSet::new();
    for _ in 0..2 {
        let told = receiver.next().await;
        kinds.insert(told.json()["type"].to_string());
        let all = format!("{:?} {}", told.headers, told.body);
        assert!(!all.contains(CANARY) && !all.contains(TOKEN), "{all}");
    }
    assert!(
        kinds
            .into_iter()
            .eq(["\"sync.failed\"", "\"sync.succeeded\""])
    );
    let stored = world.app.database.dump().await;
    assert!(stored.contains("sync.failed"));
    let metrics = world.app.anonymous().get("/metrics").await.text;
    for text in [&secret, secret.trim_start_matches("whsec_")] {
        assert!(!stored.contains(text) && !metrics.contains(text), "{text}");
    }
    assert!(!metrics.contains(CANARY));
    assert!(!metrics.contains("theirs"), "no address is a label");
}

async fn a_worker_does_not_call_its_own_network(profile: Profile) {
    let mut receiver = Receiver::start().await;
    let world = world(profile).await;
    // The API lets them pass, as a name would that leads somewhere else by now.
    work(&world, false).await;
    let port = receiver.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "169.254.169.254",
    ] {
        let (webhook, _) = hook(&world, &format!("https://{host}:{port}/"), Value::Null).await;
        world
            .me
            .post(&format!("{HOOKS}/{webhook}/test"), json!({}))
            .await
            .data(202);
        let listed = deliveries(&world, webhook, JobState::Failed).await;
        assert_eq!(listed[0]["errorCode"], "target-refused", "{host}");
        assert_eq!(listed[0]["attempts"], 1);
        assert_eq!(listed[0]["responseStatus"], Value::Null);
    }
    receiver.nothing_more();
}
