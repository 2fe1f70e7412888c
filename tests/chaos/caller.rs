//! Somebody who calls the API, and who notices when there is no answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::dice::{now, pause};
use crate::ledger::Ledger;

/// More than the API lets anybody wait.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often an answer that says "later" is taken for one.
const TRIES: usize = 600;
/// How often a job is looked at until it must have ended: ten minutes, since storms follow each other in the
/// long form, and a limit that was met in one is kept to for minutes.
const LOOKS: usize = 2400;

/// What became of a request.
pub(crate) enum Reply {
    /// A status, and `data` or the problem.
    Answer(u16, Value),
    /// The connection broke while the API was down. Whether the request arrived is not known.
    Lost,
}

pub(crate) struct Caller {
    url: String,
    key: String,
    client: reqwest::Client,
    ledger: Arc<Ledger>,
}

impl Caller {
    #[expect(clippy::disallowed_methods, reason = "not a client of a provider")]
    pub(crate) fn new(url: &str, key: &str, ledger: Arc<Ledger>) -> Self {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            // A connection that an API which is gone has left behind says nothing about the next.
            .pool_max_idle_per_host(0)
            .build();
        Self {
            url: url.to_owned(),
            key: key.to_owned(),
            client: client.unwrap(),
            ledger,
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value, prefer: Option<&str>) -> Reply {
        let mut request = self.client.post(format!("{}{path}", self.url)).json(body);
        if let Some(prefer) = prefer {
            request = request.header("prefer", prefer);
        }
        self.send(path, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(path, self.client.get(format!("{}{path}", self.url)))
            .await
    }

    async fn send(&self, path: &str, request: reqwest::RequestBuilder) -> Reply {
        let since = now();
        let read = async {
            #[expect(clippy::disallowed_methods, reason = "not a provider's API")]
            let answer = request.bearer_auth(&self.key).send().await?;
            let status = answer.status().as_u16();
            let body: Value = answer.json().await?;
            Ok::<_, reqwest::Error>((status, body))
        };
        match read.await {
            Ok((status, mut body)) => {
                let is_fine = matches!(status, 200 | 201 | 202 | 503);
                if !is_fine {
                    self.ledger
                        .wrong(format!("{path} answered {status}: {body}"));
                }
                let body = if status < 300 {
                    body["data"].take()
                } else {
                    body
                };
                Reply::Answer(status, body)
            }
            Err(error) => {
                let away = self.ledger.api_was_away(since);
                if error.is_timeout() || !away {
                    self.ledger
                        .wrong(format!("{path} was not answered: {error:?}"));
                }
                Reply::Lost
            }
        }
    }

    /// Asks until it is done: for what may be asked for twice.
    pub(crate) async fn insist(&self, path: &str, body: &Value) -> Value {
        for _ in 0..TRIES {
            if let Reply::Answer(200 | 201, data) = self.post(path, body, None).await {
                return data;
            }
            pause(Duration::from_millis(200)).await;
        }
        panic!("{path} could not be done");
    }

    /// The job's document once it has ended.
    pub(crate) async fn ended(&self, job: &str) -> Option<Value> {
        let path = format!("/v1/integrations/jobs/{job}");
        for _ in 0..LOOKS {
            if let Reply::Answer(200, document) = self.get(&path).await
                && document["finishedAt"].is_string()
            {
                return Some(document);
            }
            pause(Duration::from_millis(250)).await;
        }
        self.ledger
            .wrong(format!("job {job} did not come to an end"));
        None
    }
}
