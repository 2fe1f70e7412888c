//! The API's JSON, as it comes and as it goes. Only what is used is read.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::providers::lenient::{flag, items, secret, text, texts};
use crate::secret::Secret;

/// An environment variable: one key, and a value for each of its contexts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Variable {
    #[serde(deserialize_with = "text")]
    pub key: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub scopes: Vec<String>,
    #[serde(deserialize_with = "items")]
    pub values: Vec<Held>,
    #[serde(deserialize_with = "flag")]
    pub is_secret: Option<bool>,
    #[serde(deserialize_with = "text")]
    pub updated_at: Option<String>,
}

/// The value of one context.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Held {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub value: Option<Secret>,
    #[serde(deserialize_with = "text")]
    pub context: Option<String>,
    #[serde(deserialize_with = "text")]
    pub context_parameter: Option<String>,
}

/// A variable to create, or to replace another with.
#[derive(Serialize)]
pub(super) struct NewVariable<'a> {
    pub key: &'a str,
    pub values: Vec<NewValue<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_secret: Option<bool>,
}

impl fmt::Debug for NewVariable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewVariable")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The value of one context to set.
#[derive(Clone, Copy, Serialize)]
pub(super) struct NewValue<'a> {
    pub context: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_parameter: Option<&'a str>,
    #[serde(serialize_with = "exposed")]
    pub value: &'a Secret,
}

fn exposed<S: Serializer>(value: &Secret, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(value.expose())
}

/// A site.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Site {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub account_id: Option<String>,
    #[serde(deserialize_with = "items")]
    pub build_settings: Vec<BuildSettings>,
    #[serde(deserialize_with = "items")]
    pub published_deploy: Vec<Deploy>,
}

/// What a site is built from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BuildSettings {
    #[serde(deserialize_with = "text")]
    pub repo_path: Option<String>,
}

/// A deploy.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deploy {
    #[serde(deserialize_with = "text")]
    pub framework: Option<String>,
}

/// A team.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Account {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub slug: Option<String>,
}

/// Whose token it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub full_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub email: Option<String>,
}

/// A build that was begun.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Build {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
}
