//! One function for each call of the API, as Netlify's description has it. No call follows another
//! here.
//!
//! A call about variables that does not name a site is about those that all sites of the team share,
//! and has the same path. So the site is a part of [`Place`], without which none of them can be made.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::errors::refusal;
use super::wire::{Account, Build, NewValue, NewVariable, Site, User, Variable};
use crate::providers::http::HttpClient;
use crate::providers::message::{Answer, Body, Call, Verb};
use crate::providers::{CallFamily, ProviderError, Session};
use crate::sync::remote::Destination;

/// Most sites on a page, as the documentation says.
pub(super) const SITES_PER_PAGE: usize = 100;

/// Where variables are: in a site of a team.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    account: &'a str,
    site: &'a str,
}

impl<'a> Place<'a> {
    /// The place of a destination, which was resolved and so knows its team.
    pub(super) fn of(destination: &'a Destination) -> Result<Self, ProviderError> {
        let account = destination.owner_id.as_deref();
        Ok(Self {
            account: account.ok_or(ProviderError::Protocol)?,
            site: &destination.project_id,
        })
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("site_id", self.site.to_owned())]
    }
}

/// A page of sites.
pub(super) struct SitePage {
    pub sites: Vec<Site>,
    /// Whether there is another page, if the answer says so.
    pub more: Option<bool>,
}

/// The calls.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub http: HttpClient,
}

impl Client {
    /// All variables of a site. There are no pages.
    pub(super) async fn variables(
        &self,
        session: &Session,
        place: Place<'_>,
    ) -> Result<Vec<Variable>, ProviderError> {
        let call = Call {
            op: "variables.list",
            query: place.query(),
            ..Call::get("/api/v1/accounts/{account}/env", vec![place.account])
        };
        self.http.call(Some(session), call, json).await
    }

    /// One variable.
    pub(super) async fn variable(
        &self,
        session: &Session,
        place: Place<'_>,
        key: &str,
    ) -> Result<Variable, ProviderError> {
        let call = Call {
            op: "variables.get",
            query: place.query(),
            ..Call::get(
                "/api/v1/accounts/{account}/env/{key}",
                vec![place.account, key],
            )
        };
        self.http.call(Some(session), call, json).await
    }

    /// Creates variables, all of them or none.
    pub(super) async fn create(
        &self,
        session: &Session,
        place: Place<'_>,
        variables: &[NewVariable<'_>],
    ) -> Result<Vec<Variable>, ProviderError> {
        let call = Call {
            op: "variables.create",
            family: CallFamily::Create,
            verb: Verb::Post,
            route: "/api/v1/accounts/{account}/env",
            segments: vec![place.account],
            query: place.query(),
            headers: Vec::new(),
            body: Body::json(&variables)?,
        };
        self.http.call(Some(session), call, json).await
    }

    /// Replaces a variable with all its values.
    pub(super) async fn replace(
        &self,
        session: &Session,
        place: Place<'_>,
        variable: &NewVariable<'_>,
    ) -> Result<Variable, ProviderError> {
        self.edit(
            session,
            place,
            variable.key,
            Verb::Put,
            "variables.replace",
            variable,
        )
        .await
    }

    /// Sets the value of one context of a variable that is there.
    pub(super) async fn set_value(
        &self,
        session: &Session,
        place: Place<'_>,
        key: &str,
        value: &NewValue<'_>,
    ) -> Result<Variable, ProviderError> {
        self.edit(session, place, key, Verb::Patch, "variables.set", value)
            .await
    }

    async fn edit(
        &self,
        session: &Session,
        place: Place<'_>,
        key: &str,
        verb: Verb,
        op: &'static str,
        body: &(impl Serialize + Sync),
    ) -> Result<Variable, ProviderError> {
        let call = Call {
            op,
            family: CallFamily::Update,
            verb,
            route: "/api/v1/accounts/{account}/env/{key}",
            segments: vec![place.account, key],
            query: place.query(),
            headers: Vec::new(),
            body: Body::json(body)?,
        };
        self.http.call(Some(session), call, json).await
    }

    /// Deletes a variable in every context.
    pub(super) async fn delete(
        &self,
        session: &Session,
        place: Place<'_>,
        key: &str,
    ) -> Result<(), ProviderError> {
        let call = Call {
            op: "variables.delete",
            family: CallFamily::Delete,
            verb: Verb::Delete,
            route: "/api/v1/accounts/{account}/env/{key}",
            segments: vec![place.account, key],
            query: place.query(),
            headers: Vec::new(),
            body: Body::None,
        };
        self.http.call(Some(session), call, done).await
    }

    /// Deletes the value of one context.
    pub(super) async fn delete_value(
        &self,
        session: &Session,
        place: Place<'_>,
        key: &str,
        id: &str,
    ) -> Result<(), ProviderError> {
        let call = Call {
            op: "variables.delete_value",
            family: CallFamily::Delete,
            verb: Verb::Delete,
            route: "/api/v1/accounts/{account}/env/{key}/value/{id}",
            segments: vec![place.account, key, id],
            query: place.query(),
            headers: Vec::new(),
            body: Body::None,
        };
        self.http.call(Some(session), call, done).await
    }

    /// A page of the sites that the token can see; `name` narrows it.
    pub(super) async fn sites(
        &self,
        session: &Session,
        page: usize,
        name: Option<&str>,
    ) -> Result<SitePage, ProviderError> {
        let mut query = vec![
            ("filter", "all".to_owned()),
            ("page", page.to_string()),
            ("per_page", SITES_PER_PAGE.to_string()),
        ];
        query.extend(name.map(|name| ("name", name.to_owned())));
        let call = Call {
            op: "sites.list",
            family: CallFamily::Account,
            query,
            ..Call::get("/api/v1/sites", vec![])
        };
        let judge = |answer: &Answer| {
            Ok(SitePage {
                sites: json(answer)?,
                more: answer.has_next_page(),
            })
        };
        self.http.call(Some(session), call, judge).await
    }

    /// One site, by its id or by a domain of it.
    pub(super) async fn site(&self, session: &Session, id: &str) -> Result<Site, ProviderError> {
        let call = Call {
            op: "sites.get",
            family: CallFamily::Account,
            ..Call::get("/api/v1/sites/{site}", vec![id])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Begins a build of a site, which is also deployed.
    pub(super) async fn build(
        &self,
        session: &Session,
        site: &str,
    ) -> Result<Build, ProviderError> {
        let call = Call {
            op: "builds.create",
            family: CallFamily::Update,
            verb: Verb::Post,
            ..Call::get("/api/v1/sites/{site}/builds", vec![site])
        };
        self.http.call(Some(session), call, json).await
    }

    /// The teams of the token's user.
    pub(super) async fn accounts(&self, session: &Session) -> Result<Vec<Account>, ProviderError> {
        let call = Call {
            op: "accounts.list",
            family: CallFamily::Account,
            ..Call::get("/api/v1/accounts", vec![])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Whose token it is.
    pub(super) async fn user(&self, session: &Session) -> Result<User, ProviderError> {
        let call = Call {
            op: "user.get",
            family: CallFamily::Account,
            ..Call::get("/api/v1/user", vec![])
        };
        self.http.call(Some(session), call, json).await
    }
}

pub(super) fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, ProviderError> {
    if answer.is_success() {
        answer.json()
    } else {
        Err(refusal(answer))
    }
}

/// The answer of a delete is empty.
fn done(answer: &Answer) -> Result<(), ProviderError> {
    if answer.is_success() {
        Ok(())
    } else {
        Err(refusal(answer))
    }
}
