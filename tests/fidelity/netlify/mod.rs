//! The simulator of Netlify, behaviour by behaviour, over HTTP. Each answer is held against Netlify's
//! description of its API, and so is each request that succeeded.

mod account;
mod description;
mod faults;
mod limits;
mod oauth;
mod rules;
mod secrets;
mod sites;
mod switches;
mod variables;

use keyway_simulator::netlify::{ACCOUNT, Netlify, Preset, SITE, TOKEN};
use keyway_tests::description::Description;
use reqwest::header::{HeaderMap, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value, json};

struct World {
    netlify: Netlify,
    http: Client,
    token: String,
    /// Answers may leave the description: a switch is on that does so.
    undescribed: bool,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
    /// Null where it is not JSON.
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Key, and value by context, of a variable.
    fn values(&self) -> Vec<(String, String)> {
        values(&self.body)
    }
}

fn values(variable: &Value) -> Vec<(String, String)> {
    let values = variable["values"].as_array().unwrap().iter().map(|value| {
        let context = value["context"].as_str().unwrap();
        let place = match value["context_parameter"].as_str() {
            Some(branch) => format!("{context}:{branch}"),
            None => context.to_owned(),
        };
        let text = value["value"].as_str().unwrap_or("(none)");
        (place, text.to_owned())
    });
    values.collect()
}

fn pairs(values: &[(&str, &str)]) -> Vec<(String, String)> {
    let values = values.iter();
    values
        .map(|(place, value)| ((*place).to_owned(), (*value).to_owned()))
        .collect()
}

impl World {
    async fn new(preset: Preset) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "plays a client that is not ours")]
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self {
            netlify: Netlify::start(preset).await.unwrap(),
            http,
            token: TOKEN.to_owned(),
            undescribed: false,
        }
    }

    async fn starter() -> Self {
        Self::new(Preset::Starter).await
    }

    /// With another token.
    fn with(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http
            .request(method, format!("{}{path}", self.netlify.url()))
            .header(USER_AGENT, "tests/1")
            .bearer_auth(&self.token)
    }

    #[expect(clippy::disallowed_methods, reason = "plays a client that is not ours")]
    async fn try_send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
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
    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = self.try_send(request).await.unwrap();
        let sent = self.netlify.requests().pop().unwrap();
        if !self.undescribed {
            let body = (!answer.text.is_empty()).then_some(&answer.body);
            let description = Description::netlify();
            let wrong = description.check_answer(&sent.method, &sent.path, answer.status, body);
            assert_eq!(wrong, [], "{answer:?}");
            if answer.status < 300 {
                assert_eq!(description.check(&sent), [], "{sent:?}");
            }
        }
        answer
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", &format!("/api/v1{path}")))
            .await
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(method, &format!("/api/v1{path}"));
        self.send(request.json(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", &format!("/api/v1{path}")))
            .await
    }

    /// Creates variables of `my-app`.
    async fn create(&self, variables: &Value) -> Answer {
        self.call("POST", &env(""), variables).await
    }

    /// Creates one readable variable of `my-app`.
    async fn make(&self, key: &str, values: &[(&str, &str)]) -> Answer {
        let made = self.create(&json!([variable(key, values)])).await;
        assert_eq!(made.status, 201, "{made:?}");
        made
    }

    /// Sets one value of a variable of `my-app`.
    async fn set(&self, key: &str, context: &str, value: &str) -> Answer {
        let body = json!({ "context": context, "value": value });
        self.call("PATCH", &env(key), &body).await
    }

    async fn read(&self, key: &str) -> Answer {
        self.get(&env(key)).await
    }
}

/// The path of `my-app`'s variables, or of one.
fn env(key: &str) -> String {
    let slash = if key.is_empty() { "" } else { "/" };
    format!("/accounts/{ACCOUNT}/env{slash}{key}?site_id={SITE}")
}

/// The path of the team's variables, or of one.
fn shared(key: &str) -> String {
    let slash = if key.is_empty() { "" } else { "/" };
    format!("/accounts/{ACCOUNT}/env{slash}{key}")
}

/// The body of a variable; a branch's context is `branch:NAME`.
fn variable(key: &str, values: &[(&str, &str)]) -> Value {
    let values = values
        .iter()
        .map(|(place, value)| match place.split_once(':') {
            Some((context, branch)) => {
                json!({ "context": context, "context_parameter": branch, "value": value })
            }
            None => json!({ "context": place, "value": value }),
        });
    json!({ "key": key, "values": values.collect::<Vec<_>>() })
}

fn secret(key: &str, values: &[(&str, &str)]) -> Value {
    let mut body = variable(key, values);
    body["is_secret"] = json!(true);
    body["scopes"] = json!(["builds", "functions", "runtime"]);
    body
}

fn assert_refused(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.body["code"], status, "{answer:?}");
    let message = answer.body["message"].as_str().unwrap();
    assert!(message.contains(part), "{answer:?}");
}
