//! Giving staged secrets to machines: what is kept, what is left alone, and where it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::{ProviderError, RolledOut};
use keyway_simulator::fly::{
    APP, BARE_APP, LeaseForm, MachineSeed, Preset, READ_ONLY_TOKEN, Running, VersionField,
};
use keyway_simulator::{Action, Fault};
use serde_json::{Value, json};

use crate::support::{World, app, create};

impl World {
    async fn roll_out(&self) -> Result<Vec<RolledOut>, ProviderError> {
        self.provider.rollout(&self.session, &app()).await
    }

    fn running(&self) -> BTreeMap<String, Running> {
        let machines = self.fly.machines(APP).into_iter();
        machines
            .map(|id| (id.clone(), self.fly.running(&id).unwrap()))
            .collect()
    }

    /// Which machines have the secret that was staged last.
    fn have_new(&self) -> Vec<bool> {
        let machines = self.fly.machines(APP).into_iter();
        machines
            .map(|id| self.fly.running(&id).unwrap().secrets.contains_key("NEW"))
            .collect()
    }
}

/// With `NEW` staged.
async fn staged() -> World {
    let world = World::new(Preset::LivedIn).await;
    let applied = world.apply(&[create("NEW", "1")]).await;
    assert_eq!(applied.stopped, None);
    world.fly.reset_calls();
    world
}

fn codes(units: &[RolledOut]) -> Vec<Option<ErrorCode>> {
    let units = units.iter();
    units
        .map(|unit| unit.result.as_ref().err().map(|failure| failure.code))
        .collect()
}

fn respond(status: u16) -> Action {
    Action::json(status, &json!({ "error": "canary", "status": "unknown" }))
}

#[tokio::test]
async fn every_machine_gets_the_secrets_and_keeps_the_rest() {
    let world = staged().await;
    let before = world.running();
    let units = world.roll_out().await.unwrap();
    assert_eq!(codes(&units), [None; 4]);
    let ids: Vec<_> = units.iter().map(|unit| unit.unit.clone()).collect();
    assert_eq!(ids, world.fly.machines(APP));
    assert_eq!(units[0].name.as_deref(), Some("still-water-0"));
    let version = world.fly.secrets_version(APP).unwrap();
    for (id, after) in world.running() {
        let before = &before[&id];
        assert_eq!(after.config, before.config);
        assert_eq!(after.state, before.state);
        assert_ne!(after.instance_id, before.instance_id);
        assert_eq!(after.secrets_version, version);
        assert_eq!(after.secrets["NEW"], "1");
    }
    // Nobody holds a lease any more: somebody else can deploy at once.
    let leases = world.fly.requests();
    let leases = leases.iter().filter(|call| call.path.ends_with("/lease"));
    assert_eq!(leases.filter(|call| call.method == "DELETE").count(), 4);
    // To ask for the version changed nothing.
    assert_eq!(world.value("KEYWAY_ASKS_FOR_THE_VERSION"), None);
}

#[tokio::test]
async fn a_stopped_machine_stays_stopped() {
    for state in ["stopped", "suspended", "created"] {
        let world = staged().await;
        let seed = MachineSeed::new("idle", json!({ "image": "nginx", "auto": [1.5] }));
        let idle = world.fly.add_machine(APP, &seed.state(state)).unwrap();
        world.roll_out().await.unwrap();
        let running = world.fly.running(&idle).unwrap();
        assert_ne!(running.state, "started");
        assert_eq!(running.config, json!({ "image": "nginx", "auto": [1.5] }));
        let calls = world.fly.requests();
        let calls = calls.iter().filter(|call| call.path.contains(&idle));
        let update = calls
            .clone()
            .find(|call| call.path.ends_with(&idle) && call.method == "POST");
        assert_eq!(
            update.unwrap().body.as_ref().unwrap()["skip_launch"],
            json!(true)
        );
        // It is not waited for either.
        assert_eq!(calls.filter(|call| call.path.ends_with("/wait")).count(), 0);
    }
}

