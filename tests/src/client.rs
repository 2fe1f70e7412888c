//! Calls over HTTP, each answer checked for what all answers have in common.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use keyway_shared::clock::ManualClock;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

use crate::leaks;

static OPENAPI: LazyLock<OpenApi> = LazyLock::new(keyway_api::openapi);

/// Calls the API.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    clock: Arc<ManualClock>,
    headers: HeaderMap,
}

/// Where a page elsewhere sends a browser.
///
/// # Panics
/// When it sends it nowhere.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests are a client from outside"
)]
pub async fn sent_to(address: &str) -> String {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let answer = http.get(address).send().await.expect("an answer");
    let location = answer.headers().get("location").expect("a location");
    location.to_str().expect("text").to_owned()
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body; null when it is not JSON.
    pub json: Value,
}

impl Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests are a client from outside"
    )]
    pub(crate) fn new(base: String, clock: Arc<ManualClock>, token: Option<String>) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_mins(1))
            .build()
            .expect("a client");
        let client = Self {
            http,
            base,
            clock,
            headers: HeaderMap::new(),
        };
        match token {
            Some(token) => {
                leaks::plant(&token);
                client.with("authorization", &format!("Bearer {token}"))
            }
            None => client,
        }
    }

    /// The same client, sending one more header with each call.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(
            HeaderName::try_from(name).expect("a header's name"),
            HeaderValue::try_from(value).expect("a header's value"),
        );
        self
    }

    /// GET
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// DELETE
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// POST of JSON
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    /// PATCH with JSON
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.json(Method::PATCH, path, body).await
    }

    async fn json(&self, method: Method, path: &str, body: Value) -> Answer {
        let client = self.clone().with("content-type", "application/json");
        client
            .send(method, path, Some(body.to_string().into_bytes()))
            .await
    }

    /// GET of a stream of events.
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests are a client from outside"
    )]
    pub async fn events(&self, path: &str) -> Events {
        let request = self.http.get(format!("{}{path}", self.base));
        let request = request.headers(self.headers.clone());
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200, "{path}");
        let header = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        assert_eq!(header("content-type"), Some("text/event-stream"));
        assert_eq!(header("cache-control"), Some("no-store"));
        Events {
            response,
            text: String::new(),
        }
    }

    /// Any call, with a body of any bytes.
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests are a client from outside"
    )]
    pub async fn send(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Answer {
        self.clock.advance(Duration::from_secs(1));
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base))
            .headers(self.headers.clone());
        if let Some(body) = body {
            if let Ok(json) = serde_json::from_slice(&body) {
                leaks::plant_members(&json);
            }
            request = request.body(body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let answer = Answer {
            status,
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            headers,
            text,
        };
        answer.check(&method, path);
        answer.note(&method, path);
        answer
    }
}

/// A stream of Server-Sent Events.
#[derive(Debug)]
pub struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    /// The next event's name and data; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| {
                    let mut lines = event.lines();
                    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                };
                let event = line("event").zip(line("data")).map(|(name, data)| {
                    let data = serde_json::from_str(data).expect("JSON");
                    (name.to_owned(), data)
                });
                let taken = self.text.len() - rest.len();
                self.text.drain(..taken);
                // Else it was a comment.
                if event.is_some() {
                    return event;
                }
            }
            let chunk = self.response.chunk().await.expect("a chunk")?;
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

impl Answer {
    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Keeps it for the search for what was planted. What it is there to show is planted.
    fn note(&self, method: &Method, path: &str) {
        let operation = operation(method, path).and_then(|known| known.operation_id.as_deref());
        let operation = operation.unwrap_or("none");
        // Which says what a token is, and has none.
        if operation != "get_openapi" {
            leaks::plant_members(&self.json);
        }
        leaks::note_answer(operation, format!("{:?}\n{}", self.headers, self.text));
    }

    /// What every answer has in common, and that the OpenAPI document told of it.
    fn check(&self, method: &Method, path: &str) {
        assert!(!self.header("x-request-id").is_empty(), "{path}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(self.header("cache-control"), "no-store", "{path}");
        let Some(statuses) = documented(method, path) else {
            return;
        };
        assert!(
            statuses.contains(&self.status.to_string()),
            "{method} {path} answered {}, which is not in its description {statuses:?}: {}",
            self.status,
            self.text
        );
    }

    /// The `data` of a success with this status.
    #[track_caller]
    pub fn data(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(
            self.json["meta"]["requestId"],
            self.header("x-request-id"),
            "{}",
            self.text
        );
        assert!(self.json.get("data").is_some(), "{}", self.text);
        self.json["data"].clone()
    }

    /// Asserts a 204.
    #[track_caller]
    pub fn empty(&self) {
        assert_eq!((self.status, self.text.as_str()), (204, ""));
    }

    /// The problem document of an error, checked for every member.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.json["code"], code, "{}", self.text);
        assert_eq!(
            self.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()),
            Some("application/problem+json")
        );
        let id = self.header("x-request-id");
        assert_eq!(
            self.json["type"],
            format!("https://keyway.sh/errors/{code}"),
            "{}",
            self.text
        );
        assert_eq!(self.json["status"], status);
        assert_eq!(self.json["requestId"], id);
        assert_eq!(self.json["traceId"], id);
        for member in ["title", "detail", "instance"] {
            let text = self.json[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member}: {}", self.text);
        }
        self.json.clone()
    }

    /// Asserts a 422 that names exactly these fields.
    #[track_caller]
    pub fn refuses(&self, fields: &[&str]) {
        let problem = self.problem(422, "validation-error");
        let named: Vec<_> = problem["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| error["field"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(named, fields, "{}", self.text);
    }
}

/// The statuses that the OpenAPI document gives for a call; `None` when it does not know the path
/// or the method.
fn documented(method: &Method, path: &str) -> Option<Vec<String>> {
    let responses = &operation(method, path)?.responses.responses;
    for response in responses.values() {
        if let RefOr::Ref(reference) = response {
            assert!(
                reference
                    .ref_location
                    .starts_with("#/components/responses/")
            );
        }
    }
    Some(responses.keys().cloned().collect())
}

/// The operation that the OpenAPI document has for a call.
fn operation(method: &Method, path: &str) -> Option<&'static Operation> {
    let path = path.split('?').next().unwrap_or_default();
    let given: Vec<_> = path.split('/').collect();
    let item = OPENAPI.paths.paths.iter().find_map(|(template, item)| {
        let parts: Vec<_> = template.split('/').collect();
        let fits = parts.len() == given.len()
            && parts
                .iter()
                .zip(&given)
                .all(|(part, given)| part.starts_with('{') || part == given);
        fits.then_some(item)
    })?;
    match *method {
        Method::GET => &item.get,
        Method::POST => &item.post,
        Method::PATCH => &item.patch,
        Method::DELETE => &item.delete,
        _ => &None,
    }
    .as_ref()
}
