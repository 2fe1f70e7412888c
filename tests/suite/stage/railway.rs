//! Railway: a service in production. Next door are the other service, what the environment shares, and
//! the same service in staging.

use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_shared::providers::registry::ProviderSettings;
use keyway_simulator::railway::{self, Preset, Railway, TOKEN, Target};
use keyway_simulator::{Action, Fault};
use keyway_tests::stand_in::StandIn;
use serde_json::{Value, json};

use super::{Stage, Values};

/// Bytes of a value that it takes once a key is to be refused: that of the key is longer.
const TAKEN: usize = 1_000;

pub(super) struct RailwayStage {
    railway: StandIn<Railway>,
    project: String,
    here: Target,
    around: Vec<Target>,
}

impl RailwayStage {
    pub(super) async fn start() -> Self {
        let railway = StandIn::railway(Preset::Starter).await.expect("a stand-in");
        railway.set(|options| options.per_hour = None);
        let project = railway.project("my-app").expect("the project");
        let environment = |name| railway.environment(&project, name).expect("an environment");
        let service = |name| railway.service(&project, name).expect("a service");
        let (production, staging) = (environment("production"), environment("staging"));
        let (web, postgres) = (service("web"), service("Postgres"));
        let here = Target::service(&production, &web);
        let around = vec![
            Target::service(&staging, &web),
            Target::shared(&production),
            Target::service(&production, &postgres),
            Target::service(&staging, &postgres),
            Target::shared(&staging),
        ];
        Self {
            railway,
            project,
            here,
            around,
        }
    }
}

impl Stage for RailwayStage {
    fn configure(&self, providers: &mut ProviderSettings) {
        providers.railway.api_url = self.railway.url();
        providers.railway.web_url = self.railway.url();
    }

    fn token(&self) -> &str {
        TOKEN
    }

    fn projects(&self) -> usize {
        24
    }

    fn target(&self) -> Value {
        json!({ "projectId": self.project, "providerEnvironment": self.here.environment,
            "serviceId": self.here.service })
    }

    fn set(&self, key: &str, value: &str) {
        self.railway.set_variable(&self.here, key, value);
    }

    fn set_unreadable(&self, key: &str, value: &str) {
        self.remove(key);
        self.railway.seal_variable(&self.here, key, value);
    }

    fn set_shared(&self, _key: &str, _value: &str) -> bool {
        false
    }

    fn set_next_door(&self, key: &str, value: &str) {
        for target in &self.around[..3] {
            self.railway.set_variable(target, key, value);
        }
    }

    fn remove(&self, key: &str) {
        self.railway.remove_variable(&self.here, key);
    }

    fn here(&self) -> Values {
        let all = self.railway.snapshot(&self.here).into_iter();
        all.map(|(key, shown)| (key, shown.value)).collect()
    }

    fn elsewhere(&self) -> Values {
        let mut values = Values::new();
        for target in &self.around {
            for (key, shown) in self.railway.snapshot(target) {
                values.insert(format!("{key} {target:?}"), shown.value);
            }
        }
        values
    }

    fn revoke(&self) {
        self.railway.revoke(TOKEN);
    }

    fn forbidden(&self) -> Action {
        railway::error("Not Authorized", Some("INTERNAL_SERVER_ERROR"))
    }

    fn limited(&self, until: DateTime<Utc>) -> Action {
        let wait = (until - keyway_tests::app::beginning()).to_std();
        let wait = wait.unwrap_or(Duration::ZERO).as_secs().to_string();
        Action::Respond {
            status: 429,
            headers: [("retry-after".to_owned(), wait)].into(),
            body: railway::error_body("Too Many Requests", Some("RATE_LIMITED")).to_string(),
        }
    }

    fn broken(&self) -> Action {
        Action::Respond {
            status: 502,
            headers: [].into(),
            body: "bad gateway".to_owned(),
        }
    }

    fn refuse(&self, _key: &str) {
        self.railway
            .set(|options| options.max_value_bytes = Some(TAKEN));
    }

    fn fault(&self, fault: Fault) {
        self.railway.fault(fault);
    }

    fn clear_faults(&self) {
        self.railway.clear_faults();
    }

    fn calls(&self) -> usize {
        self.railway.calls()
    }

    fn reset_calls(&self) {
        self.railway.reset_calls();
    }
}