#[tokio::test]
async fn one_after_another_and_each_started_before_the_next() {
    let world = staged().await;
    world.roll_out().await.unwrap();
    let machines = world.fly.machines(APP);
    let calls: Vec<String> = world
        .fly
        .requests()
        .into_iter()
        .map(|call| {
            let id = machines.iter().position(|id| call.path.contains(id));
            let action = call.path.rsplit('/').next().unwrap();
            let action = if machines.iter().any(|id| id == action) {
                ""
            } else {
                action
            };
            format!(
                "{} {} {action}",
                id.map_or("-".to_owned(), |id| id.to_string()),
                call.method
            )
        })
        .collect();
    assert_eq!(calls[..2], ["- GET machines", "- POST secrets"]);
    let of = |n: usize, waits: bool| {
        let mut calls = ["POST lease", "GET ", "POST ", "DELETE lease"]
            .map(|call| format!("{n} {call}"))
            .to_vec();
        calls.extend(waits.then(|| format!("{n} GET wait")));
        calls
    };
    let expected: Vec<String> = (0..4).flat_map(|n| of(n, n < 3)).collect();
    assert_eq!(calls[2..], expected);
}

#[tokio::test]
async fn it_ends_with_the_first_machine_that_fails() {
    let update = |world: &World, n: usize| world.fly.machines(APP).swap_remove(n);
    for (action, code, changed) in [
        (respond(500), ErrorCode::OutcomeUnknown, false),
        (Action::ResetAfter, ErrorCode::OutcomeUnknown, true),
        (respond(422), ErrorCode::Rejected, false),
        (respond(409), ErrorCode::Conflict, false),
        (respond(403), ErrorCode::Forbidden, false),
        (respond(429), ErrorCode::RateLimited, false),
    ] {
        let world = staged().await;
        let path = format!("/machines/{}", update(&world, 1));
        // The lease is the first POST of it.
        world.fly.fault(
            Fault::next(action.clone())
                .method("POST")
                .path(&path)
                .after(1),
        );
        let units = world.roll_out().await.unwrap();
        let skipped = Some(ErrorCode::NotAttempted);
        assert_eq!(
            codes(&units),
            [None, Some(code), skipped, skipped],
            "{action:?}"
        );
        assert_eq!(
            world.have_new(),
            [true, changed, false, false],
            "{action:?}"
        );
        assert!(!format!("{units:?}").contains("canary"));
        // The lease was given back all the same.
        let calls = world.fly.requests();
        let last = calls.last().unwrap();
        assert_eq!(
            (last.method.as_str(), last.path.ends_with("/lease")),
            ("DELETE", true)
        );
    }
}

#[tokio::test]
async fn nothing_changed_is_an_error_of_the_whole_and_can_be_done_again() {
    for (action, error) in [
        (respond(409), ProviderError::Conflict),
        (respond(412), ProviderError::Conflict),
        (respond(401), ProviderError::Unauthorized),
        (respond(403), ProviderError::Forbidden),
        (respond(500), ProviderError::OutcomeUnknown),
    ] {
        let world = staged().await;
        world
            .fly
            .fault(Fault::next(action).method("POST").path("/lease"));
        assert_eq!(world.roll_out().await.unwrap_err(), error);
        assert_eq!(world.have_new(), [false; 4]);
        assert_eq!(codes(&world.roll_out().await.unwrap()), [None; 4]);
    }
    // Of a token that dies later, what was updated before is told.
    let world = staged().await;
    world.fly.fault(
        Fault::next(respond(401))
            .method("POST")
            .path("/lease")
            .after(2),
    );
    let failed = [
        None,
        None,
        Some(ErrorCode::ReconnectRequired),
        Some(ErrorCode::NotAttempted),
    ];
    assert_eq!(codes(&world.roll_out().await.unwrap()), failed);
    let world = World::new(Preset::LivedIn).await.signed(READ_ONLY_TOKEN);
    assert_eq!(
        world.roll_out().await.unwrap_err(),
        ProviderError::Forbidden
    );
}

#[tokio::test]
async fn a_machine_that_does_not_start_stops_it() {
    let world = staged().await;
    world.fly.set(|options| options.start_ms = 3_600_000);
    let units = world.roll_out().await.unwrap();
    let skipped = Some(ErrorCode::NotAttempted);
    assert_eq!(
        codes(&units),
        [Some(ErrorCode::Unavailable), skipped, skipped, skipped]
    );
    assert!(
        units[0]
            .result
            .as_ref()
            .unwrap_err()
            .message
            .contains("has not started")
    );
    assert_eq!(world.have_new(), [true, false, false, false]);
    // It takes its time, and does.
    let world = staged().await;
    world
        .fly
        .fault(Fault::next(respond(408)).path("/wait").times(3));
    assert_eq!(codes(&world.roll_out().await.unwrap()), [None; 4]);
    // Nobody knows.
    let world = staged().await;
    world.fly.fault(Fault::next(respond(404)).path("/wait"));
    let units = world.roll_out().await.unwrap();
    assert_eq!(codes(&units)[..2], [Some(ErrorCode::NotFound), skipped]);
    assert!(
        units[0]
            .result
            .as_ref()
            .unwrap_err()
            .message
            .contains("is not known")
    );
}

