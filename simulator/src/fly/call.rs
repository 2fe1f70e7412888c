//! A call, taken apart.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri, header};
use serde_json::Value;

pub(super) struct Call {
    pub(super) method: Method,
    /// The decoded path below `/v1`.
    pub(super) api: Vec<String>,
    /// The path as it was sent.
    pub(super) path: String,
    pub(super) raw_query: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) authorization: Option<String>,
    /// Of the lease that the caller holds.
    pub(super) nonce: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn parse(method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Self {
        let path = uri.path().to_owned();
        let below = path.strip_prefix("/v1/").unwrap_or_default();
        // Segments are decoded one by one: what is encoded in them separates nothing.
        let decoded = below.split('/').map(|segment| {
            percent_encoding::percent_decode_str(segment)
                .decode_utf8_lossy()
                .into_owned()
        });
        let text = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let raw_query = uri.query().unwrap_or_default().to_owned();
        Self {
            method,
            api: decoded.collect(),
            query: form_urlencoded::parse(raw_query.as_bytes())
                .into_owned()
                .collect(),
            raw_query,
            authorization: text(header::AUTHORIZATION.as_str()),
            nonce: text("fly-machine-lease-nonce"),
            content_type: text(header::CONTENT_TYPE.as_str())
                .as_deref()
                .and_then(|value| value.split(';').next())
                .map(|media| media.trim().to_ascii_lowercase()),
            user_agent: text(header::USER_AGENT.as_str()),
            request_id: text("x-request-id"),
            path,
            body,
        }
    }

    pub(super) fn segments(&self) -> Vec<&str> {
        self.api.iter().map(String::as_str).collect()
    }

    pub(super) fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    /// What the log keeps of the body.
    pub(super) fn recorded_body(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The app that it is about.
    pub(super) fn app(&self) -> Option<&str> {
        match self.segments()[..] {
            ["apps", app, ..] => Some(app),
            _ => None,
        }
    }

    /// The app to whose secrets it writes.
    pub(super) fn secrets_write(&self) -> Option<&str> {
        match self.segments()[..] {
            ["apps", app, "secrets", ..] if !self.is_read() => Some(app),
            _ => None,
        }
    }

    /// A name for calls of its kind.
    pub(super) fn family(&self) -> &'static str {
        match (&self.segments()[..], self.is_read()) {
            (["apps", _, "secrets", ..], true) => "secrets-read",
            (["apps", _, "secrets", ..], false) => "secrets-write",
            (["apps", _, "machines", _, "lease"], _) => "leases",
            (["apps", _, "machines", ..], true) => "machines-read",
            (["apps", _, "machines", ..], false) => "machines-write",
            (["apps", ..], _) => "apps",
            _ => "tokens",
        }
    }
}
