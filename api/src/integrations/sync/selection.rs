//! What every request about a destination names, and its rules.

use keyway_shared::domain::names::{PROVIDER_REF_RULE, is_provider_ref};
use keyway_shared::providers::Descriptor;
use keyway_shared::sync::options::{DeleteScope, Direction, OnConflict, SyncRequest, VariableType};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::error::{ApiError, FieldError};

/// A vault environment and a destination.
#[derive(Debug, Clone)]
pub(in crate::integrations) struct Selection {
    pub(in crate::integrations) connection_id: Uuid,
    pub(in crate::integrations) project_id: String,
    pub(in crate::integrations) service_id: Option<String>,
    pub(in crate::integrations) keyway_environment: String,
    pub(in crate::integrations) provider_environment: String,
    pub(in crate::integrations) git_branch: Option<String>,
}

impl Selection {
    /// 422 naming each field that cannot be a provider's id or name.
    pub(in crate::integrations) fn check(&self) -> Result<(), ApiError> {
        let fields = [
            ("projectId", Some(&self.project_id)),
            ("serviceId", self.service_id.as_ref()),
            ("providerEnvironment", Some(&self.provider_environment)),
            ("gitBranch", self.git_branch.as_ref()),
        ];
        let errors: Vec<_> = fields
            .into_iter()
            .filter(|(_, text)| text.is_some_and(|text| !is_provider_ref(text)))
            .map(|(field, _)| FieldError::new(field, PROVIDER_REF_RULE))
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Validation(errors))
        }
    }

    /// 422 naming each field that the provider has no use for: ignoring it would write elsewhere.
    pub(super) fn fits(&self, provider: &Descriptor) -> Result<(), ApiError> {
        if self.service_id.is_some() && !provider.services {
            let message = format!("{} has no services", provider.display_name);
            return Err(ApiError::field("serviceId", message));
        }
        let narrows = provider.branch_environment == Some(self.provider_environment.as_str());
        if self.git_branch.is_some() && !narrows {
            let message = match provider.branch_environment {
                Some(name) => format!("can only narrow the environment {name}"),
                None => format!("cannot be used with {}", provider.display_name),
            };
            return Err(ApiError::field("gitBranch", message));
        }
        Ok(())
    }

    /// What the job stores of it, with every switch at its default.
    pub(super) fn request(&self, direction: Direction) -> SyncRequest {
        SyncRequest {
            service_id: self.service_id.clone(),
            git_branch: self.git_branch.clone(),
            ..SyncRequest::new(
                self.project_id.clone(),
                self.keyway_environment.clone(),
                self.provider_environment.clone(),
                direction,
            )
        }
    }
}

/// `production`, on both sides.
pub(in crate::integrations) fn production() -> String {
    "production".to_owned()
}

const fn push() -> Direction {
    Direction::Push
}

const fn all() -> DeleteScope {
    DeleteScope::All
}

const fn overwrite() -> OnConflict {
    OnConflict::Overwrite
}

const fn encrypted() -> VariableType {
    VariableType::Encrypted
}

/// What to sync, or what a sync is previewed of.
#[derive(Debug, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
#[schema(as = SyncRequest)]
pub(crate) struct SyncFields {
    /// The connection to use: one of yours.
    connection_id: Uuid,
    /// The project's id or name.
    #[schema(min_length = 1, max_length = 250, example = "prj_xxx")]
    #[param(min_length = 1, max_length = 250, example = "prj_xxx")]
    project_id: String,
    /// The service, for providers that have them.
    service_id: Option<String>,
    /// The vault's environment.
    #[serde(default = "production")]
    #[schema(default = "production")]
    #[param(required = false, default = "production")]
    keyway_environment: String,
    /// The provider's environment: a built-in name, or a custom environment's slug or id.
    #[serde(default = "production")]
    #[schema(default = "production")]
    #[param(required = false, default = "production")]
    provider_environment: String,
    /// A branch that narrows the provider's environment.
    git_branch: Option<String>,
    /// Which side is copied from: `push` from the vault, `pull` from the provider.
    #[serde(default = "push")]
    #[schema(value_type = String, pattern = "^(push|pull)$", default = "push")]
    #[param(value_type = String, required = false, pattern = "^(push|pull)$", default = "push")]
    direction: Direction,
    /// Whether the target may lose what the source does not have.
    #[serde(default)]
    #[param(required = false)]
    allow_delete: bool,
    /// What may be deleted: `all`, or what this vault environment wrote before.
    #[serde(default = "all")]
    #[schema(value_type = String, pattern = "^(all|managed)$", default = "all")]
    #[param(value_type = String, required = false, pattern = "^(all|managed)$", default = "all")]
    delete_scope: DeleteScope,
    /// What a pull does with a differing value of the vault.
    #[serde(default = "overwrite")]
    #[schema(value_type = String, pattern = "^(overwrite|skip)$", default = "overwrite")]
    #[param(value_type = String, required = false, pattern = "^(overwrite|skip)$", default = "overwrite")]
    on_conflict: OnConflict,
    /// Deleting everything because the source is empty is meant.
    #[serde(default)]
    #[param(required = false)]
    confirm_empty_source: bool,
    /// The type of new rows at a provider that tells them apart.
    #[serde(default = "encrypted")]
    #[schema(value_type = String, pattern = "^(encrypted|sensitive)$", default = "encrypted")]
    #[param(value_type = String, required = false, pattern = "^(encrypted|sensitive)$", default = "encrypted")]
    variable_type: VariableType,
}

impl SyncFields {
    /// What is named and what is asked, checked as far as the request alone tells.
    pub(super) fn into_parts(self) -> Result<(Selection, SyncRequest), ApiError> {
        let selection = Selection {
            connection_id: self.connection_id,
            project_id: self.project_id,
            service_id: self.service_id,
            keyway_environment: self.keyway_environment,
            provider_environment: self.provider_environment,
            git_branch: self.git_branch,
        };
        selection.check()?;
        let request = SyncRequest {
            allow_delete: self.allow_delete,
            delete_scope: self.delete_scope,
            on_conflict: self.on_conflict,
            confirm_empty_source: self.confirm_empty_source,
            variable_type: self.variable_type,
            ..selection.request(self.direction)
        };
        Ok((selection, request))
    }
}
