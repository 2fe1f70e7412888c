//! A stand-in, a client that points at it, and a journal that remembers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::connection::{Credential, ProviderName};
use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::registry::{ProviderSettings, Registry};
use keyway_shared::providers::vercel::VercelSettings;
use keyway_shared::providers::{
    Applied, ApplyOptions, Change, Journal, Provider, ProviderError, Session, Split,
};
use keyway_shared::secret::Secret;
use keyway_shared::sync::options::VariableType;
use keyway_shared::sync::plan::Action;
use keyway_shared::sync::remote::Destination;
use keyway_simulator::vercel::{self, EnvSeed, Place, Preset, Shown};
use keyway_tests::stand_in::StandIn;
use uuid::Uuid;

/// The project of the presets.
pub(crate) const PROJECT: &str = "prj_myapp";

pub(crate) struct World {
    pub(crate) vercel: StandIn,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) session: Session,
    pub(crate) journal: Memory,
}

impl World {
    pub(crate) async fn new(preset: Preset) -> Self {
        Self::with_timeout(preset, Duration::from_secs(5)).await
    }

    pub(crate) async fn with_timeout(preset: Preset, timeout: Duration) -> Self {
        let vercel = StandIn::start(preset).await.unwrap();
        let provider = provider(&vercel.url(), timeout);
        Self {
            vercel,
            provider,
            session: session(vercel::TOKEN, None),
            journal: Memory::default(),
        }
    }

    pub(crate) fn seed(&self, seed: &EnvSeed) -> String {
        self.vercel.add_env(PROJECT, seed)
    }

    pub(crate) fn snapshot(&self) -> BTreeMap<Place, Shown> {
        self.vercel.snapshot(PROJECT)
    }

    pub(crate) fn value(&self, key: &str, scope: &str) -> Option<String> {
        self.vercel.value(PROJECT, key, scope, None)
    }

    /// Lists, forgets that call, and applies.
    pub(crate) async fn apply(&self, to: &Destination, changes: &[Change]) -> Applied {
        self.apply_as(to, changes, VariableType::Encrypted).await
    }

    pub(crate) async fn apply_as(
        &self,
        to: &Destination,
        changes: &[Change],
        variable_type: VariableType,
    ) -> Applied {
        let view = self.provider.list(&self.session, to).await.unwrap();
        self.vercel.reset_calls();
        let options = ApplyOptions { variable_type };
        self.provider
            .apply(&self.session, to, &view, changes, options, &self.journal)
            .await
    }

    /// Methods of the calls since they were last forgotten.
    pub(crate) fn methods(&self) -> Vec<String> {
        let requests = self.vercel.requests();
        requests.into_iter().map(|request| request.method).collect()
    }
}

pub(crate) fn provider(url: &str, timeout: Duration) -> Arc<dyn Provider> {
    let settings = ProviderSettings {
        timeout,
        vercel: VercelSettings {
            api_url: url.to_owned(),
            web_url: "https://vercel.test".to_owned(),
            client_id: Some(vercel::CLIENT_ID.to_owned()),
            client_secret: Some(Secret::new(vercel::CLIENT_SECRET)),
            integration_slug: Some(vercel::SLUG.to_owned()),
        },
        ..ProviderSettings::default()
    };
    Registry::new(&settings, Ambient::system())
        .unwrap()
        .get(ProviderName::Vercel)
        .unwrap()
}

pub(crate) fn session(token: &str, team: Option<&str>) -> Session {
    Session::unguarded(Credential {
        token: Secret::new(token),
        team_id: team.map(str::to_owned),
        installation_id: None,
        token_kind: None,
    })
}

pub(crate) fn at(scope: &str) -> Destination {
    Destination {
        project_id: PROJECT.to_owned(),
        owner_id: None,
        service_id: None,
        scope: scope.to_owned(),
        custom: !["production", "preview", "development"].contains(&scope),
        branch: None,
    }
}

pub(crate) fn create(key: &str, value: &str) -> Change {
    change(key, Action::Create, Some(value))
}

pub(crate) fn update(key: &str, value: &str) -> Change {
    change(key, Action::Update, Some(value))
}

pub(crate) fn delete(key: &str) -> Change {
    change(key, Action::Delete, None)
}

fn change(key: &str, action: Action, value: Option<&str>) -> Change {
    Change {
        key: key.to_owned(),
        action,
        value: value.map(Secret::new),
    }
}

/// The code of each key that failed.
pub(crate) fn failures(applied: &Applied) -> BTreeMap<&str, ErrorCode> {
    applied
        .results
        .iter()
        .filter_map(|done| Some((done.key.as_str(), done.result.as_ref().err()?.code)))
        .collect()
}

/// How many changes were made.
pub(crate) fn made(applied: &Applied) -> usize {
    let done = applied.results.iter();
    done.filter(|done| done.result.is_ok()).count()
}

/// What is outside a destination.
pub(crate) fn outside(
    mut places: BTreeMap<Place, Shown>,
    to: &Destination,
) -> BTreeMap<Place, Shown> {
    places.retain(|place, _| place.scope != to.scope || place.branch != to.branch);
    places
}

/// A journal in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) open: Mutex<Vec<Split>>,
    pub(crate) opened: Mutex<usize>,
    pub(crate) done: Mutex<usize>,
    ids: Mutex<u128>,
}

impl Memory {
    pub(crate) fn open_splits(&self) -> Vec<Split> {
        self.open.lock().unwrap().clone()
    }

    pub(crate) fn opened(&self) -> usize {
        *self.opened.lock().unwrap()
    }
}

#[async_trait]
impl Journal for Memory {
    async fn open_split(&self, split: &Split) -> Result<(), ProviderError> {
        self.open.lock().unwrap().push(split.clone());
        *self.opened.lock().unwrap() += 1;
        Ok(())
    }

    async fn close_split(&self, id: Uuid) -> Result<(), ProviderError> {
        self.open.lock().unwrap().retain(|split| split.id != id);
        Ok(())
    }

    fn progress(&self, done: usize) {
        *self.done.lock().unwrap() = done;
    }

    fn new_id(&self) -> Uuid {
        let mut ids = self.ids.lock().unwrap();
        *ids += 1;
        Uuid::from_u128(*ids)
    }
}
