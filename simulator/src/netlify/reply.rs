//! Answers and refusals.

use axum::http::header;
use serde_json::{Value, json};

use super::options::{ErrorForm, Options};

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// None: no body at all.
    pub(super) body: Option<Body>,
}

#[derive(Debug)]
pub(super) enum Body {
    Json(Value),
    Text(String),
    Html(String),
}

/// A call that is refused, with what is told about it.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
}

pub(super) type Outcome = Result<Reply, Refusal>;

pub(super) fn refusal(status: u16, message: impl Into<String>) -> Refusal {
    Refusal {
        status,
        message: message.into(),
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
            body: Some(Body::Json(body)),
        }
    }

    pub(super) const fn no_content() -> Self {
        Self {
            status: 204,
            headers: Vec::new(),
            body: None,
        }
    }

    pub(super) fn redirect(location: String) -> Self {
        Self {
            status: 302,
            headers: vec![(header::LOCATION.as_str(), location)],
            body: None,
        }
    }

    /// A page for a person.
    pub(super) const fn page(html: String) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Some(Body::Html(html)),
        }
    }

    /// The body as it goes over the wire, and its media type.
    pub(super) fn text(&self) -> (String, Option<&'static str>) {
        match &self.body {
            Some(Body::Json(body)) => (body.to_string(), Some("application/json; charset=utf-8")),
            Some(Body::Text(text)) => (text.clone(), Some("text/plain; charset=utf-8")),
            Some(Body::Html(html)) => (html.clone(), Some("text/html; charset=utf-8")),
            None => (String::new(), None),
        }
    }
}

impl Refusal {
    pub(super) fn reply(self, options: &Options) -> Reply {
        let Self { status, message } = self;
        let body = match options.error_form {
            ErrorForm::Described => json!({ "code": status, "message": message }),
            ErrorForm::Msg => json!({ "code": status, "msg": message }),
            ErrorForm::Errors => json!({ "errors": [message] }),
            ErrorForm::Text => {
                return Reply {
                    status,
                    headers: Vec::new(),
                    body: Some(Body::Text(message)),
                };
            }
        };
        Reply::json(status, body)
    }
}

/// Takes out the fields of objects that have no value.
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
