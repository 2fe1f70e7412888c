//! The whole state, and the changes that people make to it by hand.

use std::collections::BTreeMap;

use super::limits::Bucket;
use super::model::{App, BEGINNING, Grant, Machine, MachineSeed, Organization, Shown, Token};
use super::options::Options;
use super::vault::Vault;
use crate::clock::{Clock, now_ms};
use crate::fault::Faults;
use crate::log::Log;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) options: Options,
    pub(super) organizations: Vec<Organization>,
    /// In the order in which lists show them.
    pub(super) apps: Vec<App>,
    pub(super) tokens: Vec<Token>,
    pub(super) faults: Faults,
    pub(super) log: Log,
    /// By action and what it is done to.
    pub(super) buckets: BTreeMap<(String, String), Bucket>,
    pub(super) clock: Clock,
    /// How far its time is ahead of the world's.
    pub(super) ahead_ms: u64,
    serial: u64,
}

impl State {
    pub(super) fn now(&self) -> u64 {
        now_ms() + self.ahead_ms
    }

    /// The time of a write: later than that of any write before.
    pub(super) fn tick(&self) -> u64 {
        self.clock.tick() + self.ahead_ms
    }

    pub(super) const fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A new version of a machine, as the service makes them.
    pub(super) fn instance_id(&mut self) -> String {
        format!("01SIMULATED{:015}", self.serial())
    }

    pub(super) fn add_organization(&mut self, name: &str, slug: &str, personal: bool) {
        self.organizations.push(Organization {
            name: name.to_owned(),
            slug: slug.to_owned(),
            personal,
        });
    }

    pub(super) fn add_app(&mut self, name: &str, organization: &str) -> String {
        let number = self.serial();
        let id = format!("simulatedapp{number:04}");
        self.apps.push(App {
            number,
            name: name.to_owned(),
            organization: organization.to_owned(),
            vault: Vault::new(format!("salt of {id}")),
            machines: Vec::new(),
            writes: 0,
            id: id.clone(),
        });
        id
    }

    /// Adds a machine that starts with the newest secrets. None where there is no such app.
    pub(super) fn add_machine(&mut self, app: &str, seed: &MachineSeed) -> Option<String> {
        let index = self.app(app)?;
        let id = format!("3d8d{:010x}", 0x5_1e00_0000 + self.serial());
        let instance_id = self.instance_id();
        let newest = self.apps[index].vault.newest();
        let machine = Machine {
            id: id.clone(),
            name: seed.name.clone(),
            region: seed.region.clone(),
            state: seed.state.clone(),
            instance_id,
            config: seed.config.clone(),
            secrets_version: newest.version,
            secrets: newest.values(),
            lease: None,
            started_at: 0,
            created_at: BEGINNING + self.serial,
            updated_at: BEGINNING + self.serial,
        };
        self.apps[index].machines.push(machine);
        Some(id)
    }

    /// Adds a token as people get it: with its scheme, and in two parts.
    pub(super) fn add_token(&mut self, grant: Grant, lifetime_secs: Option<u64>) -> String {
        let serial = self.serial();
        let token = format!("FlyV1 fm2_simulated+{serial:08}==,fm2_simulated/discharge{serial:08}");
        self.insert_token(&token, grant, lifetime_secs);
        token
    }

    pub(super) fn insert_token(&mut self, token: &str, grant: Grant, lifetime_secs: Option<u64>) {
        let expires_at = lifetime_secs.map(|seconds| self.now() + seconds * 1_000);
        let id = format!("00000000-0000-4000-8000-{:012x}", self.serial());
        self.tokens.push(Token {
            id,
            parts: parts(token),
            grant,
            expires_at,
        });
    }

    pub(super) fn revoke(&mut self, token: &str) {
        let parts = parts(token);
        self.tokens.retain(|found| found.parts != parts);
    }

    /// By name.
    pub(super) fn app(&self, name: &str) -> Option<usize> {
        self.apps.iter().position(|app| app.name == name)
    }

    pub(super) fn machine(&self, id: &str) -> Option<&Machine> {
        let mut machines = self.apps.iter().flat_map(|app| &app.machines);
        machines.find(|machine| machine.id == id)
    }

    /// Sets or, without a value, unsets a secret, without any rule and without a rollout. False where
    /// there is no such app.
    pub(super) fn put_secret(&mut self, app: &str, name: &str, value: Option<&str>) -> bool {
        let Some(index) = self.app(app) else {
            return false;
        };
        let changes = BTreeMap::from([(name.to_owned(), value.map(str::to_owned))]);
        let (at, lag_ms) = (self.tick(), self.options.lag_ms);
        self.apps[index].vault.write(changes, at, lag_ms, true);
        true
    }

    /// Gives every machine of an app the newest secrets. False where there is no such app.
    pub(super) fn roll_out(&mut self, app: &str) -> bool {
        let Some(index) = self.app(app) else {
            return false;
        };
        for machine in 0..self.apps[index].machines.len() {
            let (instance_id, at) = (self.instance_id(), self.tick());
            let app = &mut self.apps[index];
            let newest = app.vault.newest();
            let machine = &mut app.machines[machine];
            machine.secrets_version = newest.version;
            machine.secrets = newest.values();
            machine.instance_id = instance_id;
            machine.updated_at = at;
        }
        true
    }

    pub(super) fn snapshot(&self, app: &str) -> BTreeMap<String, Shown> {
        let Some(index) = self.app(app) else {
            return BTreeMap::new();
        };
        let vault = &self.apps[index].vault;
        let length = self.options.digest_length;
        let secrets = vault.newest().secrets.iter();
        secrets
            .map(|(name, secret)| {
                let shown = Shown {
                    value: secret.value.clone(),
                    digest: vault.digest(name, &secret.value, length),
                };
                (name.clone(), shown)
            })
            .collect()
    }
}

/// The parts of a token as people have it.
fn parts(token: &str) -> Vec<String> {
    let bundle = token.strip_prefix("FlyV1 ").unwrap_or(token);
    bundle.split(',').map(str::to_owned).collect()
}
