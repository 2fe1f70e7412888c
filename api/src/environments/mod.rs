//! Environments of a vault.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod rename;
pub(crate) mod set_rules;
pub(crate) mod set_type;

use keyway_shared::domain::vault::Environment;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An environment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentItem {
    name: String,
    /// `development`, `standard` or `protected`.
    r#type: &'static str,
    display_order: i64,
    /// Who may use it.
    rules: EnvironmentRulesBody,
}

/// The least roles that may use an environment: `read`, `write` or `admin`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EnvironmentRules)]
pub(crate) struct EnvironmentRulesBody {
    /// See values, push them to a provider.
    read: &'static str,
    /// Change them, pull from a provider, push with deletion.
    write: &'static str,
}

impl From<Environment> for EnvironmentItem {
    fn from(environment: Environment) -> Self {
        Self {
            name: environment.name,
            r#type: environment.kind.as_str(),
            display_order: environment.display_order,
            rules: EnvironmentRulesBody {
                read: environment.rules.read.as_str(),
                write: environment.rules.write.as_str(),
            },
        }
    }
}

fn items(environments: Vec<Environment>) -> Vec<EnvironmentItem> {
    environments
        .into_iter()
        .map(EnvironmentItem::from)
        .collect()
}

/// The environment.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct EnvironmentPath {
    /// Name of the environment.
    name: String,
}
