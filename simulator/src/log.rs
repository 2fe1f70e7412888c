//! What was called.

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
    /// Body, when it was JSON.
    pub body: Option<Value>,
    /// Family of calls that the provider counts together.
    pub family: &'static str,
    /// The project it was about.
    pub project: Option<String>,
    /// Order number of its start among all starts and ends.
    pub started: u64,
    /// Order number of its end; none while it runs or when its connection broke.
    pub ended: Option<u64>,
    /// Status of the answer.
    pub status: Option<u16>,
}

/// The calls so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    records: Vec<RequestRecord>,
    order: u64,
}

impl Log {
    pub(crate) fn start(&mut self, mut record: RequestRecord) -> usize {
        self.order += 1;
        record.started = self.order;
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

    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }
}
