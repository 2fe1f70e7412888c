//! What the stand-in holds, and how it shows it.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::vault::Vault;

/// When everything was made that is there at the start.
pub(super) const BEGINNING: u64 = 1_700_000_000_000;

/// A secret of the vault, which need not run anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The value in clear.
    pub value: String,
    /// As the API shows it.
    pub digest: String,
}

/// What a machine runs with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Version of the vault that it took its secrets from.
    pub secrets_version: u64,
    /// Its secrets, in clear.
    pub secrets: BTreeMap<String, String>,
    /// The config that it was given last.
    pub config: Value,
    /// Its version, which each update changes.
    pub instance_id: String,
    /// `started`, `stopped`, …
    pub state: String,
}

/// A machine to add by hand.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineSeed {
    /// Name.
    pub name: String,
    /// Region.
    #[serde(default = "region")]
    pub region: String,
    /// `started`, `stopped`, …
    #[serde(default = "started")]
    pub state: String,
    /// Config.
    #[serde(default = "config")]
    pub config: Value,
}

fn region() -> String {
    "fra".to_owned()
}

fn started() -> String {
    "started".to_owned()
}

fn config() -> Value {
    json!({ "image": "registry.fly.io/my-app:deployment-1" })
}

impl MachineSeed {
    /// A started machine with this config.
    pub fn new(name: &str, config: Value) -> Self {
        Self {
            name: name.to_owned(),
            region: region(),
            state: started(),
            config,
        }
    }

    /// In this region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// In this state.
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self
    }
}

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub(super) organization: String,
    /// None: all of the organization.
    pub(super) apps: Option<Vec<String>>,
    pub(super) read_only: bool,
    pub(super) user: Option<String>,
}

impl Grant {
    /// Everything in an organization, by its slug.
    pub fn organization(slug: &str) -> Self {
        Self {
            organization: slug.to_owned(),
            apps: None,
            read_only: false,
            user: None,
        }
    }

    /// Only these apps of it.
    #[must_use]
    pub fn apps(mut self, apps: &[&str]) -> Self {
        self.apps = Some(apps.iter().map(ToString::to_string).collect());
        self
    }

    /// Only reads.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// On behalf of a user.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }
}

#[derive(Debug)]
pub(super) struct Organization {
    pub(super) name: String,
    pub(super) slug: String,
    /// Goes by `personal` too.
    pub(super) personal: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) id: String,
    /// All are needed: the token, and what discharges its caveats.
    pub(super) parts: Vec<String>,
    pub(super) grant: Grant,
    pub(super) expires_at: Option<u64>,
}

#[derive(Debug)]
pub(super) struct App {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) name: String,
    /// Slug of its organization.
    pub(super) organization: String,
    pub(super) vault: Vault,
    pub(super) machines: Vec<Machine>,
    /// Writes of its secrets that are under way.
    pub(super) writes: u32,
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) state: String,
    pub(super) instance_id: String,
    pub(super) config: Value,
    pub(super) secrets_version: u64,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) lease: Option<Lease>,
    /// Until then it is starting.
    pub(super) started_at: u64,
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) nonce: String,
    pub(super) owner: String,
    pub(super) description: Option<String>,
    pub(super) expires_at: u64,
}

impl Machine {
    pub(super) fn state_at(&self, now: u64) -> &str {
        if self.state == "started" && now < self.started_at {
            "starting"
        } else {
            &self.state
        }
    }

    /// The lease that is in force.
    pub(super) fn lease_at(&self, now: u64) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| now < lease.expires_at)
    }

    pub(super) fn running(&self, now: u64) -> Running {
        Running {
            secrets_version: self.secrets_version,
            secrets: self.secrets.clone(),
            config: self.config.clone(),
            instance_id: self.instance_id.clone(),
            state: self.state_at(now).to_owned(),
        }
    }

    /// It says nothing about secrets.
    pub(super) fn document(&self, now: u64, whole: bool) -> Value {
        json!({
            "id": self.id, "name": self.name, "state": self.state_at(now), "region": self.region,
            "instance_id": self.instance_id,
            "private_ip": format!("fdaa:0:1:a7b:{}:2", self.id.get(..4).unwrap_or_default()),
            "config": whole.then_some(&self.config), "host_status": whole.then_some("ok"),
            "incomplete_config": Value::Null,
            "created_at": time(self.created_at), "updated_at": time(self.updated_at),
        })
    }
}

/// A time as JSON has it.
pub(super) fn time(ms: u64) -> String {
    DateTime::from_timestamp_millis(ms as i64)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
