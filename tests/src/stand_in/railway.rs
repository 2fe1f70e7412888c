//! The stand-in of Railway: every operation is held against the vendor's schema.

use std::io;

use keyway_simulator::RequestRecord;
use keyway_simulator::railway::{Preset, Railway, Target};
use serde_json::Value;

use super::{Described, StandIn};
use crate::graphql::GraphQlDescription;
use crate::leaks;

impl Described for Railway {
    fn observe(&self, observer: impl Fn(&RequestRecord) + Send + Sync + 'static) {
        Self::observe(self, observer);
    }

    fn check(request: &RequestRecord) -> Vec<String> {
        violations(request)
    }
}

impl StandIn<Railway> {
    /// Starts one on a free port.
    pub async fn railway(preset: Preset) -> io::Result<Self> {
        Ok(Self::of(Railway::start(preset).await?))
    }

    /// Writes a variable as if somebody had done it in the dashboard.
    pub fn set_variable(&self, target: &Target, name: &str, value: &str) {
        leaks::plant(value);
        self.simulator.set_variable(target, name, value);
    }

    /// Writes a sealed variable as if somebody had done it in the dashboard.
    pub fn seal_variable(&self, target: &Target, name: &str, value: &str) {
        leaks::plant(value);
        self.simulator.seal_variable(target, name, value);
    }
}

/// What is not as described in a request.
fn violations(request: &RequestRecord) -> Vec<String> {
    let mut found = Vec::new();
    if request.method != "POST" || !request.query.is_empty() {
        found.push(format!(
            "{} {}: only POST without a query",
            request.method, request.path
        ));
    }
    let body = request.body.as_ref().unwrap_or(&Value::Null);
    match (request.path.as_str(), request.content_type.as_deref()) {
        ("/graphql/v2", Some("application/json")) => {
            let operation = GraphQlDescription::railway().check_request(body);
            found.extend(operation.into_iter().map(|text| format!("{body}: {text}")));
        }
        // RFC 6749 and 7636; the secret is in the form (`client_secret_post`).
        ("/oauth/token", Some("application/x-www-form-urlencoded")) => {
            let own = match body["grant_type"].as_str() {
                Some("authorization_code") => &["code", "redirect_uri", "code_verifier"][..],
                _ => &["refresh_token"],
            };
            let all = ["grant_type", "client_id", "client_secret"]
                .iter()
                .chain(own);
            let fields = body.as_object().map_or(0, serde_json::Map::len);
            if all.clone().count() != fields || all.clone().any(|name| !body[*name].is_string()) {
                found.push("/oauth/token: not the fields of its grant".to_owned());
            }
        }
        (path, media) => found.push(format!("{path}: {media:?} is not described")),
    }
    found
}
