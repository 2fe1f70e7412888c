//! What was called.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// One call of a provider's API.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// Method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query as sent.
    pub query: String,
    /// Body: JSON, or the fields of a form as an object of texts.
    pub body: Option<Value>,
    /// Media type of the body, without its parameters.
    pub content_type: Option<String>,
    /// How the caller names itself.
    pub user_agent: Option<String>,
    /// What the caller knows the call by (`X-Request-Id`).
    pub request_id: Option<String>,
    /// Family of calls that the provider counts together.
    pub family: &'static str,
    /// What it names to be done, where one address is for everything: the fields of a GraphQL
    /// operation's root.
    pub operations: Vec<String>,
    /// The project it was about.
    pub project: Option<String>,
    /// Order number of its start among all starts and ends.
    pub started: u64,
    /// Order number of its end; none while it runs or when its connection broke.
    pub ended: Option<u64>,
    /// Status of the answer.
    pub status: Option<u16>,
}

type Observer = Box<dyn Fn(&RequestRecord) + Send + Sync>;

/// The calls so far.
#[derive(Default)]
pub(crate) struct Log {
    records: Vec<RequestRecord>,
    order: u64,
    observers: Vec<Observer>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl Log {
    pub(crate) fn start(&mut self, mut record: RequestRecord) -> usize {
        self.order += 1;
        record.started = self.order;
        for observer in &self.observers {
            observer(&record);
        }
        self.records.push(record);
        self.records.len() - 1
    }

    pub(crate) fn end(&mut self, index: usize, status: Option<u16>) {
        self.order += 1;
        if let Some(record) = self.records.get_mut(index) {
            record.ended = Some(self.order);
            record.status = status;
        }
    }

    pub(crate) fn records(&self) -> &[RequestRecord] {
        &self.records
    }

    pub(crate) fn observe(&mut self, observer: Observer) {
        self.observers.push(observer);
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }
}
