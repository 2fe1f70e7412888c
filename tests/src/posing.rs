//! The stand-in of Vercel, posing as a provider that can do what Vercel cannot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keyway_shared::domain::connection::{Credential, ProviderAccount};
use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::{
    Applied, ApplyOptions, Change, ChangeFailure, Cost, Departure, Descriptor, Grant, Journal,
    Project, Provider, ProviderError, Return, Revocation, RolledOut, Session, Split, Target,
};
use keyway_shared::secret::Secret;
use keyway_shared::sync::plan::Plan;
use keyway_shared::sync::remote::{Destination, RemoteValue, RemoteView};

/// What becomes of a rollout.
#[derive(Debug, Clone)]
pub enum Fate {
    /// The second of its two units keeps the old values.
    Half,
    /// Nothing is rolled out.
    Fails(ProviderError),
    /// It is never answered.
    Hangs,
}

#[derive(Debug, Default)]
struct State {
    fates: VecDeque<Fate>,
    rollouts: usize,
}

/// The provider.
pub struct Posing {
    inner: Arc<dyn Provider>,
    descriptor: Descriptor,
    state: Mutex<State>,
}

impl std::fmt::Debug for Posing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Posing")
    }
}

impl Posing {
    /// In front of a provider, with what it can do changed.
    pub fn new(inner: Arc<dyn Provider>, change: impl FnOnce(&mut Descriptor)) -> Self {
        let mut descriptor = inner.descriptor().clone();
        change(&mut descriptor);
        Self {
            inner,
            descriptor,
            state: Mutex::default(),
        }
    }

    /// Says what becomes of the rollouts that come next; of the others everything.
    pub fn next_rollouts(&self, fates: impl IntoIterator<Item = Fate>) {
        self.state().fates.extend(fates);
    }

    /// How many there were.
    pub fn rollouts(&self) -> usize {
        self.state().rollouts
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unit(name: &str, result: Result<(), ChangeFailure>) -> RolledOut {
    RolledOut {
        unit: format!("id-{name}"),
        name: Some(name.to_owned()),
        result,
    }
}

#[async_trait]
impl Provider for Posing {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn api_origin(&self) -> &str {
        self.inner.api_origin()
    }

    fn is_canonical_project(&self, project: &str) -> bool {
        self.inner.is_canonical_project(project)
    }

    fn authorize_url(&self, departure: &Departure<'_>) -> Option<String> {
        self.inner.authorize_url(departure)
    }

    async fn exchange_code(&self, back: &Return<'_>) -> Result<Grant, ProviderError> {
        self.inner.exchange_code(back).await
    }

    async fn account(&self, session: &Session) -> Result<ProviderAccount, ProviderError> {
        self.inner.account(session).await
    }

    fn revocation(&self, credential: &Credential) -> Revocation {
        self.inner.revocation(credential)
    }

    async fn projects(&self, session: &Session) -> Result<Vec<Project>, ProviderError> {
        self.inner.projects(session).await
    }

    async fn project(&self, session: &Session, project: &str) -> Result<Project, ProviderError> {
        self.inner.project(session, project).await
    }

    fn known_destination(&self, team_id: Option<&str>, target: &Target<'_>) -> Option<Destination> {
        self.inner.known_destination(team_id, target)
    }

    async fn destination(
        &self,
        session: &Session,
        target: &Target<'_>,
    ) -> Result<Destination, ProviderError> {
        self.inner.destination(session, target).await
    }

    async fn list(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<RemoteView, ProviderError> {
        self.inner.list(session, destination).await
    }

    async fn read(
        &self,
        session: &Session,
        destination: &Destination,
        row_id: &str,
    ) -> Result<(RemoteValue, Option<String>), ProviderError> {
        self.inner.read(session, destination, row_id).await
    }

    fn cost(&self, view: &RemoteView, destination: &Destination, plan: &Plan) -> Cost {
        self.inner.cost(view, destination, plan)
    }

    async fn apply(
        &self,
        session: &Session,
        destination: &Destination,
        view: &RemoteView,
        changes: &[Change],
        options: ApplyOptions,
        journal: &dyn Journal,
    ) -> Applied {
        let inner = &self.inner;
        inner
            .apply(session, destination, view, changes, options, journal)
            .await
    }

    async fn rollout(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<Vec<RolledOut>, ProviderError> {
        // For the leave that each call needs.
        self.inner.list(session, destination).await?;
        let fate = {
            let mut state = self.state();
            state.rollouts += 1;
            state.fates.pop_front()
        };
        let second = match fate {
            None => Ok(()),
            Some(Fate::Half) => Err(ChangeFailure {
                code: ErrorCode::Conflict,
                message: "somebody else has it".to_owned(),
            }),
            Some(Fate::Fails(error)) => return Err(error),
            Some(Fate::Hangs) => std::future::pending().await,
        };
        Ok(vec![unit("web", Ok(())), unit("worker", second)])
    }

    async fn close_split(
        &self,
        session: &Session,
        split: &Split,
        value: Option<&Secret>,
    ) -> Result<(), ProviderError> {
        self.inner.close_split(session, split, value).await
    }
}
