//! A call, taken apart.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri, header};
use serde_json::{Value, json};

pub(super) struct Call {
    pub(super) method: Method,
    /// The decoded path below `/api/v1`; none for the pages beside the API.
    pub(super) api: Option<Vec<String>>,
    /// The path as it was sent.
    pub(super) path: String,
    /// Scheme, host and path.
    pub(super) at: String,
    pub(super) raw_query: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) bearer: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn parse(method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Self {
        let path = uri.path().to_owned();
        let api = path.strip_prefix("/api/v1/").map(|rest| {
            // Segments are decoded one by one: what is encoded in them separates nothing.
            let decoded = rest.split('/').map(|segment| {
                percent_encoding::percent_decode_str(segment)
                    .decode_utf8_lossy()
                    .into_owned()
            });
            decoded.collect()
        });
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST).unwrap_or_default();
        let raw_query = uri.query().unwrap_or_default().to_owned();
        Self {
            api,
            at: format!("http://{host}{path}"),
            query: form_urlencoded::parse(raw_query.as_bytes())
                .into_owned()
                .collect(),
            raw_query,
            bearer: text(header::AUTHORIZATION)
                .and_then(|value| value.strip_prefix("Bearer "))
                .map(str::to_owned),
            content_type: text(header::CONTENT_TYPE)
                .and_then(|value| value.split(';').next())
                .map(|media| media.trim().to_ascii_lowercase()),
            user_agent: text(header::USER_AGENT).map(str::to_owned),
            request_id: text(header::HeaderName::from_static("x-request-id")).map(str::to_owned),
            method,
            path,
            body,
        }
    }

    pub(super) fn segments(&self) -> Option<Vec<&str>> {
        let segments = self.api.as_ref()?;
        Some(segments.iter().map(String::as_str).collect())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// What the log keeps of the body.
    pub(super) fn recorded_body(&self) -> Option<Value> {
        if self.content_type.as_deref() == Some("application/x-www-form-urlencoded") {
            let fields: BTreeMap<String, String> =
                form_urlencoded::parse(&self.body).into_owned().collect();
            return Some(json!(fields));
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// The site whose variables it means. An empty one is none, and so it means the team's.
    pub(super) fn site_id(&self) -> Option<&String> {
        self.query.get("site_id").filter(|id| !id.is_empty())
    }

    /// The site, or else the team, that it is about.
    pub(super) fn project(&self) -> Option<String> {
        match self.segments()?[..] {
            ["accounts", account, "env", ..] => {
                Some(self.site_id().map_or(account, String::as_str).to_owned())
            }
            ["sites", site, ..] => Some(site.to_owned()),
            _ => None,
        }
    }

    /// A name for calls of its kind.
    pub(super) fn family(&self) -> &'static str {
        let Some(segments) = self.segments() else {
            return "oauth";
        };
        let reads = self.method == Method::GET;
        match &segments[..] {
            ["oauth", ..] => "oauth",
            ["accounts", _, "env", ..] if reads => "env-read",
            ["accounts", _, "env", ..] => "env-write",
            ["sites", _, "builds"] => "builds",
            ["sites", ..] | [_, "sites"] => "sites",
            _ => "account",
        }
    }
}
