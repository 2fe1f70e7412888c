//! Netlify: the context production of a site. Next door are its other contexts, and what the team
//! shares among its sites.

use chrono::{DateTime, Utc};
use keyway_shared::providers::registry::ProviderSettings;
use keyway_simulator::netlify::{
    ACCOUNT, EnvSeed, FREE_ACCOUNT, Netlify, Place, Preset, SITE, Shown, TOKEN,
};
use keyway_simulator::{Action, Fault};
use keyway_tests::stand_in::StandIn;
use serde_json::{Value, json};

use super::{Stage, Values};

const CONTEXT: &str = "production";

pub(super) struct NetlifyStage {
    netlify: StandIn<Netlify>,
}

impl NetlifyStage {
    pub(super) async fn start() -> Self {
        let netlify = StandIn::netlify(Preset::LivedIn).await.expect("a stand-in");
        // Production begins with nothing of its own.
        for key in netlify.snapshot(SITE).into_keys().map(|place| place.key) {
            netlify.remove_env(SITE, &key);
        }
        netlify.put_env(SITE, &EnvSeed::new("FEATURE", &[("branch:staging", "on")]));
        Self { netlify }
    }

    /// Gives a variable the values that it has, and this one.
    fn put(&self, key: &str, context: &str, value: &str, is_secret: bool) {
        let all = self.netlify.snapshot(SITE).into_iter();
        let had = all.filter(|(place, _)| place.key == key);
        let had: Vec<(Place, Shown)> = had.collect();
        let mut values: Vec<(&str, &str)> = had
            .iter()
            .map(|(place, shown)| (place.context.as_str(), shown.value.as_str()))
            .filter(|(had, _)| *had != context)
            .collect();
        values.push((context, value));
        let seed = EnvSeed::new(key, &values);
        let secret = is_secret || had.iter().any(|(_, shown)| shown.is_secret);
        let seed = if secret { seed.secret() } else { seed };
        self.netlify.put_env(SITE, &seed);
    }

    /// What is at a place, whatever its variable is otherwise.
    fn all(&self) -> impl Iterator<Item = (Place, Shown)> {
        self.netlify.snapshot(SITE).into_iter()
    }
}

impl Stage for NetlifyStage {
    fn configure(&self, providers: &mut ProviderSettings) {
        providers.netlify.api_url = self.netlify.url();
        providers.netlify.web_url = self.netlify.url();
    }

    fn token(&self) -> &str {
        TOKEN
    }

    fn team(&self) -> Option<&str> {
        Some(ACCOUNT)
    }

    fn projects(&self) -> usize {
        123
    }

    fn target(&self) -> Value {
        json!({ "projectId": SITE, "providerEnvironment": CONTEXT })
    }

    fn set(&self, key: &str, value: &str) {
        self.put(key, CONTEXT, value, false);
    }

    fn set_unreadable(&self, key: &str, value: &str) {
        self.put(key, CONTEXT, value, true);
    }

    fn set_shared(&self, key: &str, value: &str) -> bool {
        self.netlify
            .put_env(SITE, &EnvSeed::new(key, &[("all", value)]));
        true
    }

    fn set_next_door(&self, key: &str, value: &str) {
        self.put(key, "deploy-preview", value, false);
        self.put(key, "branch:staging", value, false);
        let shared = EnvSeed::new(key, &[("all", value)]);
        self.netlify.put_env(ACCOUNT, &shared);
    }

    fn remove(&self, key: &str) {
        let values: Vec<(Place, Shown)> = self
            .all()
            .filter(|(place, _)| place.key == key && place.context != CONTEXT)
            .collect();
        self.netlify.remove_env(SITE, key);
        for (place, shown) in values {
            self.put(key, &place.context, &shown.value, shown.is_secret);
        }
    }

    fn here(&self) -> Values {
        let keys = self.all().map(|(place, _)| place.key);
        keys.filter_map(|key| {
            let of_site =
                |place: &Place| place.key == key && matches!(&*place.context, CONTEXT | "all");
            self.all().find(|(place, _)| of_site(place))?;
            let value = self.netlify.value(SITE, &key, CONTEXT, None)?;
            Some((key, value))
        })
        .collect()
    }

    fn elsewhere(&self) -> Values {
        let mut values = Values::new();
        let places = [
            ("deploy-preview", None),
            ("branch-deploy", None),
            ("branch-deploy", Some("staging")),
            ("dev", None),
            ("dev-server", None),
        ];
        for key in self.all().map(|(place, _)| place.key) {
            for (context, branch) in places {
                if let Some(value) = self.netlify.value(SITE, &key, context, branch) {
                    values.insert(format!("{key} {context} {branch:?}"), value);
                }
            }
        }
        for team in [ACCOUNT, FREE_ACCOUNT] {
            for (place, shown) in self.netlify.snapshot(team) {
                values.insert(format!("{team} {place:?}"), shown.value);
            }
        }
        values
    }

    fn revoke(&self) {
        self.netlify.revoke(TOKEN);
    }

    fn forbidden(&self) -> Action {
        Action::json(403, &json!({ "code": 403, "message": "Forbidden" }))
    }

    fn limited(&self, until: DateTime<Utc>) -> Action {
        let reset = until.timestamp().to_string();
        Action::Respond {
            status: 429,
            headers: [
                ("x-ratelimit-limit", "500"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", &reset),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            body: r#"{"code":429,"message":"API rate limit exceeded"}"#.to_owned(),
        }
    }

    fn broken(&self) -> Action {
        Action::Respond {
            status: 503,
            headers: [].into(),
            body: "no healthy upstream".to_owned(),
        }
    }

    fn refuse(&self, key: &str) {
        let action = Action::FailKeys {
            keys: vec![key.to_owned()],
            code: "refused".to_owned(),
        };
        self.netlify
            .fault(Fault::next(action).method("POST").times(100));
    }

    fn fault(&self, fault: Fault) {
        self.netlify.fault(fault);
    }

    fn clear_faults(&self) {
        self.netlify.clear_faults();
    }

    fn calls(&self) -> usize {
        self.netlify.calls()
    }

    fn reset_calls(&self) {
        self.netlify.reset_calls();
    }
}
