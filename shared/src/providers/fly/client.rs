//! One function for each call of the Machines API, as Fly.io's description has it. No call follows
//! another here.

use serde::de::DeserializeOwned;

use super::errors::{Failure, refusal};
use super::wire::{App, AppSecrets, Apps, Tokens, Update, Values};
use crate::providers::http::HttpClient;
use crate::providers::message::{Answer, Body, Call, Verb};
use crate::providers::{CallFamily, Session};

/// The calls.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub http: HttpClient,
}

impl Client {
    /// What the tokens of the credential are good for.
    pub(super) async fn tokens(&self, session: &Session) -> Result<Tokens, Failure> {
        let call = Call {
            op: "tokens.current",
            family: CallFamily::Account,
            ..get("/v1/tokens/current", vec![])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Every app of an organization: there are no pages.
    pub(super) async fn apps(
        &self,
        session: &Session,
        organization: &str,
    ) -> Result<Apps, Failure> {
        let call = Call {
            op: "apps.list",
            family: CallFamily::Account,
            query: vec![("org_slug", organization.to_owned())],
            ..get("/v1/apps", vec![])
        };
        self.http.call(Some(session), call, json).await
    }

    /// One app.
    pub(super) async fn app(&self, session: &Session, name: &str) -> Result<App, Failure> {
        let call = Call {
            op: "apps.get",
            family: CallFamily::Account,
            ..get("/v1/apps/{app}", vec![name])
        };
        self.http.call(Some(session), call, json).await
    }

    /// The names and digests of an app's secrets. The description has a `show_secrets`, which the
    /// documentation says is never honoured: values are not asked for.
    pub(super) async fn secrets(
        &self,
        session: &Session,
        app: &str,
    ) -> Result<AppSecrets, Failure> {
        let call = Call {
            op: "secrets.list",
            ..get("/v1/apps/{app}/secrets", vec![app])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Sets and unsets secrets, all of them or none.
    pub(super) async fn update(
        &self,
        session: &Session,
        app: &str,
        values: &Values<'_>,
    ) -> Result<AppSecrets, Failure> {
        let call = Call {
            op: "secrets.update",
            family: CallFamily::Update,
            verb: Verb::Post,
            body: Body::json(&Update { values })?,
            ..get("/v1/apps/{app}/secrets", vec![app])
        };
        self.http.call(Some(session), call, json).await
    }
}

fn get<'a>(route: &'static str, segments: Vec<&'a str>) -> Call<'a> {
    Call {
        op: "",
        family: CallFamily::Read,
        verb: Verb::Get,
        route,
        segments,
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::None,
    }
}

pub(super) fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    if answer.is_success() {
        Ok(answer.json()?)
    } else {
        Err(refusal(answer))
    }
}
