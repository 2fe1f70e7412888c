//! What the stand-in holds, and how it shows it.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::options::{Options, SecretValues};

/// The contexts that `all` stands for; `branch` names one more.
pub(super) const CONTEXTS: [&str; 5] = [
    "production",
    "deploy-preview",
    "branch-deploy",
    "dev",
    "dev-server",
];

/// Every scope, as described.
pub(super) const SCOPES: [&str; 4] = ["builds", "functions", "runtime", "post-processing"];

/// When everything was made that is there at the start.
pub(super) const BEGINNING: u64 = 1_700_000_000_000;

/// Where a value is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The variable.
    pub key: String,
    /// A context; a branch as `branch:NAME`.
    pub context: String,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The value in clear.
    pub value: String,
    /// Whether others than builds and functions can read it.
    pub is_secret: bool,
    /// Where it is there, as described.
    pub scopes: Vec<String>,
}

/// A variable to add by hand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvSeed {
    /// The variable.
    pub key: String,
    /// Its values by context; a branch as `branch:NAME`.
    pub values: BTreeMap<String, String>,
    /// Readable by builds and functions only.
    #[serde(default)]
    pub is_secret: bool,
    /// All that there are when empty.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl EnvSeed {
    /// A readable variable with these values by context.
    pub fn new(key: &str, values: &[(&str, &str)]) -> Self {
        let values = values
            .iter()
            .map(|(context, value)| ((*context).to_owned(), (*value).to_owned()));
        Self {
            key: key.to_owned(),
            values: values.collect(),
            is_secret: false,
            scopes: Vec::new(),
        }
    }

    /// A secret, with the scopes that one may have.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.is_secret = true;
        self.scopes(&SCOPES[..3])
    }

    /// With these scopes.
    #[must_use]
    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(ToString::to_string).collect();
        self
    }
}

/// What a team pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Plan {
    /// Neither scopes nor variables of the team.
    Free,
    /// Both.
    Pro,
}

/// What somebody is in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sees the team's variables.
    Owner,
    /// Does not.
    Collaborator,
}

/// The repository that a site is built from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// `github`, `gitlab`, `bitbucket`, …
    pub provider: String,
    /// `owner/name`
    pub path: String,
}

#[derive(Debug)]
pub(super) struct User {
    pub(super) full_name: String,
    pub(super) email: String,
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) plan: Plan,
    pub(super) members: BTreeMap<String, Role>,
    /// Tokens work only when they were made for it.
    pub(super) saml: bool,
    pub(super) variables: Vec<Variable>,
}

#[derive(Debug)]
pub(super) struct Site {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) custom_domain: Option<String>,
    pub(super) repository: Option<Repository>,
    /// Of what was deployed last; none: nothing was.
    pub(super) framework: Option<String>,
    pub(super) variables: Vec<Variable>,
    /// When each build was asked for.
    pub(super) builds: Vec<u64>,
    pub(super) created_at: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) user: String,
    /// Was given access to teams that enforce SAML.
    pub(super) saml: bool,
    pub(super) expires_at: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) value: String,
    pub(super) context: String,
    pub(super) parameter: Option<String>,
}

impl Held {
    pub(super) fn is_at(&self, context: &str, parameter: Option<&str>) -> bool {
        self.context == context && self.parameter.as_deref() == parameter
    }

    /// A branch as `branch:NAME`.
    pub(super) fn place(&self) -> String {
        match &self.parameter {
            Some(branch) => format!("{}:{branch}", self.context),
            None => self.context.clone(),
        }
    }

    fn document(&self, hidden: Option<SecretValues>) -> Value {
        let value = match hidden.filter(|_| self.context != "dev") {
            None => Some(self.value.clone()),
            Some(SecretValues::Masked) => Some(masked(&self.value)),
            Some(SecretValues::Empty) => Some(String::new()),
            Some(SecretValues::Absent) => None,
        };
        json!({ "id": self.id, "value": value, "context": self.context,
            "context_parameter": self.parameter })
    }
}

fn masked(value: &str) -> String {
    let length = value.chars().count();
    let clear = if length >= 16 { 4 } else { 0 };
    let end: String = value.chars().skip(length - clear).collect();
    format!("****************{end}")
}

#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) key: String,
    pub(super) scopes: Vec<String>,
    pub(super) values: Vec<Held>,
    pub(super) is_secret: bool,
    pub(super) updated_at: u64,
    /// Id of a user.
    pub(super) updated_by: String,
}

impl Variable {
    pub(super) fn value_at(&self, context: &str, parameter: Option<&str>) -> Option<&Held> {
        let mut values = self.values.iter();
        values.find(|held| held.is_at(context, parameter))
    }

    /// The value that a deployment would get: the branch's, then the context's, then that of all.
    pub(super) fn resolve(&self, context: &str, branch: Option<&str>) -> Option<&Held> {
        branch
            .and_then(|branch| self.value_at("branch", Some(branch)))
            .or_else(|| self.value_at(context, None))
            .or_else(|| self.value_at("all", None))
    }

    pub(super) fn document(&self, options: &Options, by: Option<&User>) -> Value {
        let hidden = self.is_secret.then_some(options.secret_values);
        let values: Vec<Value> = self.values.iter().map(|v| v.document(hidden)).collect();
        let scopes: Vec<String> = self
            .scopes
            .iter()
            .map(|scope| {
                if options.underscored_scopes {
                    scope.replace('-', "_")
                } else {
                    scope.clone()
                }
            })
            .collect();
        json!({
            "key": self.key, "scopes": scopes, "values": values, "is_secret": self.is_secret,
            "updated_at": time(self.updated_at),
            "updated_by": by.map(|user| json!({
                "id": self.updated_by, "full_name": user.full_name, "email": user.email,
                "avatar_url": avatar(&self.updated_by),
            })),
        })
    }
}

pub(super) fn avatar(user: &str) -> String {
    format!("https://avatars.example.com/{user}")
}

/// A time as JSON has it.
pub(super) fn time(ms: u64) -> String {
    DateTime::from_timestamp_millis(ms as i64)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
