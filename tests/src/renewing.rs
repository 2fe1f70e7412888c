//! A provider whose tokens end and are renewed, as Railway's: in front of the stand-in of Vercel, which
//! knows no such thing. A refresh token works once; whoever uses one a second time ends the whole
//! authorization.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::connection::{Credential, ProviderAccount, ProviderName, TokenPair};
use keyway_shared::providers::{
    Applied, ApplyOptions, Change, Cost, Departure, Descriptor, Grant, Journal, Project, Provider,
    ProviderError, Return, Revocation, Session, Split, Target,
};
use keyway_shared::secret::Secret;
use keyway_shared::sync::plan::Plan;
use keyway_shared::sync::remote::{Destination, RemoteValue, RemoteView};
use keyway_simulator::vercel::TOKEN;
use tokio::sync::Semaphore;

use crate::leaks;

/// How long a token lasts.
pub const LIFETIME: Duration = Duration::from_hours(1);

/// What becomes of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is answered when [`Renewing::go_on`] says so.
    Slow,
    /// It has its effect, and its answer is lost.
    Lost,
    /// Nothing happens.
    Away,
    /// It is answered with a token that does not work.
    Dud,
}

#[derive(Debug, Default)]
struct State {
    serial: u32,
    access: BTreeMap<String, DateTime<Utc>>,
    refresh: Option<String>,
    used: BTreeSet<String>,
    fates: VecDeque<Fate>,
    renewals: usize,
    reuses: usize,
    holds_next: bool,
    ends_at_write: bool,
}

/// The provider.
pub struct Renewing {
    inner: Arc<dyn Provider>,
    descriptor: Descriptor,
    ambient: Ambient,
    state: Mutex<State>,
    slow: Semaphore,
    held: Semaphore,
}

impl std::fmt::Debug for Renewing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Renewing")
    }
}

impl Renewing {
    /// In front of a provider that takes the token [`TOKEN`].
    pub fn new(inner: Arc<dyn Provider>, ambient: Ambient) -> Self {
        let descriptor = Descriptor {
            name: ProviderName::Railway,
            ..inner.descriptor().clone()
        };
        Self {
            inner,
            descriptor,
            ambient,
            state: Mutex::default(),
            slow: Semaphore::new(0),
            held: Semaphore::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new authorization.
    pub fn authorize(&self) -> TokenPair {
        let mut state = self.state();
        state.access.clear();
        self.issue(&mut state, true)
    }

    fn issue(&self, state: &mut State, works: bool) -> TokenPair {
        state.serial += 1;
        let access = format!("access-{}-canary", state.serial);
        let refresh = format!("refresh-{}-canary", state.serial);
        leaks::plant(&access);
        leaks::plant(&refresh);
        let end = self.ambient.now() + LIFETIME;
        if works {
            state.access.insert(access.clone(), end);
        }
        state.refresh = Some(refresh.clone());
        TokenPair {
            access: Secret::new(access),
            refresh: Some(Secret::new(refresh)),
            expires_at: Some(end),
        }
    }

    /// Says what becomes of the renewals that come next.
    pub fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        self.state().fates.extend(fates);
    }

    /// Lets a slow renewal be answered, or a call that is held.
    pub fn go_on(&self) {
        self.slow.add_permits(1);
    }

    /// Holds the next list, of projects or of variables, until [`Renewing::go_on`].
    pub fn hold_next(&self) {
        self.state().holds_next = true;
    }

    /// Waits until a call is held.
    pub async fn held(&self) {
        take(&self.held).await;
    }

    async fn hold(&self) {
        if std::mem::take(&mut self.state().holds_next) {
            self.held.add_permits(1);
            take(&self.slow).await;
        }
    }

    /// No token that was given out works any more once something is to be written.
    pub fn expire_at_write(&self) {
        self.state().ends_at_write = true;
    }

    /// No token that was given out works any more; they can be renewed.
    pub fn expire_all(&self) {
        self.state().access.clear();
    }

    /// How many renewals had their effect.
    pub fn renewals(&self) -> usize {
        self.state().renewals
    }

    /// How often a refresh token was used again.
    pub fn reuses(&self) -> usize {
        self.state().reuses
    }

    fn known(&self, session: &Session) -> Result<Session, ProviderError> {
        let token = session.credential.token.expose();
        let end = self.state().access.get(token).copied();
        if end.is_none_or(|end| end <= self.ambient.now()) {
            return Err(ProviderError::Unauthorized);
        }
        let mut session = session.clone();
        session.credential.token = Secret::new(TOKEN);
        Ok(session)
    }

    /// Renews, unless the authorization is over or ends with this.
    fn rotate(&self, refresh: &Secret, works: bool) -> Result<TokenPair, ProviderError> {
        let mut state = self.state();
        let state = &mut *state;
        if state.refresh.as_deref() != Some(refresh.expose()) {
            if state.used.contains(refresh.expose()) {
                state.reuses += 1;
                state.access.clear();
                state.refresh = None;
            }
            return Err(ProviderError::Invalid {
                code: "invalid_grant".to_owned(),
                message: "The authorization is over.".to_owned(),
                key: None,
            });
        }
        state.used.insert(refresh.expose().to_owned());
        state.renewals += 1;
        Ok(self.issue(state, works))
    }
}

/// Waits for a permit, and uses it up.
async fn take(permits: &Semaphore) {
    if let Ok(permit) = permits.acquire().await {
        permit.forget();
    }
}

#[async_trait]
impl Provider for Renewing {
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
        let state = departure.state;
        Some(format!("https://renewing.example.com/?state={state}"))
    }

