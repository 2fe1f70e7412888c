//! What the jobs do. Each run looks at both sides anew: what an earlier run saw is not the state.

mod authority;
mod deliver;
mod finished;
mod journal;
mod learnt;
mod link_run;
mod memory;
mod outcomes;
mod pull;
mod push;
mod refusal;
mod renewals;
mod repair;
mod rollout;
mod scene;
mod views;

use std::sync::{Arc, Mutex, PoisonError};

use keyway_shared::domain::connection::{Connection, Credential};
use keyway_shared::domain::job::{Job, JobClass, JobKind};
use keyway_shared::providers::{Calls, Provider, ProviderError, Session, Unguarded};
use keyway_shared::sync::options::Direction;
use uuid::Uuid;

use crate::engine::gatekeeper::Gatekeeper;
use crate::engine::guard::{Guard, Stop};
use crate::engine::{Engine, Failure, Outcome};
pub(crate) use finished::{Finished, tell_overdue};
pub(crate) use learnt::Learnt;

/// One run of a job.
pub(crate) struct Run<'a> {
    engine: &'a Engine,
    job: &'a Job,
    lease_id: Uuid,
    guard: Arc<Guard>,
    calls: Arc<Calls>,
    /// What is true whatever becomes of the run: written down when it ends, in whatever way.
    learnt: Mutex<Learnt>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(engine: &'a Engine, job: &'a Job, lease_id: Uuid, guard: Arc<Guard>) -> Self {
        // Nobody calls with these; those of each credential are counted with them.
        let calls =
            Calls::new(Arc::new(Unguarded)).with_request_id(format!("{}.{}", job.id, job.run));
        Self {
            engine,
            job,
            lease_id,
            calls: Arc::new(calls),
            guard,
            learnt: Mutex::default(),
        }
    }

    pub(crate) fn calls_made(&self) -> u64 {
        self.calls.made()
    }

    pub(crate) fn into_learnt(self) -> Learnt {
        self.learnt
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn execute(&self) -> Outcome {
        let done = match (self.job.kind, self.job.request.direction) {
            (JobKind::Sync, Direction::Push) => self.push().await,
            (JobKind::Sync, Direction::Pull) => self.pull().await,
            (JobKind::Preview, _) => self.preview().await,
            (JobKind::Diff, _) => self.diff().await,
            (JobKind::Status, _) => self.status().await,
            (JobKind::Webhook, _) => self.deliver().await,
        };
        match done {
            Ok(finished) => Outcome::Done(Box::new(finished)),
            Err(Failure::Provider(ProviderError::Stopped)) => Outcome::Again(Failure::Stopped(
                // Refused for a write only: the lease is too short for one, and so in doubt.
                self.guard.stop(true).unwrap_or(Stop::LeaseLost),
            )),
            Err(Failure::Provider(error)) if error.is_failure_of_provider() => {
                // It is not this job's alone, and does not count against it.
                let error = match self.guard.held_until() {
                    Some(until) => ProviderError::Held { until },
                    None => error,
                };
                Outcome::Again(Failure::Provider(error))
            }
            Err(failure) => Outcome::Again(failure),
        }
    }

    /// Nobody waits for it, and nobody has seen what it will do.
    fn is_automatic(&self) -> bool {
        self.job.class == JobClass::Background
    }

    fn learn(&self, change: impl FnOnce(&mut Learnt)) {
        change(&mut self.learnt.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A credential, with the leave to use it.
    fn session(
        &self,
        provider: &dyn Provider,
        connection: &Connection,
        credential: Credential,
    ) -> Session {
        let guard = Arc::clone(&self.guard);
        let keeper = Gatekeeper::new(self.engine, guard, self.job, provider, connection);
        Session {
            credential,
            calls: Arc::new(self.calls.under(Arc::new(keeper))),
        }
    }
}
