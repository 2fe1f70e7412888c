//! A stand-in, a client that points at it, and a journal that counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::connection::{Credential, ProviderName};
use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::fly::FlySettings;
use keyway_shared::providers::registry::{ProviderSettings, Registry};
use keyway_shared::providers::{
    Applied, ApplyOptions, Change, Journal, Provider, ProviderError, Receipt, Session, Split,
};
use keyway_shared::secret::Secret;
use keyway_shared::sync::options::VariableType;
use keyway_shared::sync::plan::Action;
use keyway_shared::sync::remote::{Destination, RemoteView};
use keyway_simulator::fly::{APP, Fly, ORGANIZATION, Preset, TOKEN};
use keyway_tests::stand_in::StandIn;
use serde_json::Value;
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) fly: StandIn<Fly>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) session: Session,
    pub(crate) journal: Counter,
}

impl World {
    pub(crate) async fn new(preset: Preset) -> Self {
        Self::with_timeout(preset, Duration::from_secs(5)).await
    }

    pub(crate) async fn with_timeout(preset: Preset, timeout: Duration) -> Self {
        let fly = StandIn::fly(preset).await.unwrap();
        let provider = provider(&fly.url(), timeout);
        let session = session(&*provider, TOKEN, Some(ORGANIZATION));
        Self {
            fly,
            provider,
            session,
            journal: Counter::default(),
        }
    }

    /// With another token.
    pub(crate) fn signed(mut self, token: &str) -> Self {
        self.session = session(&*self.provider, token, None);
        self
    }

    pub(crate) async fn list(&self) -> RemoteView {
        let listed = self.provider.list(&self.session, &app()).await;
        listed.unwrap()
    }

    /// Lists, forgets that call, and applies.
    pub(crate) async fn apply(&self, changes: &[Change]) -> Applied {
        let view = self.list().await;
        self.fly.reset_calls();
        self.carry_out(&view, changes).await
    }

    pub(crate) async fn carry_out(&self, view: &RemoteView, changes: &[Change]) -> Applied {
        let options = ApplyOptions {
            variable_type: VariableType::Encrypted,
        };
        self.provider
            .apply(&self.session, &app(), view, changes, options, &self.journal)
            .await
    }

    /// What each write since the calls were last forgotten was to set and to unset.
    pub(crate) fn sent(&self) -> Vec<Value> {
        let requests = self.fly.requests().into_iter();
        requests
            .filter(|request| request.method == "POST")
            .map(|request| request.body.unwrap()["values"].take())
            .collect()
    }

    pub(crate) fn value(&self, key: &str) -> Option<String> {
        self.fly.value(APP, key)
    }
}

pub(crate) fn provider(url: &str, timeout: Duration) -> Arc<dyn Provider> {
    let settings = ProviderSettings {
        timeout,
        fly: FlySettings {
            api_url: url.to_owned(),
        },
        ..ProviderSettings::default()
    };
    let registry = Registry::new(&settings, Ambient::system()).unwrap();
    registry.get(ProviderName::Fly).unwrap()
}

/// With a token as people paste it.
pub(crate) fn session(provider: &dyn Provider, token: &str, team: Option<&str>) -> Session {
    Session::unguarded(Credential {
        token: provider.token(token).unwrap(),
        team_id: team.map(str::to_owned),
        installation_id: None,
        token_kind: None,
    })
}

/// `my-app`.
pub(crate) fn app() -> Destination {
    Destination {
        project_id: APP.to_owned(),
        owner_id: None,
        service_id: None,
        scope: "production".to_owned(),
        custom: false,
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
    let done = applied.results.iter();
    done.filter_map(|done| Some((done.key.as_str(), done.result.as_ref().err()?.code)))
        .collect()
}

/// How many changes were made.
pub(crate) fn made(applied: &Applied) -> usize {
    let done = applied.results.iter();
    done.filter(|done| done.result.is_ok()).count()
}

/// The receipt of a key.
pub(crate) fn receipt(applied: &Applied, key: &str) -> Option<Receipt> {
    let mut done = applied.results.iter();
    let done = done.find(|done| done.key == key).unwrap();
    done.result.clone().unwrap()
}

/// A journal of nothing but progress.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    done: AtomicUsize,
}

impl Counter {
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Journal for Counter {
    async fn open_split(&self, split: &Split) -> Result<(), ProviderError> {
        panic!("nothing is taken apart at Fly.io: {split:?}");
    }

    async fn close_split(&self, id: Uuid) -> Result<(), ProviderError> {
        panic!("nothing is taken apart at Fly.io: {id}");
    }

    fn progress(&self, done: usize) {
        self.done.store(done, Ordering::Relaxed);
    }

    fn new_id(&self) -> Uuid {
        panic!("nothing is taken apart at Fly.io");
    }
}
