//! Railway: variables of services, and those that an environment shares, over its GraphQL API.
//!
//! The client says what happened and never tries again. A variable is found by its place (environment,
//! and service or none) and its name, so that no write needs more than these.

mod apply;
mod client;
mod destinations;
mod errors;
pub(crate) mod fuzzing;
mod oauth;
mod operations;
mod pages;
mod projects;
mod reserved;
mod rows;
mod tokens;
mod wire;

use std::time::Duration;

use async_trait::async_trait;

use self::apply::Run;
use self::client::Client;
use super::capabilities::{
    Budgets, Effect, Environments, OAuth, Reading, Rollout, SignIn, Values, WriteOnly, Writes,
};
use super::http::{HttpClient, SetupError};
use super::oauth::renew;
use super::{
    Applied, ApplyOptions, Change, Departure, Descriptor, Grant, Journal, Project, Provider,
    ProviderError, Return, RolledOut, Session, Target,
};
use crate::ambient::Ambient;
use crate::domain::connection::{ProviderAccount, ProviderName, TokenPair};
use crate::domain::names::is_secret_name;
use crate::secret::Secret;
use crate::sync::limits::Limits;
use crate::sync::remote::{Destination, RemoteView};

/// What the configuration says of Railway.
#[derive(Debug, Clone)]
pub struct RailwaySettings {
    /// Origin of the API.
    pub api_url: String,
    /// Origin of the pages that browsers are sent to.
    pub web_url: String,
    /// The app's client id.
    pub client_id: Option<String>,
    /// The app's client secret.
    pub client_secret: Option<Secret>,
}

impl Default for RailwaySettings {
    fn default() -> Self {
        Self {
            api_url: "https://backboard.railway.com".to_owned(),
            web_url: "https://backboard.railway.com".to_owned(),
            client_id: None,
            client_secret: None,
        }
    }
}

impl RailwaySettings {
    /// Client id and client secret, when OAuth is set up: both.
    fn oauth(&self) -> Option<(&str, &Secret)> {
        Some((self.client_id.as_deref()?, self.client_secret.as_ref()?))
    }
}

/// The provider.
#[derive(Debug)]
pub struct Railway {
    settings: RailwaySettings,
    descriptor: Descriptor,
    client: Client,
}

impl Railway {
    /// Makes the client. No call is made.
    pub fn new(
        settings: &RailwaySettings,
        timeout: Duration,
        ambient: Ambient,
    ) -> Result<Self, SetupError> {
        let (name, url) = (ProviderName::Railway, &settings.api_url);
        let http = HttpClient::new(name, "RAILWAY_API_URL", url, timeout, ambient)?;
        Ok(Self {
            descriptor: descriptor(settings.oauth().is_some()),
            settings: settings.clone(),
            client: Client {
                http: http.authorized_by(tokens::authorize),
            },
        })
    }
}

const SHARED_ONLY: &str = "What an environment shares reaches the services that refer to it: redeploy those at Railway, or \
     sync a service's own variables with rollout.";

fn descriptor(oauth: bool) -> Descriptor {
    Descriptor {
        name: ProviderName::Railway,
        display_name: "Railway",
        sign_in: SignIn {
            oauth: Some(OAuth {
                is_configured: oauth,
                pkce: true,
                renews: true,
                begins_there: false,
                settings: &["RAILWAY_CLIENT_ID", "RAILWAY_CLIENT_SECRET"],
            }),
            tokens: tokens::KINDS,
        },
        environments: Environments {
            fixed: &[],
            named: true,
            branches: None,
            share_values: false,
            suggested: &[
                ("production", "production"),
                ("staging", "staging"),
                ("development", "development"),
                ("dev", "development"),
            ],
        },
        services: true,
        values: Values {
            reading: Reading::Listed,
            write_only: Some(WriteOnly {
                kind: rows::SEALED,
                can_be_made: false,
            }),
            // A write is answered with `true`.
            stamps_writes: false,
            reference: Some("${{"),
        },
        writes: Writes {
            creates_per_call: None,
            updates_per_call: None,
            deletes_per_call: Some(1),
            effect: Effect::NextDeployment,
            delete_effect: Effect::Deploys,
            rollout: Some(Rollout::Redeploy),
            rollout_of: None,
        },
        limits: Limits::default(),
        reserved: reserved::RESERVED,
        allows_name: is_secret_name,
        // 100, 1,000 or 10,000 an hour, by the plan; the headers of each answer tell which.
        budgets: Budgets::Together(None),
    }
}

#[async_trait]
impl Provider for Railway {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn api_origin(&self) -> &str {
        self.client.http.origin()
    }

    fn is_canonical_project(&self, project: &str) -> bool {
        projects::is_id(project)
    }

    fn authorize_url(&self, departure: &Departure<'_>) -> Option<String> {
        oauth::authorize_url(&self.settings, departure)
    }

    async fn exchange_code(&self, back: &Return<'_>) -> Result<Grant, ProviderError> {
        oauth::exchange(&self.client, &self.settings, back).await
    }

    async fn account(&self, session: &Session) -> Result<ProviderAccount, ProviderError> {
        tokens::account(&self.client, session).await
    }

    async fn renew(&self, refresh: &Secret) -> Result<TokenPair, ProviderError> {
        renew(&self.client.http, self.settings.oauth(), refresh).await
    }

    async fn projects(&self, session: &Session) -> Result<Vec<Project>, ProviderError> {
        projects::all(&self.client, session).await
    }

    async fn project(&self, session: &Session, project: &str) -> Result<Project, ProviderError> {
        projects::one(&self.client, session, project).await
    }

    fn known_destination(
        &self,
        _team_id: Option<&str>,
        target: &Target<'_>,
    ) -> Option<Destination> {
        destinations::known(target)
    }

    async fn destination(
        &self,
        session: &Session,
        target: &Target<'_>,
    ) -> Result<Destination, ProviderError> {
        destinations::resolve(&self.client, session, target).await
    }

    async fn list(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<RemoteView, ProviderError> {
        rows::list(&self.client, session, destination).await
    }

    async fn apply(
        &self,
        session: &Session,
        destination: &Destination,
        view: &RemoteView,
        changes: &[Change],
        _options: ApplyOptions,
        journal: &dyn Journal,
    ) -> Applied {
        let run = Run {
            client: &self.client,
            session,
            destination,
            view,
            journal,
            results: Vec::with_capacity(changes.len()),
            stopped: None,
        };
        run.apply(changes).await
    }

    /// One redeploy of the service, of what it runs, with the values of now. What an environment shares is
    /// used by services that only the user knows.
    async fn rollout(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<Vec<RolledOut>, ProviderError> {
        let service = destination.service_id.as_deref();
        let service = service.ok_or_else(|| errors::invalid("no_service", SHARED_ONLY))?;
        let environment = &destination.scope;
        // Where nothing was ever deployed nothing runs with old values.
        self.client.redeploy(session, environment, service).await?;
        Ok(vec![RolledOut {
            unit: service.to_owned(),
            name: None,
            result: Ok(()),
        }])
    }
}
