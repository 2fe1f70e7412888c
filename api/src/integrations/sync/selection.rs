//! What every request about a destination names, and its rules.

use keyway_shared::domain::names::{PROVIDER_REF_RULE, is_provider_ref};
use keyway_shared::providers::Descriptor;
use keyway_shared::providers::capabilities::{Reading, Rollout};
use keyway_shared::sync::options::{Direction, SyncRequest, VariableType};
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
        let narrows = provider.environments.branches == Some(self.provider_environment.as_str());
        if self.git_branch.is_some() && !narrows {
            let message = match provider.environments.branches {
                Some(name) => format!("can only narrow the environment {name}"),
                None => format!("cannot be used with {}", provider.display_name),
            };
            return Err(ApiError::field("gitBranch", message));
        }
        Ok(())
    }

    /// What the job stores of it, with every switch at its default.
    pub(in crate::integrations) fn request(&self, direction: Direction) -> SyncRequest {
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

/// 422 naming what nothing of the request could do with this provider.
pub(in crate::integrations) fn can_be_done(
    request: &SyncRequest,
    provider: &Descriptor,
) -> Result<(), ApiError> {
    if request.direction == Direction::Pull && provider.values.reading == Reading::Digest {
        let name = provider.display_name;
        let message = format!("{name} never shows values: nothing can be pulled from it");
        return Err(ApiError::field("direction", message));
    }
    let values = provider.values;
    let hides =
        values.reading == Reading::Digest || values.write_only.is_some_and(|kind| kind.can_be_made);
    if request.variable_type == VariableType::Sensitive && !hides {
        let name = provider.display_name;
        let message = format!("{name} has no call that makes a variable which nobody can read");
        return Err(ApiError::field("variableType", message));
    }
    if !request.rollout {
        return Ok(());
    }
    if request.direction != Direction::Push {
        return Err(ApiError::field("rollout", "can only be used with a push"));
    }
    let refuse = |message: String| Err(ApiError::field("rollout", message));
    let name = provider.display_name;
    let Some(rollout) = provider.writes.rollout else {
        return refuse(format!("cannot be used with {name}"));
    };
    if let Some(only) = provider.writes.rollout_of
        && request.provider_environment != only
    {
        return refuse(format!(
            "can only be used with the environment {only} of {name}"
        ));
    }
    // What services share is put into effect by each of them, and which those are is not known here.
    if rollout == Rollout::Redeploy && provider.services && request.service_id.is_none() {
        return refuse("needs a serviceId".to_owned());
    }
    Ok(())
}

/// `production`, on both sides.
pub(in crate::integrations) fn production() -> String {
    "production".to_owned()
}
