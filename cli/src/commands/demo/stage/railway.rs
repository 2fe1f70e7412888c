//! Railway: the services of each environment, and what its services share.

use std::io;
use std::time::Duration;

use keyway_simulator::RequestRecord;
use keyway_simulator::railway::{self, Railway, TOKEN, Target};

use super::{Held, PROJECT, Place, Preset, Snapshot, Stage, Words};

const ENVIRONMENT: &str = "production";
const SERVICE: &str = "web";
const ENVIRONMENTS: [&str; 4] = [ENVIRONMENT, "staging", "pr-17", "closed"];
const SERVICES: [&str; 3] = [SERVICE, "worker", "Postgres"];

const WORDS: Words = Words {
    projects: "projects",
    service: Some(SERVICE),
    destination: "the service web in the environment production of the project my-app",
    here: "web in production",
    variables: "variables",
    environments: "environments",
    shown: "what the simulated Railway has for each service, as it is written there",
    deployment: "deployment",
    next: "the next deployment of web",
    by_hand: "in Railway's dashboard",
};

pub(super) struct OnRailway(Railway);

impl OnRailway {
    pub(super) async fn start(preset: Preset, latency: Duration) -> io::Result<Self> {
        let railway = Railway::start(match preset {
            Preset::Starter => railway::Preset::Starter,
            Preset::LivedIn => railway::Preset::LivedIn,
        })
        .await?;
        railway.set(|options| options.latency_ms = latency.as_millis() as u64);
        Ok(Self(railway))
    }

    /// An environment of the project, with its name.
    fn environments(&self) -> Vec<(&'static str, String)> {
        let project = self.0.project(PROJECT).unwrap_or_default();
        let all = ENVIRONMENTS.into_iter();
        all.filter_map(|name| Some((name, self.0.environment(&project, name)?)))
            .collect()
    }

    /// Every place that variables can be in, with its name.
    fn targets(&self) -> Vec<(String, Target)> {
        let project = self.0.project(PROJECT).unwrap_or_default();
        let mut targets = Vec::new();
        for (name, environment) in self.environments() {
            targets.push((format!("what {name} shares"), Target::shared(&environment)));
            for service in SERVICES {
                if let Some(id) = self.0.service(&project, service) {
                    let target = Target::service(&environment, &id);
                    targets.push((format!("{service} in {name}"), target));
                }
            }
        }
        targets
    }
}

impl Stage for OnRailway {
    fn provider(&self) -> &'static str {
        "railway"
    }

    fn url(&self) -> String {
        self.0.url()
    }

    fn token(&self) -> &'static str {
        TOKEN
    }

    fn words(&self) -> &'static Words {
        &WORDS
    }

    /// Every variable of the project, and the changes that wait in the dashboard.
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for (at, target) in self.targets() {
            for (key, shown) in self.0.snapshot(&target) {
                let held = Held {
                    value: shown.value,
                    kind: shown.sealed.then(|| "sealed".to_owned()),
                };
                let at = at.clone();
                snapshot.insert(Place { at, key }, held);
            }
        }
        for (name, environment) in self.environments() {
            let staged = self.0.staged(&environment);
            if staged.as_object().is_some_and(|patch| !patch.is_empty()) {
                let place = Place {
                    at: format!("the changes that wait in {name}"),
                    key: "the patch".to_owned(),
                };
                let held = Held {
                    value: staged.to_string(),
                    kind: None,
                };
                snapshot.insert(place, held);
            }
        }
        snapshot
    }

    fn deployments(&self) -> Option<usize> {
        Some(self.0.deployments().len())
    }

    fn edit(&self, key: &str, value: &str) {
        let mut targets = self.targets().into_iter();
        if let Some((_, target)) = targets.find(|(at, _)| at == WORDS.here) {
            self.0.set_variable(&target, key, value);
        }
    }

    fn requests(&self) -> Vec<RequestRecord> {
        self.0.requests()
    }

    fn begin_step(&self) {
        self.0.reset_calls();
    }
}