    async fn exchange_code(&self, _: &Return<'_>) -> Result<Grant, ProviderError> {
        Ok(Grant {
            token: self.authorize(),
            team_id: None,
            installation_id: None,
        })
    }

    async fn account(&self, session: &Session) -> Result<ProviderAccount, ProviderError> {
        self.inner.account(&self.known(session)?).await
    }

    async fn renew(&self, refresh: &Secret) -> Result<TokenPair, ProviderError> {
        let fate = self.state().fates.pop_front();
        if fate == Some(Fate::Away) {
            return Err(ProviderError::Unavailable);
        }
        let pair = self.rotate(refresh, fate != Some(Fate::Dud))?;
        match fate {
            Some(Fate::Slow) => {
                take(&self.slow).await;
                Ok(pair)
            }
            Some(Fate::Lost) => Err(ProviderError::OutcomeUnknown),
            _ => Ok(pair),
        }
    }

    fn revocation(&self, credential: &Credential) -> Revocation {
        self.inner.revocation(credential)
    }

    async fn revoke(&self, session: &Session) -> Result<(), ProviderError> {
        self.inner.revoke(&self.known(session)?).await
    }

    async fn projects(&self, session: &Session) -> Result<Vec<Project>, ProviderError> {
        self.hold().await;
        self.inner.projects(&self.known(session)?).await
    }

    async fn project(&self, session: &Session, project: &str) -> Result<Project, ProviderError> {
        self.inner.project(&self.known(session)?, project).await
    }

    fn known_destination(&self, team_id: Option<&str>, target: &Target<'_>) -> Option<Destination> {
        self.inner.known_destination(team_id, target)
    }

    async fn destination(
        &self,
        session: &Session,
        target: &Target<'_>,
    ) -> Result<Destination, ProviderError> {
        let session = self.known(session)?;
        self.inner.destination(&session, target).await
    }

    async fn list(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<RemoteView, ProviderError> {
        self.hold().await;
        self.inner.list(&self.known(session)?, destination).await
    }

    async fn read(
        &self,
        session: &Session,
        destination: &Destination,
        row_id: &str,
    ) -> Result<(RemoteValue, Option<String>), ProviderError> {
        let session = self.known(session)?;
        self.inner.read(&session, destination, row_id).await
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
        if std::mem::take(&mut self.state().ends_at_write) {
            self.expire_all();
        }
        match self.known(session) {
            Ok(session) => {
                self.inner
                    .apply(&session, destination, view, changes, options, journal)
                    .await
            }
            Err(error) => Applied {
                results: Vec::new(),
                stopped: Some(error),
            },
        }
    }

    async fn close_split(
        &self,
        session: &Session,
        split: &Split,
        value: Option<&Secret>,
    ) -> Result<(), ProviderError> {
        let session = self.known(session)?;
        self.inner.close_split(&session, split, value).await
    }
}
