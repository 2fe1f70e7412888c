//! From names in a request to what they stand for, in the unit of work that accepts the job.

use std::sync::Arc;

use keyway_shared::domain::access::{Asker, Denied};
use keyway_shared::domain::connection::Connection;
use keyway_shared::domain::job::{JobClass, JobKind, NewJob, project_key};
use keyway_shared::domain::vault::{Environment, Role, VaultAccess};
use keyway_shared::providers::Provider;
use keyway_shared::store::Tx;
use keyway_shared::sync::options::SyncRequest;
use uuid::Uuid;

use super::selection::{Selection, can_be_done};
use crate::error::{ApiError, ConflictCode};
use crate::extract::{Caller, VaultPath};
use crate::idempotency::{self, rests_on_role};
use crate::integrations::outside;
use crate::jobs::Pending;
use crate::state::ApiState;

/// What a request's names stand for.
pub(crate) struct Opened {
    pub(crate) access: VaultAccess,
    pub(crate) environment: Environment,
    pub(crate) connection: Connection,
    pub(crate) provider: Arc<dyn Provider>,
}

impl Opened {
    /// 403 unless the caller may do this with the environment.
    pub(in crate::integrations) fn admit(
        &self,
        caller: &Caller,
        kind: JobKind,
        request: &SyncRequest,
    ) -> Result<(), ApiError> {
        let asker = caller.asker(self.access.role);
        Ok(asker.may_run(kind, request, &self.environment)?)
    }

    /// 403 unless the caller has this role in the vault.
    pub(in crate::integrations) fn require(&self, needed: Role) -> Result<(), ApiError> {
        let VaultAccess { vault, role } = &self.access;
        if *role < needed {
            return Err(ApiError::role(needed, *role));
        }
        rests_on_role(vault.id, needed);
        Ok(())
    }
}

/// Looks everything up: 404 for what is not there or not the caller's, 403 for what the caller may not
/// do with it, 409 for a connection that is known not to work.
pub(in crate::integrations) async fn open(
    tx: &mut Tx,
    state: &ApiState,
    caller: &Caller,
    path: &VaultPath,
    selection: &Selection,
    kind: JobKind,
    request: &SyncRequest,
) -> Result<Opened, ApiError> {
    let may = |asker: Asker, environment: &Environment| asker.may_run(kind, request, environment);
    let opened = look_up(tx, state, caller, path, selection, may).await?;
    can_be_done(request, opened.provider.descriptor())?;
    Ok(opened)
}

/// The same, where what is asked of the environment is not the whole of the job.
pub(in crate::integrations) async fn look_up(
    tx: &mut Tx,
    state: &ApiState,
    caller: &Caller,
    path: &VaultPath,
    selection: &Selection,
    may: impl FnOnce(Asker, &Environment) -> Result<(), Denied>,
) -> Result<Opened, ApiError> {
    let access = path.open(tx, caller, Role::Read).await?;
    let environment = environment(tx, &access, &selection.keyway_environment).await?;
    may(caller.asker(access.role), &environment)?;
    let connection = tx
        .find_connection(caller.user.id, selection.connection_id)
        .await?
        .ok_or_else(|| ApiError::not_found("connection"))?;
    let provider = outside::provider(state, connection.provider)?;
    selection.fits(provider.descriptor())?;
    outside::usable(&connection)?;
    Ok(Opened {
        access,
        environment,
        connection,
        provider,
    })
}

async fn environment(
    tx: &mut Tx,
    access: &VaultAccess,
    name: &str,
) -> Result<Environment, ApiError> {
    let mut known = tx.list_environments(access.vault.id).await?;
    if let Some(at) = known.iter().position(|known| known.name == name) {
        return Ok(known.swap_remove(at));
    }
    let known: Vec<_> = known.into_iter().map(|known| known.name).collect();
    Err(ApiError::NotFound(
        format!("Environment not found. The vault has: {}", known.join(", ")).into(),
    ))
}

/// Accepts the job in the unit of work in which everything was looked up, so that it is accepted
/// under the rights that hold at that moment.
pub(crate) async fn accept(
    mut tx: Tx,
    state: &ApiState,
    caller: &Caller,
    opened: Opened,
    kind: JobKind,
    request: SyncRequest,
    retry_of: Option<Uuid>,
) -> Result<Pending, ApiError> {
    // The request was here before, and may still be made: its job does for it.
    if let Some(job) = idempotency::made_before() {
        return Ok(Pending::new(state, job));
    }
    let Opened {
        access,
        environment,
        connection,
        provider,
    } = opened;
    // A name is resolved by the worker; until then the job cannot take the project.
    let writes = kind == JobKind::Sync && provider.is_canonical_project(&request.project_id);
    let project_key = writes.then(|| {
        project_key(
            connection.provider,
            provider.api_origin(),
            &request.project_id,
        )
    });
    let now = tx.now().await?;
    let job = NewJob {
        id: state.ambient.new_id(),
        kind,
        class: JobClass::Interactive,
        user_id: caller.user.id,
        vault_id: access.vault.id,
        environment_id: environment.id,
        connection_id: connection.id,
        project_key,
        request,
        retry_of,
        api_key_id: caller.credential.api_key_id(),
        asked: Some(caller.asked()),
        created_at: now,
        deadline_at: now + state.options.job_deadline,
    };
    let (pending, is_new) = Pending::accept(state, &mut tx, &job).await?;
    // Of equal requests with a plan, the first uses it.
    if let Some(plan_id) = job.request.plan_id.filter(|_| is_new)
        && !tx.use_plan(plan_id, job.id, now).await?
    {
        return Err(ApiError::Conflict(
            ConflictCode::PlanStale,
            "The plan was used, or has expired. Preview again".into(),
        ));
    }
    idempotency::bind(&mut tx, pending.id()).await?;
    tx.commit().await?;
    pending.ring(state).await;
    Ok(pending)
}
