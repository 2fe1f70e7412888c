//! Where values go: an environment, and a service in it or what its services share.

use super::client::Client;
use super::errors::invalid;
use super::projects::{Whole, by_id, is_id};
use crate::domain::names::shown_name;
use crate::providers::{ProviderError, Session, Target};
use crate::sync::remote::Destination;

/// The destination when everything is given by its id. Whether there is one is for the next call to
/// find out, which names the project as well.
pub(super) fn known(target: &Target<'_>) -> Option<Destination> {
    let ids = [
        Some(target.project_id),
        Some(target.environment),
        target.service_id,
    ];
    let known = target.branch.is_none() && ids.into_iter().flatten().all(is_id);
    known.then(|| destination(target, target.environment, target.service_id))
}

/// Resolves names with one call.
pub(super) async fn resolve(
    client: &Client,
    session: &Session,
    target: &Target<'_>,
) -> Result<Destination, ProviderError> {
    if target.branch.is_some() {
        let message = "At Railway no environment can be narrowed to a branch.";
        return Err(invalid("branch", message));
    }
    if let Some(known) = known(target) {
        return Ok(known);
    }
    let project = by_id(client, session, target.project_id).await?;
    let environment = environment(&project, target.environment)?;
    let service = match target.service_id {
        Some(name) => Some(service(&project, name)?),
        None => None,
    };
    Ok(destination(target, environment, service))
}

fn destination(target: &Target<'_>, environment: &str, service: Option<&str>) -> Destination {
    Destination {
        project_id: target.project_id.to_owned(),
        owner_id: None,
        service_id: service.map(ToOwned::to_owned),
        scope: environment.to_owned(),
        custom: true,
        branch: None,
    }
}

/// The id of an environment that the credential may open.
fn environment<'p>(project: &'p Whole, given: &str) -> Result<&'p str, ProviderError> {
    let all = &project.environments;
    let by_id = all.iter().find(|found| found.id == given);
    let mut by_name = all.iter().filter(|found| found.name == given);
    let found = match (by_id, by_name.next(), by_name.next()) {
        (Some(found), ..) | (None, Some(found), None) => found,
        (None, None, _) => {
            return Err(ProviderError::UnknownEnvironment {
                known: project.environment_names(),
            });
        }
        (None, Some(_), Some(_)) => {
            return Err(invalid(
                "ambiguous_environment",
                "Several environments of the project have this name; give the environment's id.",
            ));
        }
    };
    if found.can_access {
        Ok(&found.id)
    } else {
        Err(invalid(
            "restricted_environment",
            "The environment is restricted at Railway, and the connection may not open it.",
        ))
    }
}

/// The id of a service.
fn service<'p>(project: &'p Whole, given: &str) -> Result<&'p str, ProviderError> {
    let all = &project.services;
    let by_id = all.iter().find(|found| found.id == given);
    let mut by_name = all.iter().filter(|found| found.name == given);
    match (by_id, by_name.next(), by_name.next()) {
        (Some(found), ..) | (None, Some(found), None) => Ok(&found.id),
        (None, None, _) => {
            let names = all.iter().filter_map(|found| shown_name(&found.name));
            let names = names.collect::<Vec<_>>().join(", ");
            Err(invalid(
                "unknown_service",
                format!("serviceId must be one of the project's services: {names}"),
            ))
        }
        (None, Some(_), Some(_)) => Err(invalid(
            "ambiguous_service",
            "Several services of the project have this name; give the service's id.",
        )),
    }
}
