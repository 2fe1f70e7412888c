//! Fly.io: an app. Next door is its staging, which is another app, and what the machines of both run
//! with: a write of secrets changes none of that.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use keyway_shared::providers::registry::ProviderSettings;
use keyway_simulator::fly::{APP, BARE_APP, Fly, Preset, STAGING_APP, TOKEN};
use keyway_simulator::{Action, Fault};
use keyway_tests::stand_in::StandIn;
use serde_json::{Value, json};

use super::{Stage, Values};

pub(super) struct FlyStage {
    fly: StandIn<Fly>,
}

impl FlyStage {
    pub(super) async fn start() -> Self {
        let fly = StandIn::fly(Preset::LivedIn).await.expect("a stand-in");
        for name in fly.snapshot(APP).into_keys() {
            fly.remove_secret(APP, &name);
        }
        Self { fly }
    }
}

impl Stage for FlyStage {
    fn configure(&self, providers: &mut ProviderSettings) {
        providers.fly.api_url = self.fly.url();
    }

    fn token(&self) -> &str {
        TOKEN
    }

    fn projects(&self) -> usize {
        3
    }

    fn target(&self) -> Value {
        json!({ "projectId": APP, "providerEnvironment": "production" })
    }

    fn set(&self, key: &str, value: &str) {
        self.fly.put_secret(APP, key, value);
    }

    fn set_unreadable(&self, key: &str, value: &str) {
        self.set(key, value);
    }

    fn set_shared(&self, _key: &str, _value: &str) -> bool {
        false
    }

    fn set_next_door(&self, key: &str, value: &str) {
        self.fly.put_secret(STAGING_APP, key, value);
    }

    fn remove(&self, key: &str) {
        self.fly.remove_secret(APP, key);
    }

    fn here(&self) -> Values {
        let all = self.fly.snapshot(APP).into_iter();
        all.map(|(name, shown)| (name, shown.value)).collect()
    }

    fn elsewhere(&self) -> Values {
        let mut values = Values::new();
        for app in [STAGING_APP, BARE_APP] {
            for (name, shown) in self.fly.snapshot(app) {
                values.insert(format!("{name} {app}"), shown.value);
            }
        }
        for app in [APP, STAGING_APP] {
            for machine in self.fly.machines(app) {
                let running = self.fly.running(&machine).expect("a machine");
                values.insert(format!("{machine} version"), running.instance_id);
                for (name, value) in running.secrets {
                    values.insert(format!("{name} {machine}"), value);
                }
            }
        }
        values
    }

    fn revoke(&self) {
        self.fly.revoke(TOKEN);
    }

    fn forbidden(&self) -> Action {
        error(403, "the token may only read")
    }

    fn limited(&self, until: DateTime<Utc>) -> Action {
        let wait = until - keyway_tests::app::beginning();
        Action::Respond {
            status: 429,
            headers: BTreeMap::from([("retry-after".to_owned(), wait.num_seconds().to_string())]),
            body: r#"{"error":"rate limit exceeded","status":"unknown"}"#.to_owned(),
        }
    }

    fn broken(&self) -> Action {
        error(503, "unavailable")
    }

    fn refuse(&self, key: &str) {
        let action = Action::FailKeys {
            keys: vec![key.to_owned()],
            code: "refused".to_owned(),
        };
        self.fly
            .fault(Fault::next(action).method("POST").times(100));
    }

    fn fault(&self, fault: Fault) {
        self.fly.fault(fault);
    }

    fn clear_faults(&self) {
        self.fly.clear_faults();
    }

    fn calls(&self) -> usize {
        self.fly.calls()
    }

    fn reset_calls(&self) {
        self.fly.reset_calls();
    }
}

fn error(status: u16, text: &str) -> Action {
    Action::json(status, &json!({ "error": text, "status": "unknown" }))
}
