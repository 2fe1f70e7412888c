//! `DELETE /v1/integrations/connections/{id}`

use axum::extract::State;
use keyway_shared::domain::access::may_touch;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::connection::Connection;
use keyway_shared::domain::vault::EnvironmentKind;
use keyway_shared::providers::Revocation;
use keyway_shared::store::Tx;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::give_back::{GivenBack, give_back};
use crate::auth::test_keys;
use crate::error::ApiError;
use crate::extract::{Caller, Path, Query};
use crate::schema::{Conflicting, Guarded, Invalid, Missing};
use crate::state::ApiState;

/// What is wanted at the provider.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wish {
    /// Whether the credential is to be revoked at the provider. Without it: where that does nothing else.
    /// At Vercel a connection by OAuth is an installation, and **removing that removes every variable that
    /// was written through it**: this happens only with `true`, which needs `delete:secrets`, no test key, and
    /// no other connection with that installation. A pasted token cannot be revoked by a call.
    revoke: Option<bool>,
}

/// Delete a connection
///
/// Forgets the credential and cancels its jobs: those that wait end now, one that runs stops before its
/// next call. What was synced stays at the provider. Links that use it stay and pause as `disconnected`:
/// connecting the same account again brings the connection back and lets them go on, and each can be given
/// another connection. The header `Keyway-Revocation` tells what became of the credential at the provider:
/// `revoked`, `kept`, `failed` (the provider did not answer or refused), or `by-hand` (delete the token on the
/// provider's pages). Needs `write:secrets`; a test key ends none that production uses.
#[utoipa::path(
    delete,
    path = "/v1/integrations/connections/{id}",
    operation_id = "delete_connection",
    tag = "integrations",
    params(("id" = Uuid, Path, description = "The connection."), Wish),
    responses(
        (status = 204, description = "It is gone.",
            headers(("Keyway-Revocation" = String, description = "What became of the credential."))),
        Guarded, Missing, Conflicting, Invalid
    )
)]
pub(crate) async fn delete_connection(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(wish): Query<Wish>,
) -> Result<GivenBack, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let mut tx = state.store.begin().await?;
    let connection = may_delete(&mut tx, &caller, id).await?;
    if wish.revoke == Some(true) && takes_variables(&mut tx, &state, &caller, id).await? {
        may_take_variables(&mut tx, &caller, &connection).await?;
        // It cannot be taken back, so it is noted before, whatever comes of the rest.
        let now = tx.now().await?;
        let asked = serde_json::json!({ "provider": connection.provider, "revocation": "asked" });
        let action = Action::IntegrationDisconnected;
        let entry = caller.activity(state.ambient.new_id(), now, action, None, asked);
        tx.insert_activity(&entry).await?;
    }
    tx.commit().await?;
    // First at the provider: should we get no further, the connection is still here, is found dead when
    // it is used next, and can be deleted again. The other way round nobody would have the credential
    // any more that the provider still takes.
    let given_back = give_back(&state, caller.user.id, id, wish.revoke).await;
    let mut tx = state.store.begin().await?;
    let connection = may_delete(&mut tx, &caller, id).await?;
    let now = tx.now().await?;
    let cancelled = tx.cancel_connection_jobs(id, now).await?;
    let links = tx
        .disconnect(caller.user.id, id, now)
        .await?
        .ok_or_else(|| ApiError::not_found("connection"))?;
    let entry = caller.activity(
        state.ambient.new_id(),
        now,
        Action::IntegrationDisconnected,
        None,
        serde_json::json!({
            "provider": connection.provider,
            "cancelledJobs": cancelled.len(),
            "pausedLinks": links,
            "revocation": given_back,
        }),
    );
    tx.insert_activity(&entry).await?;
    tx.commit().await?;
    for (job, _) in cancelled {
        state.queue.announce(job).await;
    }
    Ok(given_back)
}

/// Whether revoking the credential removes what was written with it.
async fn takes_variables(
    tx: &mut Tx,
    state: &ApiState,
    caller: &Caller,
    id: Uuid,
) -> Result<bool, ApiError> {
    let found = tx.connection_credential(caller.user.id, id).await?;
    Ok(found.is_some_and(|(connection, credential)| {
        let provider = state.providers.get(connection.provider);
        provider.is_some_and(|it| it.revocation(&credential) == Revocation::WithVariables)
    }))
}

/// 403 unless the caller may delete secrets, in production too, which is not known to be left out; 409
/// when the installation is not this connection's alone.
async fn may_take_variables(
    tx: &mut Tx,
    caller: &Caller,
    connection: &Connection,
) -> Result<(), ApiError> {
    caller.require(Scope::DeleteSecrets)?;
    may_touch(caller.key_environment(), EnvironmentKind::Protected)?;
    if tx.is_installation_shared(connection).await? {
        return Err(ApiError::conflict(
            "Other connections use the same installation: removing it would end them, and remove what \
             they wrote. Delete the connection without revoke, or remove the integration at the provider",
        ));
    }
    Ok(())
}

/// 404 when there is none, and 403 when the caller may not end it.
async fn may_delete(tx: &mut Tx, caller: &Caller, id: Uuid) -> Result<Connection, ApiError> {
    let connection = tx.find_connection(caller.user.id, id).await?;
    let connection = connection.ok_or_else(|| ApiError::not_found("connection"))?;
    test_keys::may_change_connection(tx, caller, id).await?;
    Ok(connection)
}
