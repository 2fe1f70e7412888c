//! The fields of a sync and of its preview.

use keyway_shared::store::StoredPlan;
use keyway_shared::sync::filter;
use keyway_shared::sync::options::{DeleteScope, Direction, OnConflict, SyncRequest, VariableType};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::selection::{Selection, production};
use crate::error::{ApiError, FieldError};

/// What to sync, or what a sync is previewed of.
#[derive(Debug, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
#[schema(as = SyncRequest)]
pub(crate) struct SyncFields {
    /// The plan of a preview: the sync does exactly that, or answers 409 `plan-stale` having written
    /// nothing. Other fields may be left out; those given must agree with the plan.
    #[param(ignore)]
    pub(super) plan_id: Option<Uuid>,
    /// The connection to use: one of yours. Required without `planId`.
    #[param(required = true, nullable = false)]
    connection_id: Option<Uuid>,
    /// The project's id or name. Required without `planId`.
    #[schema(min_length = 1, max_length = 250, example = "prj_xxx")]
    #[param(
        required = true,
        nullable = false,
        min_length = 1,
        max_length = 250,
        example = "prj_xxx"
    )]
    project_id: Option<String>,
    /// The service, for providers that have them.
    service_id: Option<String>,
    /// The vault's environment.
    #[schema(default = "production")]
    #[param(default = "production")]
    keyway_environment: Option<String>,
    /// The provider's environment: a built-in name, or a custom environment's slug or id.
    #[schema(default = "production")]
    #[param(default = "production")]
    provider_environment: Option<String>,
    /// A branch that narrows the provider's environment.
    git_branch: Option<String>,
    /// Which side is copied from: `push` from the vault, `pull` from the provider.
    #[schema(value_type = Option<String>, pattern = "^(push|pull)$", default = "push")]
    #[param(value_type = Option<String>, pattern = "^(push|pull)$", default = "push")]
    direction: Option<Direction>,
    /// Whether the target may lose what the source does not have.
    #[schema(default = false)]
    #[param(default = false)]
    allow_delete: Option<bool>,
    /// What may be deleted: `all`, or what this vault environment wrote before.
    #[schema(value_type = Option<String>, pattern = "^(all|managed)$", default = "all")]
    #[param(value_type = Option<String>, pattern = "^(all|managed)$", default = "all")]
    delete_scope: Option<DeleteScope>,
    /// What a pull does with a differing value of the vault.
    #[schema(value_type = Option<String>, pattern = "^(overwrite|skip)$", default = "overwrite")]
    #[param(value_type = Option<String>, pattern = "^(overwrite|skip)$", default = "overwrite")]
    on_conflict: Option<OnConflict>,
    /// Deleting everything because the source is empty is meant.
    #[schema(default = false)]
    #[param(default = false)]
    confirm_empty_source: Option<bool>,
    /// The type of new rows at a provider that tells them apart.
    #[schema(value_type = Option<String>, pattern = "^(encrypted|sensitive)$", default = "encrypted")]
    #[param(value_type = Option<String>, pattern = "^(encrypted|sensitive)$", default = "encrypted")]
    variable_type: Option<VariableType>,
    /// Globs of the keys that take part (`*`, `?`, `[AB]`, `{A,B}`; case counts). What is left out is
    /// not compared, not written and never deleted. A query repeats the parameter.
    #[schema(min_items = 1, max_items = 100, example = json!(["DB_*"]))]
    #[param(min_items = 1, max_items = 100)]
    include: Option<Vec<String>>,
    /// Globs of keys that do not take part, even if `include` has them.
    #[schema(min_items = 1, max_items = 100, example = json!(["*_TEST"]))]
    #[param(min_items = 1, max_items = 100)]
    exclude: Option<Vec<String>>,
    /// What the names of the keys that take part begin with.
    #[schema(min_length = 1, max_length = 256, example = "APP_")]
    #[param(min_length = 1, max_length = 256, example = "APP_")]
    prefix: Option<String>,
    /// Whether every value that can be read is read, whatever is remembered of it.
    #[schema(default = false)]
    #[param(default = false)]
    verify: Option<bool>,
    /// Whether values that refer to other variables at the provider, where it resolves such, are meant to:
    /// a push leaves them out otherwise.
    #[schema(default = false)]
    #[param(default = false)]
    allow_references: Option<bool>,
    /// Whether a push puts into effect what it wrote, at providers where that is a step of its own
    /// (`capabilities.rollout`), once all of it is written.
    #[schema(default = false)]
    #[param(default = false)]
    rollout: Option<bool>,
}

