//! Fly.io: the secrets of an app. Next door are those of its other apps.

use chrono::{DateTime, Utc};
use keyway_shared::providers::registry::ProviderSettings;
use keyway_simulator::fly::{APP, BARE_APP, Fly, Options, Preset, STAGING_APP, TOKEN};
use keyway_simulator::{Action, Fault};
use keyway_tests::stand_in::StandIn;
use serde_json::{Value, json};

use super::{Stage, Values};

/// The apps of the organization around ours.
const AROUND: [&str; 2] = [STAGING_APP, BARE_APP];

pub(super) struct FlyStage {
    fly: StandIn<Fly>,
}

impl FlyStage {
    pub(super) async fn start() -> Self {
        let fly = StandIn::fly(Preset::LivedIn).await.expect("a stand-in");
        fly.set(Options::unlimited);
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
        for app in AROUND {
            self.fly.put_secret(app, key, value);
        }
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
        for app in AROUND {
            for (name, shown) in self.fly.snapshot(app) {
                values.insert(format!("{app} {name}"), shown.value);
            }
        }
        // A push stages, and changes nothing that runs.
        for machine in self.fly.machines(APP) {
            let running = self.fly.running(&machine).expect("a machine");
            values.insert(machine, json!(running).to_string());
        }
        values
    }

    fn revoke(&self) {
        self.fly.revoke(TOKEN);
    }

    fn forbidden(&self) -> Action {
        Action::json(403, &json!({ "error": "not allowed", "status": "unknown" }))
    }

    fn limited(&self, until: DateTime<Utc>) -> Action {
        let wait = (until - keyway_tests::app::beginning()).num_seconds();
        Action::Respond {
            status: 429,
            headers: [("retry-after".to_owned(), wait.to_string())].into(),
            body: r#"{"error":"rate limit exceeded"}"#.to_owned(),
        }
    }

    fn broken(&self) -> Action {
        Action::Respond {
            status: 502,
            headers: [].into(),
            body: "upstream".to_owned(),
        }
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
