//! The stand-in of the provider, as a process: what it holds, and what it is to do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::program::Program;

/// A value's place: project, environment, branch, key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) project: String,
    pub(crate) scope: String,
    pub(crate) branch: Option<String>,
    pub(crate) key: String,
}

/// Every value and its type, by place.
pub(crate) type Snapshot = BTreeMap<Place, (String, String)>;

/// A call, as the provider saw it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) project: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) status: Option<u16>,
}

impl Call {
    /// The job and the run that made it.
    pub(crate) fn run(&self) -> Option<(&str, &str)> {
        self.request_id.as_deref()?.split_once('.')
    }

    pub(crate) fn writes(&self) -> bool {
        self.method != "GET"
    }
}

pub(crate) struct Simulator {
    program: Program,
    address: SocketAddr,
    token: String,
    client: reqwest::Client,
}

impl Simulator {
    pub(crate) async fn start(folder: &Path) -> Self {
        let arguments = ["simulate", "vercel", "--port", "0", "--preset", "starter"];
        let environment = [("KEYWAY_LOG".to_owned(), "warn".to_owned())];
        let mut program = Program::new("simulator", &arguments, &environment, folder);
        program.start().await;
        let url = program.said("Simulated Vercel on http://").unwrap();
        Self {
            address: url.parse().unwrap(),
            token: program.said("Token: ").unwrap().to_owned(),
            program,
            client: http(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn log(&self) -> std::path::PathBuf {
        self.program.log()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        #[expect(clippy::disallowed_methods, reason = "not a provider's API")]
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/_simulator/{path}", self.address)
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.send(self.client.post(self.url(path)).json(body)).await
    }

    /// Makes a project with these custom environments, and gives its id and theirs.
    pub(crate) async fn project(&self, name: &str, custom: &[&str]) -> (String, Vec<String>) {
        let body = json!({ "name": name, "customEnvironments": custom });
        let made = self.post("projects", &body).await;
        let ids = serde_json::from_value(made["customEnvironmentIds"].clone()).unwrap();
        (made["id"].as_str().unwrap().to_owned(), ids)
    }

    /// Adds a row as somebody by hand would.
    pub(crate) async fn add(&self, row: &Value) {
        self.post("env", row).await;
    }

    pub(crate) async fn set(&self, settings: &Value) {
        self.post("settings", settings).await;
    }

    pub(crate) async fn fault(&self, fault: &Value) {
        self.post("faults", fault).await;
    }

    /// Whatever was still to go wrong does not.
    pub(crate) async fn heal(&self) {
        self.send(self.client.delete(self.url("faults"))).await;
        self.set(&json!({ "budgets": {} })).await;
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        let state = self.send(self.client.get(self.url("state"))).await;
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let mut snapshot = Snapshot::new();
        for project in state["projects"].as_array().unwrap() {
            for value in project["values"].as_array().unwrap() {
                let place = Place {
                    project: text(&project["id"]).unwrap(),
                    scope: text(&value["scope"]).unwrap(),
                    branch: text(&value["branch"]),
                    key: text(&value["key"]).unwrap(),
                };
                let shown = (
                    text(&value["value"]).unwrap(),
                    text(&value["type"]).unwrap(),
                );
                snapshot.insert(place, shown);
            }
        }
        snapshot
    }

    /// The calls so far, in the order in which they arrived.
    pub(crate) async fn calls(&self) -> Vec<Call> {
        let mut calls = self.send(self.client.get(self.url("requests"))).await;
        serde_json::from_value(calls["requests"].take()).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "not a client of a provider")]
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
