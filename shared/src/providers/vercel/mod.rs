//! Vercel: project environment variables over its REST API.
//!
//! The client says what happened and never tries again. Writes of one run follow one another, and
//! the engine sees to it that a project has one writer.

mod apply;
mod batch;
mod client;
mod codes;
mod cost;
mod deletes;
mod errors;
pub(crate) mod fuzzing;
mod installation;
mod notices;
mod oauth;
mod projects;
mod reserved;
mod rows;
mod split;
mod wire;

use std::time::Duration;

use async_trait::async_trait;

use self::apply::Run;
use self::client::Client;
use super::capabilities::{
    Budgets, Effect, Environments, OAuth, Reading, SignIn, TokenKind, Values, WriteOnly, Writes,
};
use super::http::{HttpClient, SetupError};
use super::{
    Applied, ApplyOptions, Change, Cost, Departure, Descriptor, Grant, Journal, Notice,
    NoticeError, Project, Provider, ProviderError, Return, Revocation, Session, Split, Target,
};
use crate::ambient::Ambient;
use crate::domain::connection::{Credential, ProviderAccount, ProviderName};
use crate::domain::gate::{Budget, CallFamily};
use crate::domain::names::is_secret_name;
use crate::secret::Secret;
use crate::sync::limits::Limits;
use crate::sync::plan::Plan;
use crate::sync::remote::{Destination, RemoteValue, RemoteView};

/// What the configuration says of Vercel.
#[derive(Debug, Clone)]
pub struct VercelSettings {
    /// Origin of the API.
    pub api_url: String,
    /// Origin of the pages that browsers are sent to.
    pub web_url: String,
    /// The integration's client id.
    pub client_id: Option<String>,
    /// The integration's client secret.
    pub client_secret: Option<Secret>,
    /// The integration's name in addresses.
    pub integration_slug: Option<String>,
}

impl Default for VercelSettings {
    fn default() -> Self {
        Self {
            api_url: "https://api.vercel.com".to_owned(),
            web_url: "https://vercel.com".to_owned(),
            client_id: None,
            client_secret: None,
            integration_slug: None,
        }
    }
}

impl VercelSettings {
    /// Client id, client secret and slug, when OAuth is set up: all three.
    fn oauth(&self) -> Option<(&str, &Secret, &str)> {
        Some((
            self.client_id.as_deref()?,
            self.client_secret.as_ref()?,
            self.integration_slug.as_deref()?,
        ))
    }
}

/// Calls that an owner (a team, or a user) may make, as Vercel's page on limits said in April 2026. It
/// counts each of them by itself. Creates and deletes of a batch are one call. Of `Account` it names
/// users (500) and teams (600); projects are taken to be no better off.
const BUDGETS: Budgets = Budgets::Apart(&[
    (CallFamily::Read, Budget::a_minute(500)),
    (CallFamily::Create, Budget::a_minute(120)),
    (CallFamily::Update, Budget::a_minute(120)),
    (CallFamily::Delete, Budget::a_minute(60)),
    (CallFamily::Account, Budget::a_minute(500)),
]);

const TOKENS: &[TokenKind] = &[TokenKind {
    name: "access",
    display_name: "Access token",
    reach: "The projects of its user, or of the team that it is used for.",
}];

/// The provider.
#[derive(Debug)]
pub struct Vercel {
    settings: VercelSettings,
    descriptor: Descriptor,
    client: Client,
}

impl Vercel {
    /// Makes the client. No call is made.
    pub fn new(
        settings: &VercelSettings,
        timeout: Duration,
        ambient: Ambient,
    ) -> Result<Self, SetupError> {
        let http = HttpClient::new(
            ProviderName::Vercel,
            "VERCEL_API_URL",
            &settings.api_url,
            timeout,
            ambient,
        )?;
        Ok(Self {
            descriptor: descriptor(settings.oauth().is_some()),
            settings: settings.clone(),
            client: Client { http },
        })
    }
}

