//! A client of our own API, such as any caller could write.

use std::collections::BTreeMap;
use std::time::Duration;

use keyway_shared::secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Failure, Outcome};

/// Talks to the API over HTTP with an API key.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: Secret,
}

impl Client {
    pub(super) fn new(base: String, token: Secret) -> Outcome<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the demo is a caller of our own API, not of a provider"
        )]
        let http = reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .no_proxy()
            .build()
            .map_err(|_| Failure::new("the demo's HTTP client cannot be made"))?;
        Ok(Self { http, base, token })
    }

    /// Asks for `path` and gives the answer's `data`.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &BTreeMap<&str, Value>,
    ) -> Outcome<T> {
        let request = self.http.get(format!("{}{path}", self.base)).query(query);
        read(path, self.send(request, "GET", path).await?)
    }

    /// Sends `body` and gives the answer's `data`.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Outcome<T> {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        read(path, self.send(request, "POST", path).await?)
    }

    /// As [`Client::post`], but the answer does not wait for the job.
    pub(super) async fn start<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Outcome<T> {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("Prefer", "respond-async")
            .json(body);
        read(path, self.send(request, "POST", path).await?)
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        method: &str,
        path: &str,
    ) -> Outcome<Value> {
        let unreachable = |_| Failure::new(format!("{method} {path} was not answered"));
        #[expect(
            clippy::disallowed_methods,
            reason = "the demo is a caller of our own API, not of a provider"
        )]
        let sent = request.bearer_auth(self.token.expose()).send().await;
        let answer = sent.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.bytes().await.map_err(unreachable)?;
        let mut body: Value = serde_json::from_slice(&text)
            .map_err(|_| Failure::new(format!("{method} {path}: the answer is not JSON")))?;
        if !status.is_success() {
            let detail = body["detail"].as_str().unwrap_or("no detail");
            return Err(Failure::new(format!(
                "{method} {path} was answered {}: {detail}",
                status.as_u16()
            )));
        }
        Ok(body["data"].take())
    }
}

fn read<T: DeserializeOwned>(path: &str, data: Value) -> Outcome<T> {
    serde_json::from_value(data)
        .map_err(|error| Failure::new(format!("{path}: unexpected answer: {error}")))
}
