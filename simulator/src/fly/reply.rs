//! Answers and refusals.

use serde_json::{Value, json};

use super::options::{ErrorForm, Options};

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Json(Value),
    Text(String),
}

/// A call that is refused, with what is told about it.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
    /// When to come again.
    pub(super) retry_after_secs: Option<u64>,
}

pub(super) type Outcome = Result<Reply, Refusal>;

pub(super) fn refusal(status: u16, message: impl Into<String>) -> Refusal {
    Refusal {
        status,
        message: message.into(),
        retry_after_secs: None,
    }
}

pub(super) fn not_found(what: &str) -> Refusal {
    refusal(404, format!("{what} not found"))
}

impl Reply {
    pub(super) const fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Json(body),
        }
    }

    /// The body as it goes over the wire, and its media type.
    pub(super) fn text(&self) -> (String, &'static str) {
        match &self.body {
            Body::Json(body) => (body.to_string(), "application/json; charset=utf-8"),
            Body::Text(text) => (text.clone(), "text/plain; charset=utf-8"),
        }
    }
}

impl Refusal {
    pub(super) fn reply(self, options: &Options) -> Reply {
        let Self {
            status, message, ..
        } = self;
        let body = match options.error_form {
            // The other words of `status` are about machines that find no place, and taken names.
            ErrorForm::Described => Body::Json(json!({ "error": message, "status": "unknown" })),
            ErrorForm::ErrorOnly => Body::Json(json!({ "error": message })),
            ErrorForm::Message => Body::Json(json!({ "message": message })),
            ErrorForm::Detail => Body::Json(json!({ "errors": { "detail": message } })),
            ErrorForm::Text => Body::Text(message),
        };
        let wait = self.retry_after_secs;
        Reply {
            status,
            headers: wait
                .map(|seconds| ("retry-after", seconds.to_string()))
                .into_iter()
                .collect(),
            body,
        }
    }
}

/// Takes out the fields that have no value, but not those of what callers sent.
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            let ours = fields.iter_mut().filter(|(name, _)| *name != "config");
            ours.for_each(|(_, field)| without_nulls(field));
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
