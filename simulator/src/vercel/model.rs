//! What the stand-in holds, and how it shows it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::presets::BEGINNING;

/// How it behaves. Each option is something that the real service does, or may do.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long each call takes.
    pub latency: Duration,
    /// Calls of a family that an owner may make in a minute; absent: any number.
    pub budgets: BTreeMap<String, u32>,
    /// The minute of the budgets.
    pub window: Duration,
    /// Rows on one page of a list; none: all of them.
    pub page_size: Option<usize>,
    /// Items that one create takes.
    pub max_batch: usize,
    /// Rows in one environment.
    pub max_per_environment: usize,
    /// Answers a create of which everything failed with a 4xx that has `failed` beside `error`.
    pub failed_beside_error: bool,
    /// Lists decrypt when they are asked to, which is deprecated.
    pub decrypt_lists: bool,
    /// Production rows are hidden from lists, and only counted.
    pub hide_production: bool,
    /// New rows of production and preview become sensitive, whatever was asked for.
    pub promote_to_sensitive: bool,
    /// An upsert of a sensitive row fails, as an edit that names its key does.
    pub refuse_sensitive_upsert: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            budgets: BTreeMap::new(),
            window: Duration::from_mins(1),
            page_size: None,
            max_batch: 5_000,
            max_per_environment: 1_000,
            failed_beside_error: false,
            decrypt_lists: true,
            hide_production: false,
            promote_to_sensitive: false,
            refuse_sensitive_upsert: false,
        }
    }
}

/// Where a value is: what makes a row the row it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The variable.
    pub key: String,
    /// `production`, `preview`, `development`, or a custom environment's id.
    pub scope: String,
    /// The branch.
    pub branch: Option<String>,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The value in clear.
    pub value: String,
    /// `encrypted`, `plain`, `sensitive` or `system`.
    pub kind: String,
}

/// A variable to add by hand.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvSeed {
    /// The variable.
    pub key: String,
    /// Its value.
    pub value: String,
    /// `encrypted` when empty.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// Built-in environments.
    #[serde(default)]
    pub target: Vec<String>,
    /// Ids of custom environments.
    #[serde(default)]
    pub custom_environment_ids: Vec<String>,
    /// The branch.
    #[serde(default)]
    pub git_branch: Option<String>,
    /// The integration that it belongs to.
    #[serde(default)]
    pub configuration_id: Option<String>,
    /// Shown as rows of years ago are: few fields, `target` as a word.
    #[serde(default)]
    pub legacy: bool,
}

