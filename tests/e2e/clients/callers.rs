//! The clients, as far as a server sees of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use keyway_tests::app::TestApp;
use keyway_tests::client::{Answer, Client};
use reqwest::Method;
use serde_json::Value;

use super::table;

/// Where the dashboard is.
pub(super) const DASHBOARD: &str = "https://app.example.com";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// The command line client.
    Cli,
    /// The pages of the dashboard, in a browser.
    Dashboard,
    /// The MCP server.
    Mcp,
    /// A browser that one of them, or the other side, has sent here.
    Browser,
    /// None of them calls it, and the description has it all the same.
    Nobody,
}

/// Calls by who made them, as the table has them.
type Calls = BTreeSet<(Who, &'static str)>;

/// What one test replays.
#[derive(Debug)]
pub(super) struct Replay {
    test: &'static str,
    calls: Arc<Mutex<Calls>>,
}

impl Replay {
    pub(super) fn of(test: &'static str) -> Self {
        Self {
            test,
            calls: Arc::default(),
        }
    }

    /// The calls that were made must be those that the table says the test covers.
    pub(super) fn check(&self) {
        let made = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*made, table::covered_by(self.test), "{}", self.test);
    }

    /// Headers that it always sends, the type of a body that is not there among them.
    pub(super) fn cli(&self, app: &TestApp, token: Option<&str>) -> Caller {
        let client = match token {
            Some(token) => app.client(token),
            None => app.anonymous(),
        };
        let client = client
            .with("content-type", "application/json")
            .with("user-agent", "keyway-cli/dev");
        self.caller(Who::Cli, client)
    }

    /// It sends cookies and the origin of its page, and no token.
    pub(super) fn dashboard(&self, app: &TestApp, cookies: &str) -> Caller {
        let client = app
            .anonymous()
            .with("cookie", cookies)
            .with("origin", DASHBOARD)
            .with(
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
            );
        self.caller(Who::Dashboard, client)
    }

    pub(super) fn mcp(&self, app: &TestApp, token: &str) -> Caller {
        let client = app
            .client(token)
            .with("content-type", "application/json")
            .with("user-agent", "keyway-mcp/1.0.0");
        self.caller(Who::Mcp, client)
    }

    pub(super) fn browser(&self, app: &TestApp, cookies: &str) -> Caller {
        let client = app.anonymous().with("cookie", cookies).with(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        );
        self.caller(Who::Browser, client)
    }

    pub(super) fn nobody(&self, app: &TestApp, token: &str) -> Caller {
        self.caller(Who::Nobody, app.client(token))
    }

    fn caller(&self, who: Who, client: Client) -> Caller {
        Caller {
            who,
            client,
            calls: Arc::clone(&self.calls),
        }
    }
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    who: Who,
    client: Client,
    calls: Arc<Mutex<Calls>>,
}

impl Caller {
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// A POST without a body, and without its type where the client sends none.
    pub(super) async fn post_nothing(&self, path: &str) -> Answer {
        self.send(Method::POST, path, None).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.note(&method, path);
        let mut client = self.client.clone();
        if body.is_some() {
            client = client.with("content-type", "application/json");
        }
        let body = body.map(|body| body.to_string().into_bytes());
        let answer = client.send(method, path, body).await;
        if self.who == Who::Dashboard {
            assert_eq!(
                answer.header("access-control-allow-origin"),
                DASHBOARD,
                "{path}"
            );
            assert_eq!(answer.header("access-control-allow-credentials"), "true");
        }
        answer
    }

    /// Sends a form as a page of our own does.
    pub(super) async fn submit(
        &self,
        app: &TestApp,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        self.note(&Method::POST, path);
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.client
            .clone()
            .with("origin", &app.url())
            .with("content-type", "application/x-www-form-urlencoded")
            .send(Method::POST, path, Some(form.into_bytes()))
            .await
    }

    fn note(&self, method: &Method, path: &str) {
        let call = table::call(method.as_str(), path);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.insert((self.who, call));
    }
}

/// What the command line client tells its user when a call fails.
pub(super) fn told(answer: &Answer) -> String {
    assert!(answer.status >= 400, "{}", answer.text);
    let text = |name: &str| answer.json[name].as_str().filter(|text| !text.is_empty());
    let told = text("detail").or_else(|| text("title"));
    told.expect("a reason").to_owned()
}

/// The cookies of a browser in which a user is signed in.
pub(super) async fn signed_in(
    app: &TestApp,
    user: &keyway_shared::domain::account::User,
) -> String {
    let (_, token) = app.session(user).await;
    format!("keyway_session={token}; keyway_logged_in=true")
}

/// The pairs that a browser keeps of an answer.
pub(super) fn kept(answer: &Answer) -> String {
    let pairs: Vec<_> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .collect();
    pairs.join("; ")
}
