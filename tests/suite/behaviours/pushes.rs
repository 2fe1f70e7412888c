//! Pushes that succeed: what they do, what they leave alone, and with how many calls.

use serde_json::{Value, json};

use crate::stage::Values;
use crate::world::{SYNC, World};

crate::for_every_provider!(
    a_push_does_what_its_preview_says_and_nothing_else,
    a_hundred_new_keys_are_a_list_and_one_call,
    one_changed_key_is_a_list_and_one_call,
    nothing_changed_is_one_call,
    what_the_vault_does_not_have_is_deleted_only_when_that_is_asked_for,
    a_key_that_is_only_next_door_is_created_and_stays_there,
    a_value_shared_with_others_changes_here_only,
    a_value_shared_with_others_is_deleted_here_only,
    unreadable_values_are_written_once_and_then_known_where_that_can_be,
    awkward_values_arrive_as_they_are,
    reserved_names_are_left_out,
    a_secret_is_made_where_that_can_be_and_refused_where_not,
    deletes_say_when_they_deploy,
    a_rollout_is_for_those_who_ask_and_where_there_is_one,
);

/// The keys of a report or a preview's list.
fn keys(list: &Value) -> Vec<&str> {
    let keys = list.as_array().expect("a list").iter();
    keys.map(|key| key.as_str().expect("a key")).collect()
}

