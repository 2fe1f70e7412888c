//! One function for each call of the Machines API, as Fly.io's description has it. No call follows
//! another here.

use serde::de::DeserializeOwned;

use super::errors::{Failure, refusal};
use super::wire::{
    App, AppSecrets, Apps, Lease, Machine, MachineUpdate, NewLease, Tokens, Update, Values,
};
use crate::providers::http::HttpClient;
use crate::providers::message::{Answer, Body, Call, Verb};
use crate::providers::{CallFamily, Session};
use crate::secret::Secret;

/// Bears what shows that a lease is ours.
const NONCE: &str = "fly-machine-lease-nonce";

/// How long one wait for a machine takes at the most: less than any call may.
const WAIT_SECONDS: &str = "5";

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
            ..Call::get("/v1/tokens/current", vec![])
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
            ..Call::get("/v1/apps", vec![])
        };
        self.http.call(Some(session), call, json).await
    }

    /// One app.
    pub(super) async fn app(&self, session: &Session, name: &str) -> Result<App, Failure> {
        let call = Call {
            op: "apps.get",
            family: CallFamily::Account,
            ..Call::get("/v1/apps/{app}", vec![name])
        };
        self.http.call(Some(session), call, json).await
    }

    /// The names and digests of an app's secrets; an app without any may show `{}`. The description has a `show_secrets`, which the
    /// documentation says is never honoured: values are not asked for.
    pub(super) async fn secrets(
        &self,
        session: &Session,
        app: &str,
    ) -> Result<AppSecrets, Failure> {
        let call = Call {
            op: "secrets.list",
            ..Call::get("/v1/apps/{app}/secrets", vec![app])
        };
        self.http.call(Some(session), call, secrets).await
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
            ..Call::get("/v1/apps/{app}/secrets", vec![app])
        };
        self.http.call(Some(session), call, secrets).await
    }

    /// The machines of an app, without their configs.
    pub(super) async fn machines(
        &self,
        session: &Session,
        app: &str,
    ) -> Result<Vec<Machine>, Failure> {
        let call = Call {
            op: "machines.list",
            query: vec![("summary", "true".to_owned())],
            ..Call::get("/v1/apps/{app}/machines", vec![app])
        };
        self.http.call(Some(session), call, json).await
    }

    /// One machine.
    pub(super) async fn machine(
        &self,
        session: &Session,
        app: &str,
        id: &str,
    ) -> Result<Machine, Failure> {
        let call = Call {
            op: "machines.get",
            ..Call::get("/v1/apps/{app}/machines/{machine}", vec![app, id])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Updates a machine under a lease. It takes the secrets of the moment, and its config anew.
    pub(super) async fn update_machine(
        &self,
        session: &Session,
        app: &str,
        id: &str,
        nonce: &Secret,
        update: &MachineUpdate<'_>,
    ) -> Result<Machine, Failure> {
        let call = Call {
            op: "machines.update",
            family: CallFamily::Update,
            verb: Verb::Post,
            headers: vec![(NONCE, nonce.clone())],
            body: Body::json(update)?,
            ..Call::get("/v1/apps/{app}/machines/{machine}", vec![app, id])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Takes a lease of a machine. UNCERTAIN: leases, and the wait below, are not in the part of the
    /// description that we have; they are as Fly.io's own client uses them.
    pub(super) async fn lease(
        &self,
        session: &Session,
        app: &str,
        id: &str,
        lease: &NewLease,
    ) -> Result<Lease, Failure> {
        let call = Call {
            op: "machines.lease",
            family: CallFamily::Update,
            verb: Verb::Post,
            body: Body::json(lease)?,
            ..Call::get("/v1/apps/{app}/machines/{machine}/lease", vec![app, id])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Gives a lease back.
    pub(super) async fn release(
        &self,
        session: &Session,
        app: &str,
        id: &str,
        nonce: &Secret,
    ) -> Result<(), Failure> {
        let call = Call {
            op: "machines.release",
            family: CallFamily::Update,
            verb: Verb::Delete,
            headers: vec![(NONCE, nonce.clone())],
            ..Call::get("/v1/apps/{app}/machines/{machine}/lease", vec![app, id])
        };
        self.http.call(Some(session), call, done).await
    }

    /// Waits until a machine of this version is started. It is a timeout when it is not yet.
    pub(super) async fn wait(
        &self,
        session: &Session,
        app: &str,
        id: &str,
        version: Option<&str>,
    ) -> Result<(), Failure> {
        let mut query = vec![
            ("state", "started".to_owned()),
            ("timeout", WAIT_SECONDS.to_owned()),
        ];
        query.extend(version.map(|version| ("instance_id", version.to_owned())));
        let call = Call {
            op: "machines.wait",
            query,
            ..Call::get("/v1/apps/{app}/machines/{machine}/wait", vec![app, id])
        };
        self.http.call(Some(session), call, done).await
    }
}

pub(super) fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    if answer.is_success() {
        Ok(answer.json()?)
    } else {
        Err(refusal(answer))
    }
}

/// The body of the answer says nothing.
fn done(answer: &Answer) -> Result<(), Failure> {
    if answer.is_success() {
        Ok(())
    } else {
        Err(refusal(answer))
    }
}

/// Secrets. What is none of it, although it is JSON, shows nothing and confirms nothing.
pub(super) fn secrets(answer: &Answer) -> Result<AppSecrets, Failure> {
    let secrets: AppSecrets = json(answer)?;
    let is_empty = !answer.writes && answer.body.trim_ascii() == b"{}";
    if secrets.is_one() || is_empty {
        Ok(secrets)
    } else {
        Err(answer.unreadable().into())
    }
}
