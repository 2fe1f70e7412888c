//! The owner of a vault environment: changes it, syncs it to its places, and believes no success that
//! is not one.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::caller::{Caller, Reply};
use crate::dice::{Dice, pause};
use crate::ledger::Ledger;
use crate::model::{Destination, KEYS, World};
use crate::simulator::{Simulator, Snapshot};

/// Keys that a vault begins with, and fewer than which it never has.
const FEWEST: usize = 4;

/// What every actor has to do with.
pub(crate) struct Stage {
    pub(crate) caller: Arc<Caller>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) world: World,
    pub(crate) connection: String,
}

/// What a caller was told in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Success,
    Other,
}

pub(crate) struct Actor {
    repo: String,
    environment: &'static str,
    destinations: Vec<Destination>,
    vault: BTreeMap<String, String>,
    version: u32,
    dice: Dice,
    /// Destinations of which the last word was a success, with the vault as it is now.
    equal: Vec<bool>,
}

impl Actor {
    pub(crate) fn new(number: usize, destinations: Vec<Destination>, dice: Dice) -> Self {
        Self {
            repo: format!("acme/vault-{}", number % 3),
            environment: ["development", "staging", "production"][number / 3 % 3],
            equal: vec![false; destinations.len()],
            destinations,
            vault: BTreeMap::new(),
            version: 0,
            dice,
        }
    }

    pub(crate) fn repo(&self) -> &str {
        &self.repo
    }

    fn name(&self) -> String {
        format!("{} {}", self.repo, self.environment)
    }

    /// Rounds, until it is enough.
    pub(crate) async fn live(mut self, stage: Arc<Stage>, enough: CancellationToken) -> Self {
        while !enough.is_cancelled() {
            self.round(&stage).await;
            pause(self.dice.millis(0, 400)).await;
        }
        self
    }

    /// A change of the vault, and a sync to each of its places.
    pub(crate) async fn round(&mut self, stage: &Stage) {
        self.change();
        self.store(stage).await;
        self.equal.fill(false);
        // Some callers are impatient, and some ask twice.
        let preferences: Vec<_> = self
            .destinations
            .iter()
            .map(|_| {
                *self
                    .dice
                    .pick(&[None, None, Some("wait=2"), Some("respond-async")])
            })
            .collect();
        let twice = self.dice.chance(0.15);
        let this = &*self;
        let syncs = this.destinations.iter().zip(preferences);
        let told = join_all(syncs.map(|(destination, preference)| async move {
            let first = this.sync(stage, destination, preference);
            if !twice {
                return first.await;
            }
            let (first, second) = tokio::join!(first, this.sync(stage, destination, None));
            if first == Told::Success {
                first
            } else {
                second
            }
        }))
        .await;
        for (equal, told) in self.equal.iter_mut().zip(told) {
            *equal = told == Told::Success;
        }
    }

    /// The last round: nothing goes wrong any more, so all of it has to succeed.
    pub(crate) async fn reconcile(&mut self, stage: &Stage) {
        self.equal.fill(false);
        for (at, destination) in self.destinations.iter().enumerate() {
            let told = self.sync(stage, destination, None).await;
            if told != Told::Success {
                let text = format!("{}: the last sync to {destination:?} failed", self.name());
                stage.ledger.wrong(text);
            }
            self.equal[at] = told == Told::Success;
        }
    }

    /// Every value is new, and says whose it is.
    fn change(&mut self) {
        self.version += 1;
        let least = if self.vault.is_empty() { FEWEST } else { 1 };
        for _ in 0..least + self.dice.below(4) {
            let key = *self.dice.pick(&KEYS);
            let value = format!("{} {key} {}", self.name(), self.version);
            self.vault.insert(key.to_owned(), value);
        }
        // Where nothing is deleted, what a vault once had stays behind, and in which version would
        // depend on which syncs failed.
        let removes = self.destinations.iter().all(|place| place.deletes);
        while removes && self.vault.len() > FEWEST && self.dice.chance(0.4) {
            let keys: Vec<_> = self.vault.keys().cloned().collect();
            self.vault.remove(self.dice.pick(&keys));
        }
    }

    async fn store(&self, stage: &Stage) {
        let body = json!({ "repoFullName": self.repo, "environment": self.environment,
            "secrets": self.vault });
        stage.caller.insist("/v1/secrets/push", &body).await;
    }

    fn request(&self, stage: &Stage, destination: &Destination) -> Value {
        let mut body = json!({ "connectionId": stage.connection, "projectId": destination.project,
            "keywayEnvironment": self.environment, "providerEnvironment": destination.environment,
            "allowDelete": destination.deletes });
        if let Some(branch) = &destination.branch {
            body["gitBranch"] = json!(branch);
        }
        if destination.sensitive {
            body["variableType"] = json!("sensitive");
        }
        body
    }

    async fn sync(
        &self,
        stage: &Stage,
        destination: &Destination,
        preference: Option<&str>,
    ) -> Told {
        let path = format!("/v1/integrations/vaults/{}/sync", self.repo);
        let body = self.request(stage, destination);
        let report = match stage.caller.post(&path, &body, preference).await {
            Reply::Lost => {
                stage.ledger.answer("connection lost with the API");
                return Told::Other;
            }
            Reply::Answer(200, report) => {
                stage.ledger.answer(format!("200 {}", words(&report)));
                report
            }
            Reply::Answer(202, running) => {
                stage.ledger.answer("202");
                match self.follow(stage, &running).await {
                    Some(report) => report,
                    None => return Told::Other,
                }
            }
            Reply::Answer(status, _) => {
                stage.ledger.answer(status.to_string());
                return Told::Other;
            }
        };
        if let Some(job) = report["jobId"].as_str() {
            stage.ledger.told(job.parse().unwrap());
        }
        if report["status"] != "success" {
            return Told::Other;
        }
        let now = stage.simulator.snapshot().await;
        self.hold_against(stage, &now, destination, "a success that was not true");
        Told::Success
    }

    /// Waits for a job that goes on, and gives its report.
    async fn follow(&self, stage: &Stage, running: &Value) -> Option<Value> {
        let job = running["jobId"].as_str().unwrap();
        stage.ledger.told(job.parse().unwrap());
        let mut document = stage.caller.ended(job).await?;
        let report = document["result"].take();
        stage.ledger.answer(format!("202, then {}", words(&report)));
        Some(report)
    }

    fn hold_against(&self, stage: &Stage, now: &Snapshot, destination: &Destination, what: &str) {
        let differences = stage.world.differences(now, destination, &self.vault);
        if !differences.is_empty() {
            let name = self.name();
            stage
                .ledger
                .wrong(format!("{name}, {destination:?}: {what}: {differences:?}"));
        }
    }

    /// Whatever was told as a success still is one.
    pub(crate) fn check(&self, stage: &Stage, now: &Snapshot, what: &str) {
        for (destination, equal) in self.destinations.iter().zip(&self.equal) {
            if *equal {
                self.hold_against(stage, now, destination, what);
            }
        }
    }
}

/// A report in two words.
fn words(report: &Value) -> String {
    let status = report["status"].as_str().unwrap_or("nothing");
    match report["errorCode"].as_str() {
        Some(code) => format!("{status} {code}"),
        None => status.to_owned(),
    }
}
