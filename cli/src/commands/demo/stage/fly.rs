//! Fly.io: the secrets of an app, and its machines, which run with what there was when they were last
//! updated.

use std::io;
use std::time::Duration;

use keyway_simulator::RequestRecord;
use keyway_simulator::fly::{self, APP, BARE_APP, Fly, OTHER_APP, STAGING_APP, TOKEN};

use super::{Held, Machine, Place, Preset, Snapshot, Stage, Words};

const OTHERS: [&str; 4] = [STAGING_APP, BARE_APP, "hobby", OTHER_APP];

/// How long people take from one step to the next.
const STEP: Duration = Duration::from_secs(5);

const WORDS: Words = Words {
    projects: "apps",
    service: None,
    destination: "the app my-app, whose only environment is called production",
    here: APP,
    variables: "secrets",
    environments: "apps",
    shown: "what is staged at the simulated Fly.io, which the real one shows to nobody",
    deployment: "deploy",
    next: "a rollout, `fly secrets deploy` or the next deploy",
    by_hand: "by hand, with `fly secrets set --stage`",
};

pub(super) struct OnFly(Fly);

impl OnFly {
    pub(super) async fn start(preset: Preset, latency: Duration) -> io::Result<Self> {
        let fly = Fly::start(match preset {
            Preset::Starter => fly::Preset::Empty,
            Preset::LivedIn => fly::Preset::LivedIn,
        })
        .await?;
        fly.set_latency(latency);
        Ok(Self(fly))
    }

    fn machines_of(&self, app: &str) -> Vec<Machine> {
        let ids = self.0.machines(app).into_iter();
        ids.filter_map(|id| {
            let running = self.0.running(&id)?;
            let group = &running.config["metadata"]["fly_process_group"];
            Some(Machine {
                group: group.as_str().unwrap_or("-").to_owned(),
                state: running.state,
                version: running.instance_id,
                secrets: running.secrets,
                config: running.config,
                id,
            })
        })
        .collect()
    }
}

impl Stage for OnFly {
    fn provider(&self) -> &'static str {
        "fly"
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

    /// What is staged in each app, and what the machines of the other apps are.
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        let mut insert = |at: &str, key: String, value: String| {
            let at = at.to_owned();
            snapshot.insert(Place { at, key }, Held { value, kind: None });
        };
        for app in OTHERS.into_iter().chain([APP]) {
            for (key, shown) in self.0.snapshot(app) {
                insert(app, key, shown.value);
            }
        }
        for app in OTHERS {
            for machine in self.machines_of(app) {
                let at = format!("machines of {app}");
                insert(&at, machine.id.clone(), format!("{machine:?}"));
            }
        }
        snapshot
    }

    fn machines(&self) -> Option<Vec<Machine>> {
        Some(self.machines_of(APP))
    }

    fn edit(&self, key: &str, value: &str) {
        self.0.put_secret(APP, key, value);
    }

    fn requests(&self) -> Vec<RequestRecord> {
        self.0.requests()
    }

    fn begin_step(&self) {
        // Its limits count by the second.
        self.0.advance(STEP);
        self.0.reset_calls();
    }
}