#[tokio::test]
async fn who_deploys_at_the_moment_is_left_alone() {
    let world = staged().await;
    let machine = world.fly.machines(APP).swap_remove(0);
    let url = format!("{}/v1/apps/{APP}/machines/{machine}/lease", world.fly.url());
    take_lease(&url).await;
    assert_eq!(world.roll_out().await.unwrap_err(), ProviderError::Conflict);
    assert_eq!(world.have_new(), [false; 4]);
    world.fly.advance(Duration::from_secs(31));
    assert_eq!(codes(&world.roll_out().await.unwrap()), [None; 4]);
}

#[expect(clippy::disallowed_methods, reason = "plays a client that is not ours")]
async fn take_lease(url: &str) {
    let theirs = reqwest::Client::new().post(url);
    let answer = theirs
        .header("authorization", keyway_simulator::fly::TOKEN)
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn secrets_that_have_not_arrived_are_waited_for() {
    let world = World::new(Preset::LivedIn).await;
    world.fly.set(|options| options.lag_ms = 60_000);
    world.apply(&[create("NEW", "1")]).await;
    for status in [412, 409] {
        world
            .fly
            .set(|options| options.version_ahead_status = status);
        assert_eq!(world.roll_out().await.unwrap_err(), ProviderError::Conflict);
    }
    world.fly.advance(Duration::from_mins(1));
    world.roll_out().await.unwrap();
    assert_eq!(world.have_new(), [true; 4]);
}

#[tokio::test]
async fn leases_and_versions_come_in_each_form() {
    for (form, field) in [
        (LeaseForm::Bare, VersionField::New),
        (LeaseForm::Wrapped, VersionField::Deprecated),
    ] {
        let world = staged().await;
        world.fly.set(|options| {
            options.lease_form = form;
            options.version_field = field;
            options.null_fields = true;
        });
        assert_eq!(codes(&world.roll_out().await.unwrap()), [None; 4]);
    }
    // Without them nothing is begun.
    for (path, body) in [
        ("/secrets", json!({ "secrets": [] })),
        ("/lease", json!({ "status": "success" })),
    ] {
        let world = staged().await;
        world.fly.fault(
            Fault::next(Action::json(200, &body))
                .method("POST")
                .path(path),
        );
        assert_eq!(world.roll_out().await.unwrap_err(), ProviderError::Protocol);
        assert_eq!(world.have_new(), [false; 4]);
    }
}

#[tokio::test]
async fn a_machine_without_a_config_is_not_updated() {
    let world = staged().await;
    let machine = world.fly.machines(APP).swap_remove(0);
    // What is shown of a machine on a host that does not answer.
    let shown = json!({ "id": machine, "state": "started", "config": null });
    let path = format!("/machines/{machine}");
    world.fly.fault(
        Fault::next(Action::json(200, &shown))
            .method("GET")
            .path(&path),
    );
    assert_eq!(world.roll_out().await.unwrap_err(), ProviderError::Protocol);
    assert_eq!(world.have_new(), [false; 4]);
}

#[tokio::test]
async fn what_is_gone_is_no_part_of_it() {
    let world = staged().await;
    let machine = world.fly.machines(APP).swap_remove(1);
    let gone = |method: &str, action: Action| {
        Fault::next(action)
            .method(method)
            .path(&format!("/machines/{machine}"))
    };
    world.fly.fault(gone("POST", respond(404)));
    assert_eq!(codes(&world.roll_out().await.unwrap()), [None; 3]);
    world.fly.fault(gone("GET", respond(404)));
    assert_eq!(codes(&world.roll_out().await.unwrap()), [None; 3]);
    let destroyed: Value = json!({ "id": machine, "state": "destroyed" });
    world.fly.fault(gone("GET", Action::json(200, &destroyed)));
    assert_eq!(codes(&world.roll_out().await.unwrap()), [None; 3]);
    // No machine, no call that writes.
    let mut bare = app();
    BARE_APP.clone_into(&mut bare.project_id);
    world.fly.reset_calls();
    let none = world.provider.rollout(&world.session, &bare).await;
    assert_eq!((none, world.fly.calls()), (Ok(Vec::new()), 1));
}
