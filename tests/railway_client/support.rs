//! A stand-in, a client that points at it, and what tests ask of both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::connection::{Credential, ProviderName};
use keyway_shared::providers::railway::RailwaySettings;
use keyway_shared::providers::registry::{ProviderSettings, Registry};
use keyway_shared::providers::{
    Applied, ApplyOptions, Change, Journal, Provider, ProviderError, Session, Split,
};
use keyway_shared::secret::Secret;
use keyway_shared::sync::options::VariableType;
use keyway_shared::sync::plan::Action;
use keyway_shared::sync::remote::{Destination, RemoteRow, RemoteValue, RemoteView};
use keyway_simulator::railway::{self, Preset, Railway, Target};
use keyway_tests::stand_in::StandIn;
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) railway: StandIn<Railway>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) session: Session,
    pub(crate) project: String,
    pub(crate) production: String,
    pub(crate) staging: String,
    pub(crate) web: String,
}

impl World {
    pub(crate) async fn start(preset: Preset) -> Self {
        Self::with_timeout(preset, Duration::from_mins(1)).await
    }

    pub(crate) async fn with_timeout(preset: Preset, timeout: Duration) -> Self {
        let railway = StandIn::railway(preset).await.unwrap();
        let project = railway.project("my-app").unwrap();
        Self {
            provider: provider(&railway.url(), timeout),
            session: session(railway::TOKEN, Some("account")),
            production: railway.environment(&project, "production").unwrap(),
            staging: railway.environment(&project, "staging").unwrap(),
            web: railway.service(&project, "web").unwrap(),
            project,
            railway,
        }
    }

    pub(crate) async fn starter() -> Self {
        Self::start(Preset::Starter).await
    }

    pub(crate) async fn lived_in() -> Self {
        Self::start(Preset::LivedIn).await
    }

    /// The web service in production, as our client names it.
    pub(crate) fn own(&self) -> Destination {
        self.at(&self.production, Some(&self.web))
    }

    pub(crate) fn at(&self, environment: &str, service: Option<&str>) -> Destination {
        Destination {
            project_id: self.project.clone(),
            owner_id: None,
            service_id: service.map(str::to_owned),
            scope: environment.to_owned(),
            custom: true,
            branch: None,
        }
    }

    /// The same place, as the stand-in names it.
    pub(crate) fn target(&self) -> Target {
        Target::service(&self.production, &self.web)
    }

    /// What the web service in production has, in clear.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let shown = self.railway.snapshot(&self.target()).into_iter();
        shown.map(|(name, shown)| (name, shown.value)).collect()
    }

    pub(crate) async fn list(&self, at: &Destination) -> RemoteView {
        self.provider.list(&self.session, at).await.unwrap()
    }

    /// Lists, forgets that call, and applies.
    pub(crate) async fn apply(&self, to: &Destination, changes: &[Change]) -> Applied {
        let view = self.list(to).await;
        self.railway.reset_calls();
        self.apply_to(&view, to, changes).await
    }

    pub(crate) async fn apply_to(
        &self,
        view: &RemoteView,
        to: &Destination,
        changes: &[Change],
    ) -> Applied {
        let options = ApplyOptions {
            variable_type: VariableType::Encrypted,
        };
        self.provider
            .apply(&self.session, to, view, changes, options, &Silent)
            .await
    }

    /// What was asked for since the calls were last forgotten.
    pub(crate) fn operations(&self) -> Vec<String> {
        let requests = self.railway.requests().into_iter();
        requests.flat_map(|request| request.operations).collect()
    }
}

pub(crate) fn settings(url: &str, timeout: Duration) -> ProviderSettings {
    ProviderSettings {
        timeout,
        railway: RailwaySettings {
            api_url: url.to_owned(),
            web_url: url.to_owned(),
            client_id: Some(railway::CLIENT_ID.to_owned()),
            client_secret: Some(Secret::new(railway::CLIENT_SECRET)),
        },
        ..ProviderSettings::default()
    }
}

pub(crate) fn provider(url: &str, timeout: Duration) -> Arc<dyn Provider> {
    Registry::new(&settings(url, timeout), Ambient::system())
        .unwrap()
        .get(ProviderName::Railway)
        .unwrap()
}

pub(crate) fn session(token: &str, kind: Option<&str>) -> Session {
    Session::unguarded(Credential {
        token: Secret::new(token),
        team_id: None,
        installation_id: None,
        token_kind: kind.map(str::to_owned),
    })
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

/// How many changes were made.
pub(crate) fn made(applied: &Applied) -> usize {
    let done = applied.results.iter();
    done.filter(|done| done.result.is_ok()).count()
}

pub(crate) fn row<'v>(view: &'v RemoteView, key: &str) -> &'v RemoteRow {
    let mut rows = view.rows.iter().filter(|row| row.key == key);
    let found = rows.next().unwrap_or_else(|| panic!("no {key}"));
    assert!(rows.next().is_none(), "two of {key}");
    found
}

pub(crate) fn known(view: &RemoteView) -> BTreeMap<&str, &str> {
    let rows = view.rows.iter();
    rows.filter_map(|row| match &row.value {
        RemoteValue::Known(value) => Some((row.key.as_str(), value.expose())),
        _ => None,
    })
    .collect()
}

/// The code of a refusal for good.
pub(crate) fn code(error: &ProviderError) -> &str {
    match error {
        ProviderError::Invalid { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

/// A journal that keeps nothing: nothing of ours takes two calls.
struct Silent;

#[async_trait]
impl Journal for Silent {
    async fn open_split(&self, _: &Split) -> Result<(), ProviderError> {
        Err(ProviderError::Protocol)
    }

    async fn close_split(&self, _: Uuid) -> Result<(), ProviderError> {
        Err(ProviderError::Protocol)
    }

    fn progress(&self, _: usize) {}

    fn new_id(&self) -> Uuid {
        Uuid::nil()
    }
}
