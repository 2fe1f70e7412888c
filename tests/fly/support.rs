//! A client of the stand-in that holds what it sends and gets against the description.

use std::collections::BTreeMap;

use keyway_simulator::fly::{APP, Fly, Preset, Running, TOKEN};
use keyway_tests::description::Description;
use reqwest::header::{AUTHORIZATION, HeaderMap, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) fly: Fly,
    pub(crate) http: Client,
    /// Value of the header `Authorization`.
    authorization: String,
    /// Answers may leave the description: a switch is on that does so, or the call is not described.
    pub(crate) undescribed: bool,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null where it is not JSON.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
    }

    /// Digests of a list of secrets, by name.
    #[track_caller]
    pub(crate) fn digests(&self) -> BTreeMap<String, String> {
        let secrets = self.body["secrets"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        secrets
            .map(|secret| (text(&secret["name"]), text(&secret["digest"])))
            .collect()
    }

    #[track_caller]
    pub(crate) fn names(&self) -> Vec<String> {
        self.digests().into_keys().collect()
    }
}

#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.body["status"], "unknown", "{answer:?}");
    let error = answer.body["error"].as_str().unwrap();
    assert!(error.contains(part), "{answer:?}");
}

impl World {
    /// Without limits: few tests are about them.
    pub(crate) async fn new(preset: Preset) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "plays a client that is not ours")]
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        let fly = Fly::start(preset).await.unwrap();
        fly.set(keyway_simulator::fly::Options::unlimited);
        Self {
            fly,
            http,
            authorization: TOKEN.to_owned(),
            undescribed: false,
        }
    }

    pub(crate) async fn empty() -> Self {
        Self::new(Preset::Empty).await
    }

    pub(crate) async fn lived_in() -> Self {
        Self::new(Preset::LivedIn).await
    }

    /// With another header `Authorization`.
    pub(crate) fn with(mut self, authorization: &str) -> Self {
        authorization.clone_into(&mut self.authorization);
        self
    }

    /// With answers that leave the description.
    pub(crate) const fn undescribed(mut self) -> Self {
        self.undescribed = true;
        self
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http
            .request(method, format!("{}{path}", self.fly.url()))
            .header(USER_AGENT, "tests/1")
            .header(AUTHORIZATION, &self.authorization)
    }

    #[expect(clippy::disallowed_methods, reason = "plays a client that is not ours")]
    pub(crate) async fn try_send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer {
            status,
            headers,
            text,
            body,
        })
    }

    /// Sends it and holds what came back against the description.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = self.try_send(request).await.unwrap();
        if !self.undescribed {
            let sent = self.fly.requests().pop().unwrap();
            let body = (!answer.text.is_empty()).then_some(&answer.body);
            let description = Description::fly();
            let wrong = description.check_answer(&sent.method, &sent.path, answer.status, body);
            assert_eq!(wrong, [], "{answer:?}");
            if answer.status < 300 {
                assert_eq!(description.check(&sent), [], "{sent:?}");
            }
        }
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", &format!("/v1{path}"))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request("POST", &format!("/v1{path}"));
        self.send(request.json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", &format!("/v1{path}")))
            .await
    }

    /// Sets and unsets secrets of `my-app`.
    pub(crate) async fn write(&self, values: Value) -> Answer {
        self.post(&secrets(""), &json!({ "values": values })).await
    }

    /// The secrets of `my-app`.
    pub(crate) async fn read(&self) -> Answer {
        self.get(&secrets("")).await
    }

    /// Id of the first machine of `my-app`.
    pub(crate) fn machine(&self) -> String {
        self.fly.machines(APP).swap_remove(0)
    }

    /// What the first machine of `my-app` runs with.
    pub(crate) fn running(&self) -> Running {
        self.fly.running(&self.machine()).unwrap()
    }

    /// The value of a secret that the first machine of `my-app` runs with.
    pub(crate) fn runs(&self, name: &str) -> Option<String> {
        self.running().secrets.remove(name)
    }
}

/// The path of `my-app`'s secrets, or of one.
pub(crate) fn secrets(name: &str) -> String {
    let slash = if name.is_empty() { "" } else { "/" };
    format!("/apps/{APP}/secrets{slash}{name}")
}

/// The path of a machine of `my-app`, or of what can be done to it.
pub(crate) fn machine(id: &str, action: &str) -> String {
    let slash = if action.is_empty() { "" } else { "/" };
    format!("/apps/{APP}/machines/{id}{slash}{action}")
}
