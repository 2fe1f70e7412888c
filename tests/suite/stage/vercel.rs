//! Vercel: production of a project. Next door are its other environments.

use chrono::{DateTime, Utc};
use keyway_shared::providers::registry::ProviderSettings;
use keyway_simulator::vercel::{EnvSeed, Preset, TOKEN};
use keyway_simulator::{Action, Fault};
use keyway_tests::stand_in::StandIn;
use serde_json::{Value, json};

use super::{Stage, Values};

const PROJECT: &str = "prj_myapp";
const SCOPE: &str = "production";

pub(super) struct VercelStage {
    vercel: StandIn,
}

impl VercelStage {
    pub(super) async fn start() -> Self {
        let vercel = StandIn::start(Preset::Starter).await.expect("a stand-in");
        Self { vercel }
    }

    fn seed(&self, key: &str, value: &str, kind: &str, scopes: &[&str]) {
        let seed = EnvSeed {
            key: key.to_owned(),
            value: value.to_owned(),
            kind: kind.to_owned(),
            target: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            ..EnvSeed::default()
        };
        self.vercel.add_env(PROJECT, &seed);
    }
}

impl Stage for VercelStage {
    fn configure(&self, providers: &mut ProviderSettings) {
        providers.vercel.api_url = self.vercel.url();
        providers.vercel.web_url = self.vercel.url();
    }

    fn token(&self) -> &str {
        TOKEN
    }

    fn projects(&self) -> usize {
        23
    }

    fn target(&self) -> Value {
        json!({ "projectId": PROJECT, "providerEnvironment": SCOPE })
    }

    fn set(&self, key: &str, value: &str) {
        match self.vercel.row(PROJECT, key, SCOPE) {
            Some(id) => self.vercel.edit_env(PROJECT, &id, value),
            None => self.seed(key, value, "encrypted", &[SCOPE]),
        }
    }

    fn set_unreadable(&self, key: &str, value: &str) {
        self.remove(key);
        self.seed(key, value, "sensitive", &[SCOPE]);
    }

    fn set_shared(&self, key: &str, value: &str) -> bool {
        self.seed(key, value, "encrypted", &[SCOPE, "preview"]);
        true
    }

    fn set_next_door(&self, key: &str, value: &str) {
        self.seed(key, value, "encrypted", &["preview", "development"]);
    }

    fn remove(&self, key: &str) {
        if let Some(id) = self.vercel.row(PROJECT, key, SCOPE) {
            self.vercel.remove_env(PROJECT, &id);
        }
    }

    fn here(&self) -> Values {
        let all = self.vercel.snapshot(PROJECT).into_iter();
        all.filter(|(place, shown)| {
            place.scope == SCOPE && place.branch.is_none() && shown.kind != "system"
        })
        .map(|(place, shown)| (place.key, shown.value))
        .collect()
    }

    fn elsewhere(&self) -> Values {
        let all = self.vercel.snapshot(PROJECT).into_iter();
        all.filter(|(place, _)| place.scope != SCOPE || place.branch.is_some())
            .map(|(place, shown)| (format!("{place:?}"), shown.value))
            .collect()
    }

    fn revoke(&self) {
        self.vercel.revoke(TOKEN);
    }

    fn forbidden(&self) -> Action {
        let error = json!({ "error": { "code": "forbidden", "message": "Not authorized" } });
        Action::json(403, &error)
    }

    fn limited(&self, until: DateTime<Utc>) -> Action {
        let error = json!({ "error": { "code": "rate_limited", "message": "Too many requests",
            "limit": { "total": 120, "remaining": 0, "reset": until.timestamp() } } });
        Action::json(429, &error)
    }

    fn broken(&self) -> Action {
        Action::json(
            503,
            &json!({ "error": { "code": "unavailable", "message": "away" } }),
        )
    }

    fn refuse(&self, key: &str) {
        let action = Action::FailKeys {
            keys: vec![key.to_owned()],
            code: "INVALID_VALUE".to_owned(),
        };
        self.vercel
            .fault(Fault::next(action).method("POST").times(100));
    }

    fn fault(&self, fault: Fault) {
        self.vercel.fault(fault);
    }

    fn clear_faults(&self) {
        self.vercel.clear_faults();
    }

    fn calls(&self) -> usize {
        self.vercel.calls()
    }

    fn reset_calls(&self) {
        self.vercel.reset_calls();
    }
}