fn values(pairs: &[(&str, &str)]) -> Values {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

async fn a_push_does_what_its_preview_says_and_nothing_else(world: World) {
    world.stage.set("CHANGED", "theirs-1");
    world.stage.set("SAME", "the-same-1");
    world.stage.set("THEIRS", "theirs-2");
    world.stage.set_next_door("CHANGED", "next-door-1");
    world.stage.set_next_door("OTHER", "next-door-2");
    let vault = [
        ("CHANGED", "ours-one"),
        ("NEW", "ours-two"),
        ("SAME", "the-same-1"),
    ];
    world.set_vault(&vault).await;
    let elsewhere = world.stage.elsewhere();
    let preview = world.preview(&json!({})).await;
    assert_eq!(keys(&preview["toCreate"]), ["NEW"]);
    assert_eq!(keys(&preview["toDelete"]), [] as [&str; 0]);
    // Where values cannot be read, equal ones are not known to be.
    let readable = world.capabilities().await["reading"] != "digest";
    let to_update: &[&str] = if readable {
        &["CHANGED"]
    } else {
        &["CHANGED", "SAME"]
    };
    assert_eq!(keys(&preview["toUpdate"]), to_update);
    assert_eq!(world.stage.elsewhere(), elsewhere);
    let report = world.synced(&json!({ "planId": preview["planId"] })).await;
    assert_eq!(report["created"], 1, "{report}");
    assert_eq!(report["updated"], to_update.len());
    assert_eq!(report["redeployRequired"], true);
    let mut expected = values(&vault);
    expected.insert("THEIRS".to_owned(), "theirs-2".to_owned());
    assert_eq!(world.stage.here(), expected);
    assert_eq!(world.stage.elsewhere(), elsewhere);
}

fn hundred() -> Vec<(String, String)> {
    let pairs = (0..100).map(|n| (format!("KEY_{n:03}"), format!("value-{n}")));
    pairs.collect()
}

async fn set_hundred(world: &World, more: &[(&str, &str)]) {
    let pairs = hundred();
    let mut all: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .filter(|(key, _)| !more.iter().any(|(other, _)| other == key))
        .collect();
    all.extend(more);
    world.set_vault(&all).await;
}

/// The calls of a sync, as the provider saw them and as the report says.
async fn calls(world: &World) -> usize {
    world.stage.reset_calls();
    let report = world.synced(&json!({})).await;
    assert_eq!(report["providerCalls"], world.stage.calls(), "{report}");
    world.stage.calls()
}

async fn a_hundred_new_keys_are_a_list_and_one_call(world: World) {
    set_hundred(&world, &[]).await;
    assert_eq!(calls(&world).await, 2);
    assert_eq!(world.stage.here(), hundred().into_iter().collect());
}

async fn one_changed_key_is_a_list_and_one_call(world: World) {
    set_hundred(&world, &[]).await;
    calls(&world).await;
    set_hundred(&world, &[("KEY_050", "another")]).await;
    assert_eq!(calls(&world).await, 2);
    assert_eq!(world.stage.here()["KEY_050"], "another");
}

async fn nothing_changed_is_one_call(world: World) {
    set_hundred(&world, &[]).await;
    calls(&world).await;
    let report = world.synced(&json!({})).await;
    assert_eq!(report["skipped"], 100);
    assert_eq!(calls(&world).await, 1);
}

async fn what_the_vault_does_not_have_is_deleted_only_when_that_is_asked_for(world: World) {
    world.stage.set("THEIRS", "theirs-1");
    world.stage.set_next_door("THEIRS", "next-door-1");
    let vault = [("ONE", "value-one"), ("TWO", "value-two")];
    world.set_vault(&vault).await;
    world.synced(&json!({})).await;
    assert_eq!(world.stage.here()["THEIRS"], "theirs-1");
    world.set_vault(&[("ONE", "value-one")]).await;
    let elsewhere = world.stage.elsewhere();
    // Only what this vault wrote.
    let managed = json!({ "allowDelete": true, "deleteScope": "managed" });
    let report = world.synced(&managed).await;
    assert_eq!(report["deleted"], 1, "{report}");
    let expected = values(&[("ONE", "value-one"), ("THEIRS", "theirs-1")]);
    assert_eq!(world.stage.here(), expected);
    // Everything.
    let report = world.synced(&json!({ "allowDelete": true })).await;
    assert_eq!(report["deleted"], 1, "{report}");
    assert_eq!(world.stage.here(), values(&[("ONE", "value-one")]));
    assert_eq!(world.stage.elsewhere(), elsewhere);
}

async fn a_key_that_is_only_next_door_is_created_and_stays_there(world: World) {
    world.stage.set_next_door("ONE", "next-door-1");
    let elsewhere = world.stage.elsewhere();
    world.set_vault(&[("ONE", "value-one")]).await;
    let report = world.synced(&json!({})).await;
    assert_eq!(report["created"], 1);
    assert_eq!(world.stage.here(), values(&[("ONE", "value-one")]));
    assert_eq!(world.stage.elsewhere(), elsewhere);
    world.set_vault(&[("ONE", "value-one"), ("TWO", "2")]).await;
    world.synced(&json!({})).await;
    assert_eq!(world.stage.elsewhere(), elsewhere);
}

async fn a_value_shared_with_others_changes_here_only(world: World) {
    if !world.stage.set_shared("SHARED", "before-us") {
        // A value is of one place only, and there is nothing to take apart.
        return assert!(!shares(&world).await);
    }
    let elsewhere = world.stage.elsewhere();
    assert!(elsewhere.values().any(|value| value == "before-us"));
    world.set_vault(&[("SHARED", "ours-only")]).await;
    let report = world.synced(&json!({})).await;
    assert_eq!(report["updated"], 1, "{report}");
    assert_eq!(world.stage.here(), values(&[("SHARED", "ours-only")]));
    assert_eq!(world.stage.elsewhere(), elsewhere);
    world.stage.reset_calls();
    let report = world.synced(&json!({})).await;
    assert_eq!((&report["skipped"], world.stage.calls()), (&json!(1), 1));
}

async fn a_value_shared_with_others_is_deleted_here_only(world: World) {
    if !world.stage.set_shared("SHARED", "before-us") {
        return assert!(!shares(&world).await);
    }
    let elsewhere = world.stage.elsewhere();
    world.set_vault(&[("ONE", "value-one")]).await;
    let report = world.synced(&json!({ "allowDelete": true })).await;
    assert_eq!(report["deleted"], 1, "{report}");
    assert_eq!(world.stage.here(), values(&[("ONE", "value-one")]));
    assert_eq!(world.stage.elsewhere(), elsewhere);
}

/// Whether one value can be that of several environments.
async fn shares(world: &World) -> bool {
    let can = world.capabilities().await;
    can["sharesValues"] == true
}

async fn unreadable_values_are_written_once_and_then_known_where_that_can_be(world: World) {
    world.stage.set_unreadable("HIDDEN", "nobody-reads-this");
    world.set_vault(&[("HIDDEN", "ours-hidden")]).await;
    let preview = world.preview(&json!({})).await;
    assert_eq!(keys(&preview["toUpdate"]), ["HIDDEN"]);
    assert_eq!(preview["reasons"]["HIDDEN"], "unverifiable");
    let report = world.synced(&json!({})).await;
    assert_eq!(report["updated"], 1);
    assert_eq!(world.stage.here(), values(&[("HIDDEN", "ours-hidden")]));
    let again = world.preview(&json!({})).await;
    let stamped = world.capabilities().await["stampsWrites"] == true;
    let reason = if stamped { "unchanged" } else { "unverifiable" };
    assert_eq!(again["reasons"]["HIDDEN"], reason, "{again}");
    // Somebody's edit is seen, where ours was.
    world.stage.set_unreadable("HIDDEN", "edited-by-hand");
    let edited = world.preview(&json!({})).await;
    assert_eq!(edited["reasons"]["HIDDEN"], "unverifiable");
    world.synced(&json!({})).await;
    assert_eq!(world.stage.here(), values(&[("HIDDEN", "ours-hidden")]));
}

async fn awkward_values_arrive_as_they_are(world: World) {
    let vault = [
        ("EMPTY", ""),
        ("LINES", "-----BEGIN-----\nMIIE\n"),
        ("QUOTED", "\"a\" 'b' \\n $HOME"),
        ("SPACES", "  both ends  "),
        ("UNICODE", "gr\u{fc}\u{df}e \u{65e5}\u{672c} \u{1f511}"),
        ("_LOWER_case1", "name"),
    ];
    world.set_vault(&vault).await;
    // A provider that takes no such name or value says so, key by key; everything else arrives.
    let job = world.sync(&json!({})).await;
    let mut expected = values(&vault);
    for outcome in job["outcomes"].as_array().unwrap() {
        if outcome["code"].is_string() {
            expected.remove(outcome["key"].as_str().unwrap());
        }
    }
    assert!(expected.len() >= 5, "{job}");
    assert_eq!(world.stage.here(), expected);
}

async fn reserved_names_are_left_out(world: World) {
    let can = world.capabilities().await;
    let reserved = can["reservedNames"][0].as_str().expect("a reserved name");
    world
        .set_vault(&[("ONE", "value-one"), (reserved, "not-to-go")])
        .await;
    let preview = world.preview(&json!({})).await;
    assert_eq!(preview["reasons"][reserved], "reserved");
    assert!(keys(&preview["toSkip"]).contains(&reserved));
    let warned = preview["warnings"].as_array().unwrap().iter();
    assert!(warned.clone().any(|warning| warning["code"] == "reserved"));
    world.synced(&json!({})).await;
    assert_eq!(world.stage.here(), values(&[("ONE", "value-one")]));
}

async fn a_secret_is_made_where_that_can_be_and_refused_where_not(world: World) {
    let can = world.capabilities().await;
    let made = can["canMakeWriteOnly"] == true || can["reading"] == "digest";
    let wish = json!({ "variableType": "sensitive" });
    world.set_vault(&[("ONE", "value-one")]).await;
    if !made {
        // A value that everybody can read would be no answer to that.
        let refused = world.me.post(SYNC, world.fields(&wish)).await;
        refused.refuses(&["variableType"]);
        return assert!(world.stage.here().is_empty());
    }
    world.synced(&wish).await;
    assert_eq!(world.stage.here(), values(&[("ONE", "value-one")]));
    let diff = world.preview(&json!({ "verify": true })).await;
    assert_eq!(diff["reasons"]["ONE"], "unchanged", "{diff}");
}

async fn deletes_say_when_they_deploy(world: World) {
    world.stage.set("GONE", "theirs-1");
    world.set_vault(&[("ONE", "value-one")]).await;
    let preview = world.preview(&json!({ "allowDelete": true })).await;
    let warned = preview["warnings"].as_array().unwrap().iter();
    let told = warned.filter(|warning| warning["code"] == "deletes-deploy");
    let told: Vec<_> = told.map(|warning| warning["keys"].clone()).collect();
    if world.capabilities().await["deleteEffect"] == "deploys" {
        assert_eq!(told, [json!(["GONE"])]);
    } else {
        assert!(told.is_empty());
    }
}

async fn a_rollout_is_for_those_who_ask_and_where_there_is_one(world: World) {
    let wish = json!({ "rollout": true });
    world.set_vault(&[("ONE", "value-one")]).await;
    if world.capabilities().await["rollout"].is_null() {
        let refused = world.me.post(SYNC, world.fields(&wish)).await;
        return refused.refuses(&["rollout"]);
    }
    let report = world.synced(&json!({})).await;
    assert_eq!(report["redeployRequired"], true);
    assert!(report["rollout"].is_null(), "{report}");
    world.set_vault(&[("ONE", "another")]).await;
    let report = world.synced(&wish).await;
    assert_eq!(report["redeployRequired"], false, "{report}");
    let units = report["rollout"].as_array().unwrap();
    assert!(!units.is_empty() && units.iter().all(|unit| unit["status"] == "done"));
    // Nothing to put into effect.
    let report = world.synced(&wish).await;
    assert!(report["rollout"].is_null(), "{report}");
}
