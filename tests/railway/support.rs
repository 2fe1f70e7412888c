//! A client of the stand-in that holds what it sends and gets against the description.

use std::collections::BTreeMap;

use keyway_simulator::railway::{Preset, Railway, TOKEN, Target};
use keyway_tests::graphql::GraphQlDescription;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

pub(crate) const VARIABLES: &str = "query($projectId: String!, $environmentId: String!, \
     $serviceId: String, $unrendered: Boolean) { variables(projectId: $projectId, \
     environmentId: $environmentId, serviceId: $serviceId, unrendered: $unrendered) }";
pub(crate) const UPSERT: &str =
    "mutation($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }";
pub(crate) const DELETE: &str =
    "mutation($input: VariableDeleteInput!) { variableDelete(input: $input) }";

pub(crate) struct World {
    pub(crate) railway: Railway,
    pub(crate) project: String,
    pub(crate) production: String,
    pub(crate) staging: String,
    pub(crate) web: String,
    pub(crate) postgres: String,
}

/// An answer that has come whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn data(&self) -> &Value {
        assert!(self.body.get("errors").is_none(), "{}", self.body);
        assert_eq!(self.status, 200);
        &self.body["data"]
    }

    /// The message of the only error.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        let errors = self.body["errors"].as_array();
        assert_eq!(errors.map(Vec::len), Some(1), "{}", self.body);
        self.body["errors"][0]["message"].as_str().unwrap()
    }

    pub(crate) fn code(&self) -> Option<&str> {
        self.body["errors"][0]["extensions"]["code"].as_str()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl World {
    pub(crate) async fn start(preset: Preset) -> Self {
        let railway = Railway::start(preset).await.unwrap();
        let project = railway.project("my-app").unwrap();
        Self {
            production: railway.environment(&project, "production").unwrap(),
            staging: railway.environment(&project, "staging").unwrap(),
            web: railway.service(&project, "web").unwrap(),
            postgres: railway.service(&project, "Postgres").unwrap(),
            project,
            railway,
        }
    }

    pub(crate) async fn lived_in() -> Self {
        Self::start(Preset::LivedIn).await
    }

    pub(crate) async fn starter() -> Self {
        Self::start(Preset::Starter).await
    }

    /// The web service in production.
    pub(crate) fn own(&self) -> Target {
        Target::service(&self.production, &self.web)
    }

    /// The input of a call about the web service in production, with more fields.
    pub(crate) fn input(&self, more: &Value) -> Value {
        let mut input = json!({ "projectId": self.project, "environmentId": self.production,
            "serviceId": self.web });
        let more = more.as_object().cloned().unwrap_or_default();
        input.as_object_mut().unwrap().extend(more);
        input
    }

    pub(crate) async fn call(&self, query: &str, variables: Value) -> Answer {
        self.call_as(
            &[("authorization", &format!("Bearer {TOKEN}"))],
            query,
            variables,
        )
        .await
    }

    /// Calls with these headers, and holds the call and its answer against the description.
    pub(crate) async fn call_as(
        &self,
        headers: &[(&str, &str)],
        query: &str,
        variables: Value,
    ) -> Answer {
        let request = json!({ "query": query, "variables": variables });
        let description = GraphQlDescription::railway();
        assert_eq!(description.check_request(&request), [""; 0]);
        let answer = self.post(headers, &request).await.unwrap();
        assert_eq!(description.check_answer(&request, &answer.body), [""; 0]);
        answer
    }

    /// Calls with what need not fit the description.
    pub(crate) async fn post(
        &self,
        headers: &[(&str, &str)],
        request: &Value,
    ) -> reqwest::Result<Answer> {
        let mut call = http()
            .post(format!("{}/graphql/v2", self.railway.url()))
            .json(request);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        send(call).await
    }

    pub(crate) async fn upsert(&self, more: &Value) -> Answer {
        self.call(UPSERT, json!({ "input": self.input(more) }))
            .await
    }

    pub(crate) async fn delete(&self, name: &str) -> Answer {
        let input = self.input(&json!({ "name": name }));
        self.call(DELETE, json!({ "input": input })).await
    }

    /// `variables` of the web service in production.
    pub(crate) async fn read(&self, unrendered: bool) -> Value {
        let variables = self.input(&json!({ "unrendered": unrendered }));
        self.call(VARIABLES, variables).await.data()["variables"].clone()
    }

    /// What the web service in production has, in clear.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let shown = self.railway.snapshot(&self.own()).into_iter();
        shown.map(|(name, shown)| (name, shown.value)).collect()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests are a client from outside"
)]
pub(crate) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests are a client from outside"
)]
pub(crate) async fn send(call: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let answer = call.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await?;
    Ok(Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    })
}