impl EnvSeed {
    /// An encrypted variable of these environments.
    pub fn new(key: &str, value: &str, target: &[&str]) -> Self {
        Self {
            key: key.to_owned(),
            value: value.to_owned(),
            target: target.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    /// With this type.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    /// For this branch.
    #[must_use]
    pub fn branch(mut self, branch: &str) -> Self {
        self.git_branch = Some(branch.to_owned());
        self
    }

    /// For this custom environment too.
    #[must_use]
    pub fn custom(mut self, id: &str) -> Self {
        self.custom_environment_ids.push(id.to_owned());
        self
    }
}

#[derive(Debug, Clone)]
pub(super) struct Env {
    pub(super) id: String,
    pub(super) seed: EnvSeed,
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
    pub(super) created_by: String,
}

impl Env {
    pub(super) fn scopes(&self) -> impl Iterator<Item = &String> {
        let seed = &self.seed;
        seed.target.iter().chain(&seed.custom_environment_ids)
    }

    /// Whether both give a value to the same place.
    pub(super) fn overlaps(&self, other: &EnvSeed) -> bool {
        self.seed.key == other.key
            && self.seed.git_branch == other.git_branch
            && self.scopes().any(|scope| {
                other.target.contains(scope) || other.custom_environment_ids.contains(scope)
            })
    }

    /// Whether both give a value to exactly the same places.
    pub(super) fn same_places(&self, other: &EnvSeed) -> bool {
        let sorted = |seed: &EnvSeed| {
            let mut scopes: Vec<_> = seed
                .target
                .iter()
                .chain(&seed.custom_environment_ids)
                .cloned()
                .collect();
            scopes.sort();
            scopes
        };
        self.seed.key == other.key
            && self.seed.git_branch == other.git_branch
            && sorted(&self.seed) == sorted(other)
    }

    /// As lists and writes show it: ciphertext for what is encrypted, nothing for what is sensitive.
    pub(super) fn shown(&self) -> Value {
        let value = match self.seed.kind.as_str() {
            "plain" | "system" => self.seed.value.clone(),
            "sensitive" => String::new(),
            _ => self.ciphertext(),
        };
        self.document(Some(value), self.seed.kind == "plain")
    }

    /// As a list shows it when it is asked to decrypt: what can be read, in clear.
    pub(super) fn listed_decrypted(&self) -> Value {
        if self.seed.kind == "sensitive" {
            self.shown()
        } else {
            self.decrypted()
        }
    }

    /// As a read of one shows it: the value, or no such field when nobody can read it.
    pub(super) fn decrypted(&self) -> Value {
        if self.seed.kind == "sensitive" {
            self.document(None, false)
        } else {
            self.document(Some(self.seed.value.clone()), true)
        }
    }

    fn document(&self, value: Option<String>, decrypted: bool) -> Value {
        let seed = &self.seed;
        let mut document = if seed.legacy {
            json!({
                "id": self.id, "key": seed.key, "type": seed.kind,
                "target": seed.target.first(), "updatedAt": self.updated_at,
                "createdAt": self.created_at, "legacyValue": Value::Null,
            })
        } else {
            json!({
                "id": self.id, "key": seed.key, "type": seed.kind, "decrypted": decrypted,
                "configurationId": seed.configuration_id, "createdAt": self.created_at,
                "updatedAt": self.updated_at, "createdBy": self.created_by,
                "updatedBy": Value::Null, "securityIssues": [],
                "visibility": if seed.kind == "sensitive" { "secret" } else { "config" },
                "customEnvironmentIds": seed.custom_environment_ids,
            })
        };
        if !seed.legacy && !seed.target.is_empty() {
            document["target"] = json!(seed.target);
        }
        if let Some(branch) = &seed.git_branch {
            document["gitBranch"] = json!(branch);
        }
        if let Some(value) = value {
            document["value"] = json!(value);
        }
        if seed.kind == "system" {
            document["system"] = json!(true);
        }
        document
    }

    /// Opaque, and different after each write, as the real one is.
    fn ciphertext(&self) -> String {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.id, self.updated_at).hash(&mut hasher);
        format!("eyJ2IjoidjIiLCJjIjoi{:016x}", hasher.finish())
    }
}

#[derive(Debug)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) name: String,
    /// Id of the user or team it belongs to.
    pub(super) owner: String,
    pub(super) framework: Option<String>,
    pub(super) link: Option<Value>,
    pub(super) custom: Vec<(String, String)>,
    pub(super) envs: Vec<Env>,
    /// A write is under way.
    pub(super) writing: bool,
    pub(super) updated_at: u64,
}

impl Project {
    pub(super) fn document(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "accountId": self.owner, "nodeVersion": "22.x",
            "framework": self.framework, "link": self.link, "directoryListing": false,
            "alias": [], "deploymentExpiration": {}, "serverlessFunctionRegion": "iad1",
            "defaultResourceConfig": { "functionDefaultRegions": ["iad1"] },
            "resourceConfig": { "functionDefaultRegions": ["iad1"] },
            "createdAt": self.updated_at, "updatedAt": self.updated_at,
            "customEnvironments": self.custom.iter().map(environment).collect::<Vec<_>>(),
        })
    }
}

pub(super) fn environment((id, slug): &(String, String)) -> Value {
    json!({ "id": id, "slug": slug, "type": "preview", "createdAt": BEGINNING,
        "updatedAt": BEGINNING })
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) user: String,
    /// Set for a token that works for one team only and must name it.
    pub(super) team: Option<String>,
    /// The installation whose rows it makes.
    pub(super) installation: Option<String>,
    pub(super) revoked: bool,
}