impl SyncFields {
    /// What is named and what is asked, checked as far as the request alone tells.
    pub(super) fn into_parts(self) -> Result<(Selection, SyncRequest), ApiError> {
        let mut missing = Vec::new();
        for (field, given) in [
            ("connectionId", self.connection_id.is_some()),
            ("projectId", self.project_id.is_some()),
        ] {
            if !given {
                missing.push(FieldError::new(field, "is required"));
            }
        }
        let (Some(connection_id), Some(project_id)) = (self.connection_id, self.project_id) else {
            return Err(ApiError::Validation(missing));
        };
        let selection = Selection {
            connection_id,
            project_id,
            service_id: self.service_id,
            keyway_environment: self.keyway_environment.unwrap_or_else(production),
            provider_environment: self.provider_environment.unwrap_or_else(production),
            git_branch: self.git_branch,
        };
        selection.check()?;
        let defaults = selection.request(self.direction.unwrap_or(Direction::Push));
        let request = SyncRequest {
            allow_delete: self.allow_delete.unwrap_or(defaults.allow_delete),
            delete_scope: self.delete_scope.unwrap_or(defaults.delete_scope),
            on_conflict: self.on_conflict.unwrap_or(defaults.on_conflict),
            confirm_empty_source: self
                .confirm_empty_source
                .unwrap_or(defaults.confirm_empty_source),
            variable_type: self.variable_type.unwrap_or(defaults.variable_type),
            include: self.include,
            exclude: self.exclude,
            prefix: self.prefix,
            verify: self.verify.unwrap_or(defaults.verify),
            allow_references: self.allow_references.unwrap_or(defaults.allow_references),
            rollout: self.rollout.unwrap_or(defaults.rollout),
            ..defaults
        };
        check_filter(
            request.include.as_deref(),
            request.exclude.as_deref(),
            request.prefix.as_deref(),
        )?;
        Ok((selection, request))
    }

    /// What a plan names and asks, when whatever else was sent agrees with it.
    pub(super) fn into_parts_of(
        self,
        plan: StoredPlan,
    ) -> Result<(Selection, SyncRequest), ApiError> {
        let different = self.different_from(&plan);
        if !different.is_empty() {
            return Err(ApiError::Validation(different));
        }
        let request = plan.request;
        let selection = Selection {
            connection_id: plan.connection_id,
            project_id: request.project_id.clone(),
            service_id: request.service_id.clone(),
            keyway_environment: request.keyway_environment.clone(),
            provider_environment: request.provider_environment.clone(),
            git_branch: request.git_branch.clone(),
        };
        let request = SyncRequest {
            plan_id: Some(plan.id),
            ..request
        };
        Ok((selection, request))
    }

    /// The fields that were sent and are not the plan's.
    fn different_from(&self, plan: &StoredPlan) -> Vec<FieldError> {
        let of = &plan.request;
        let agreements = [
            (
                "connectionId",
                fits(self.connection_id.as_ref(), &plan.connection_id),
            ),
            ("projectId", fits(self.project_id.as_ref(), &of.project_id)),
            ("serviceId", fits(self.service_id.as_ref(), &of.service_id)),
            (
                "keywayEnvironment",
                fits(self.keyway_environment.as_ref(), &of.keyway_environment),
            ),
            (
                "providerEnvironment",
                fits(self.provider_environment.as_ref(), &of.provider_environment),
            ),
            ("gitBranch", fits(self.git_branch.as_ref(), &of.git_branch)),
            ("direction", fits(self.direction.as_ref(), &of.direction)),
            (
                "allowDelete",
                fits(self.allow_delete.as_ref(), &of.allow_delete),
            ),
            (
                "deleteScope",
                fits(self.delete_scope.as_ref(), &of.delete_scope),
            ),
            (
                "onConflict",
                fits(self.on_conflict.as_ref(), &of.on_conflict),
            ),
            (
                "confirmEmptySource",
                fits(self.confirm_empty_source.as_ref(), &of.confirm_empty_source),
            ),
            (
                "variableType",
                fits(self.variable_type.as_ref(), &of.variable_type),
            ),
            ("include", fits(self.include.as_ref(), &of.include)),
            ("exclude", fits(self.exclude.as_ref(), &of.exclude)),
            ("prefix", fits(self.prefix.as_ref(), &of.prefix)),
            ("verify", fits(self.verify.as_ref(), &of.verify)),
            (
                "allowReferences",
                fits(self.allow_references.as_ref(), &of.allow_references),
            ),
            ("rollout", fits(self.rollout.as_ref(), &of.rollout)),
        ];
        let different = agreements.into_iter().filter(|(_, agrees)| !agrees);
        different
            .map(|(field, _)| FieldError::new(field, "differs from the plan's"))
            .collect()
    }
}

/// What was not sent fits everything.
fn fits<'a, T>(given: Option<&'a T>, planned: impl Into<Option<&'a T>>) -> bool
where
    T: PartialEq + 'a,
{
    given.is_none() || given == planned.into()
}

/// 422 naming the part of a filter that cannot be one.
pub(in crate::integrations) fn check_filter(
    include: Option<&[String]>,
    exclude: Option<&[String]>,
    prefix: Option<&str>,
) -> Result<(), ApiError> {
    let lists = [("include", include), ("exclude", exclude)];
    let lists = lists.into_iter().filter_map(|(field, patterns)| {
        let error = filter::globs(patterns?).err()?;
        Some(FieldError::new(field, error.to_string()))
    });
    let prefix = prefix.and_then(|prefix| {
        let error = filter::checked(prefix).err()?;
        Some(FieldError::new("prefix", error.to_string()))
    });
    let errors: Vec<_> = lists.chain(prefix).collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Validation(errors))
    }
}
