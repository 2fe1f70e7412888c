//! Environments of a vault.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod rename;
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
}

impl From<Environment> for EnvironmentItem {
    fn from(environment: Environment) -> Self {
        Self {
            name: environment.name,
            r#type: environment.kind.as_str(),
            display_order: environment.display_order,
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
