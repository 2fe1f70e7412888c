//! Giving a link another connection: what saving it with that connection would ask.

use keyway_shared::domain::connection::Connection;
use keyway_shared::domain::link::Link;
use keyway_shared::domain::vault::Role;
use keyway_shared::providers::{ProviderError, Target};
use keyway_shared::store::{Constraint, StoreError, Tx};
use uuid::Uuid;

use super::may_run;
use crate::error::ApiError;
use crate::extract::{Caller, VaultPath};
use crate::integrations::outside::{self, Line};
use crate::state::ApiState;

/// Asks the provider whether a connection of the caller's reaches the link's destination: the same
/// project, and the same environment. Whether the caller may is looked at before, and by whoever then
/// changes the link.
pub(super) async fn reaches(
    state: &ApiState,
    caller: &Caller,
    vault: &VaultPath,
    link_id: Uuid,
    connection_id: Uuid,
) -> Result<(), ApiError> {
    let mut tx = state.store.begin_read().await?;
    let access = vault.open(&mut tx, caller, Role::Write).await?;
    let link = tx
        .find_link(access.vault.id, link_id)
        .await?
        .ok_or_else(|| ApiError::not_found("link"))?;
    may_run(&mut tx, caller, &access, &link).await?;
    let connection = tx.find_connection(caller.user.id, connection_id).await?;
    let connection = connection.ok_or_else(|| ApiError::not_found("connection"))?;
    tx.commit().await?;
    fits(&link, &connection)?;
    let line = Line::open(state, caller.user.id, connection_id).await?;
    match is_same_place(&line, &link).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(ApiError::conflict(
            "With that connection the link's names stand for another project or environment",
        )),
        Err(error) => Err(line.failed(state, error).await),
    }
}

/// Keeps a connection of the caller's from being given up until a link has it: 404 when it was.
pub(super) async fn hold(tx: &mut Tx, caller: &Caller, id: Uuid) -> Result<(), ApiError> {
    let held = tx.hold_connection(caller.user.id, id).await?;
    held.then_some(())
        .ok_or_else(|| ApiError::not_found("connection"))
}

/// 409 when the connection has a link of the same pair.
pub(super) fn has_one(error: &StoreError) -> Option<ApiError> {
    matches!(error, StoreError::Conflict(Constraint::LinksDestination))
        .then(|| ApiError::conflict("That connection has a link of this pair already"))
}

fn fits(link: &Link, connection: &Connection) -> Result<(), ApiError> {
    if connection.provider != link.provider {
        let message = format!("must be a connection with {}", link.provider);
        return Err(ApiError::field("connectionId", message));
    }
    outside::usable(connection)
}

async fn is_same_place(line: &Line, link: &Link) -> Result<bool, ProviderError> {
    let (provider, session) = (&line.provider, &line.session);
    let project = provider.project(session, &link.project_id).await?;
    let destination = provider
        .destination(
            session,
            &Target {
                project_id: &project.id,
                service_id: link.service_id.as_deref(),
                environment: &link.provider_environment,
                branch: link.git_branch.as_deref(),
            },
        )
        .await?;
    // One that was saved before environments were resolved has the name for the provider's own.
    let is_unresolved = link.scope == link.provider_environment;
    Ok(project.id == link.project_id && (destination.scope == link.scope || is_unresolved))
}