fn descriptor(oauth: bool) -> Descriptor {
    Descriptor {
        name: ProviderName::Vercel,
        display_name: "Vercel",
        sign_in: SignIn {
            oauth: Some(OAuth {
                is_configured: oauth,
                pkce: false,
                renews: false,
                begins_there: true,
                settings: &[
                    "VERCEL_CLIENT_ID",
                    "VERCEL_CLIENT_SECRET",
                    "VERCEL_INTEGRATION_SLUG",
                ],
            }),
            tokens: TOKENS,
        },
        environments: Environments {
            fixed: rows::BUILT_IN,
            named: true,
            branches: Some("preview"),
            share_values: true,
            suggested: &[
                ("production", "production"),
                ("staging", "preview"),
                ("development", "development"),
                ("dev", "development"),
            ],
        },
        services: false,
        values: Values {
            reading: Reading::Single,
            write_only: Some(WriteOnly {
                kind: "sensitive",
                can_be_made: true,
            }),
            stamps_writes: true,
            reference: None,
        },
        writes: Writes {
            creates_per_call: None,
            updates_per_call: None,
            deletes_per_call: Some(1_000),
            effect: Effect::NextDeployment,
            delete_effect: Effect::NextDeployment,
            rollout: None,
            rollout_of: None,
        },
        limits: Limits {
            max_variables: Some(1_000),
            deployment_bytes: Some(65_536),
            edge_bytes: Some(5_120),
            public_prefixes: reserved::PUBLIC,
        },
        reserved: reserved::RESERVED,
        allows_name: is_secret_name,
        budgets: BUDGETS,
    }
}

#[async_trait]
impl Provider for Vercel {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn api_origin(&self) -> &str {
        self.client.http.origin()
    }

    fn is_canonical_project(&self, project: &str) -> bool {
        // Names are lower case and may be changed; ids begin so and never change.
        project
            .strip_prefix("prj_")
            .is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    }

    fn authorize_url(&self, departure: &Departure<'_>) -> Option<String> {
        oauth::authorize_url(&self.settings, departure.state)
    }

    async fn exchange_code(&self, back: &Return<'_>) -> Result<Grant, ProviderError> {
        oauth::exchange(&self.client, &self.settings, back.code, back.callback).await
    }

    fn read_notice<'a>(
        &self,
        header: &dyn Fn(&str) -> Option<&'a [u8]>,
        body: &[u8],
    ) -> Result<Notice, NoticeError> {
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.ok_or(NoticeError::NotConfigured)?;
        notices::read(secret, header(notices::SIGNATURE), body)
    }

    async fn account(&self, session: &Session) -> Result<ProviderAccount, ProviderError> {
        projects::account(&self.client, session).await
    }

    fn revocation(&self, credential: &Credential) -> Revocation {
        installation::revocation(credential)
    }

    async fn revoke(&self, session: &Session) -> Result<(), ProviderError> {
        installation::remove(&self.client, session).await
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
        self.is_canonical_project(target.project_id)
            .then(|| projects::built_in(target.project_id, target.environment, target.branch))?
    }

    async fn destination(
        &self,
        session: &Session,
        target: &Target<'_>,
    ) -> Result<Destination, ProviderError> {
        projects::destination(&self.client, session, target).await
    }

    async fn list(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<RemoteView, ProviderError> {
        Ok(rows::list(&self.client, session, &destination.project_id).await?)
    }

    async fn read(
        &self,
        session: &Session,
        destination: &Destination,
        row_id: &str,
    ) -> Result<(RemoteValue, Option<String>), ProviderError> {
        match self
            .client
            .variable(session, &destination.project_id, row_id)
            .await
        {
            Ok(env) => {
                let stamp = env.updated_at.clone();
                Ok((rows::read_value(env), stamp))
            }
            Err(failure) if failure.is_not_decryptable() => Ok((RemoteValue::Unreadable, None)),
            Err(failure) => Err(failure.error),
        }
    }

    fn cost(&self, view: &RemoteView, destination: &Destination, plan: &Plan) -> Cost {
        cost::of(view, destination, plan)
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
        let run = Run {
            client: &self.client,
            session,
            destination,
            view,
            options,
            journal,
            results: Vec::with_capacity(changes.len()),
            stopped: None,
        };
        run.apply(changes).await
    }

    async fn close_split(
        &self,
        session: &Session,
        split: &Split,
        value: Option<&Secret>,
    ) -> Result<(), ProviderError> {
        split::close(&self.client, session, split, value).await
    }
}
