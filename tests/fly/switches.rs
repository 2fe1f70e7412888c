//! What Fly.io leaves open, each way.

use keyway_simulator::fly::{APP, ErrorForm, VersionField, VersionParameter, Written};
use keyway_simulator::{Action, Fault};
use serde_json::{Value, json};

use crate::support::{World, assert_refused, secrets};

#[tokio::test]
async fn an_error_has_several_forms() {
    let world = World::empty().await.undescribed();
    for (form, text) in [
        (
            ErrorForm::Described,
            r#"{"error":"secret not found","status":"unknown"}"#,
        ),
        (ErrorForm::ErrorOnly, r#"{"error":"secret not found"}"#),
        (ErrorForm::Message, r#"{"message":"secret not found"}"#),
        (
            ErrorForm::Detail,
            r#"{"errors":{"detail":"secret not found"}}"#,
        ),
        (ErrorForm::Text, "secret not found"),
    ] {
        world.fly.set(|options| options.error_form = form);
        let answer = world.get(&secrets("NONE")).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, text));
        let media = answer.header("content-type").unwrap();
        assert_eq!(media.starts_with("text/plain"), form == ErrorForm::Text);
    }
}

#[tokio::test]
async fn an_answer_has_its_id() {
    let world = World::empty().await;
    let id = |answer: &crate::support::Answer| {
        let id = answer.header("fly-request-id");
        id.map(str::to_owned)
    };
    let (first, second) = (world.read().await, world.get("/apps/nowhere").await);
    assert!(id(&first).is_some() && id(&second).is_some());
    assert_ne!(id(&first), id(&second));
    world.fly.set(|options| options.request_ids = false);
    assert_eq!(id(&world.read().await), None);
}

#[tokio::test]
async fn what_has_no_value_is_null_or_not_there() {
    let world = World::empty().await.undescribed();
    let token = |body: &Value| body["tokens"][0].as_object().unwrap().clone();
    let without = token(&world.get("/tokens/current").await.ok());
    assert!(!without.contains_key("apps"));
    world.fly.set(|options| options.null_fields = true);
    let with = token(&world.get("/tokens/current").await.ok());
    assert_eq!(with["apps"], Value::Null);
}

#[tokio::test]
async fn one_of_two_fields_may_tell_the_version() {
    let world = World::empty().await;
    for (form, new, old) in [
        (VersionField::Both, true, true),
        (VersionField::New, true, false),
        (VersionField::Deprecated, false, true),
    ] {
        world.fly.set(|options| options.version_field = form);
        let many = world.write(json!({ "A": "1" })).await.ok();
        let one = world.post(&secrets("B"), &json!({ "value": "1" })).await;
        let gone = world.delete(&secrets("B")).await.ok();
        for body in [many, one.body, gone] {
            assert_eq!(body["version"].is_u64(), new, "{body}");
            assert_eq!(body["Version"].is_u64(), old, "{body}");
        }
    }
}

#[tokio::test]
async fn the_answer_to_a_write_has_more_secrets_or_fewer() {
    let world = World::empty().await;
    world.write(json!({ "A": "1", "B": "2" })).await.ok();
    for (form, names) in [
        (Written::Set, vec!["C"]),
        (Written::All, vec!["A", "C"]),
        (Written::Nothing, vec![]),
    ] {
        world.fly.set(|options| options.written = form);
        let written = world.write(json!({ "C": "3", "B": null })).await;
        assert_eq!(written.names(), names);
    }
}

#[tokio::test]
async fn a_version_to_read_goes_by_either_name() {
    let world = World::empty().await.undescribed();
    let (spec, client) = ("min_version=9", "version=9");
    for (form, ahead) in [
        (VersionParameter::MinVersion, vec![spec]),
        (VersionParameter::Version, vec![client]),
        (VersionParameter::Both, vec![spec, client]),
    ] {
        world.fly.set(|options| options.version_parameter = form);
        for query in [spec, client] {
            let answer = world.get(&format!("/apps/{APP}/secrets?{query}")).await;
            let status = if ahead.contains(&query) { 412 } else { 200 };
            assert_eq!(answer.status, status, "{form:?} {query}");
        }
    }
    world.fly.set(|options| options.version_ahead_status = 404);
    let answer = world.get(&format!("/apps/{APP}/secrets?{spec}")).await;
    assert_refused(&answer, 404, "version");
}

#[tokio::test]
async fn a_value_that_is_set_again_makes_a_version_or_not() {
    let world = World::empty().await;
    let write = async || world.write(json!({ "A": "1" })).await.ok()["version"].clone();
    assert_eq!((write().await, write().await), (json!(1), json!(2)));
    world.fly.set(|options| options.same_value_is_new = false);
    assert_eq!(write().await, json!(2));
}

#[tokio::test]
async fn a_write_of_nothing_and_a_delete_of_nothing_may_be_refused() {
    let world = World::empty().await;
    world.fly.set(|options| {
        options.refuse_no_values = true;
        options.refuse_unknown_delete = false;
    });
    assert_refused(&world.write(json!({})).await, 400, "values");
    let gone = world.delete(&secrets("NONE")).await.ok();
    assert_eq!(gone["version"], 0);
}

#[tokio::test]
async fn writes_at_the_same_time_may_be_refused() {
    let world = World::empty().await;
    world
        .fly
        .set(|options| options.concurrent_writes_conflict = true);
    let write = |name: &str| {
        let request = world.request("POST", &format!("/v1{}", secrets("")));
        world.try_send(request.json(&json!({ "values": { name: "1" } })))
    };
    // The first arrives and stays under way until it is given up.
    let slow = Action::Delay {
        milliseconds: 3_600_000,
    };
    world.fly.set(|options| options.cut_after_ms = 3_600_000);
    world.fly.fault(Fault::next(slow));
    let (arrived, arrival) = tokio::sync::oneshot::channel();
    let arrived = std::sync::Mutex::new(Some(arrived));
    world.fly.observe(move |_| {
        if let Some(arrived) = arrived.lock().unwrap().take() {
            let _ = arrived.send(());
        }
    });
    let (first, second) = (write("A"), async {
        arrival.await.unwrap();
        write("B").await.unwrap()
    });
    let second = tokio::select! {
        first = first => panic!("{first:?}"),
        second = second => second,
    };
    assert_refused(&second, 409, "under way");
    assert_eq!(world.fly.secrets_version(APP), Some(0));
}
