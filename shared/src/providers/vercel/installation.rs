//! The installation that a token belongs to, after it was made.

use super::client::Client;
use crate::domain::connection::Credential;
use crate::providers::{ProviderError, Revocation, Session};

/// Only an installation can be removed by a call, and Vercel removes with it whatever variables it made.
pub(super) fn revocation(credential: &Credential) -> Revocation {
    if credential.installation_id.is_some() {
        Revocation::WithVariables
    } else {
        Revocation::ByHand
    }
}

/// Removes the installation. Its token is worthless once it is gone, so one that is refused says that
/// it is; a missing right does not.
pub(super) async fn remove(client: &Client, session: &Session) -> Result<(), ProviderError> {
    let Some(id) = &session.credential.installation_id else {
        return Err(ProviderError::NotFound);
    };
    match client.remove_configuration(session, id).await {
        Ok(()) => Ok(()),
        Err(failure) => match failure.error {
            ProviderError::Unauthorized | ProviderError::NotFound => Ok(()),
            error => Err(error),
        },
    }
}
