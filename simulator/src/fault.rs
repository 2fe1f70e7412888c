//! Scripted faults: which calls they hit, and what happens to those.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use serde::Deserialize;

/// A fault for the next calls that match.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Only calls with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only calls whose path has this part.
    #[serde(default)]
    pub path: Option<String>,
    /// Matching calls to let pass first.
    #[serde(default)]
    pub after: u32,
    /// How many calls it hits.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    pub action: Action,
}

const fn once() -> u32 {
    1
}

/// What happens to a call.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Action {
    /// This answer instead of the call's effect.
    Respond {
        /// Status code.
        status: u16,
        /// Headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Body as it is.
        #[serde(default)]
        body: String,
    },
    /// This answer after the call's effect.
    RespondAfter {
        /// Status code.
        status: u16,
        /// Body as it is.
        #[serde(default)]
        body: String,
    },
    /// The connection breaks and nothing has happened.
    ResetBefore,
    /// The connection breaks after the call's effect.
    ResetAfter,
    /// No answer, and no effect.
    Hang,
    /// The effect, and half of the answer's body.
    TruncateBody,
    /// The call takes this much longer.
    Delay {
        /// How long.
        milliseconds: u64,
    },
    /// These keys of a create fail, the others are made.
    FailKeys {
        /// Which.
        keys: Vec<String>,
        /// With this code.
        code: String,
    },
}

impl Fault {
    /// A fault for the next call.
    pub fn next(action: Action) -> Self {
        Self {
            method: None,
            path: None,
            after: 0,
            times: 1,
            action,
        }
    }

    /// Only calls with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only calls whose path has this part.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    /// Matching calls to let pass first.
    #[must_use]
    pub fn after(mut self, calls: u32) -> Self {
        self.after = calls;
        self
    }

    /// How many calls it hits.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

impl Action {
    /// A JSON answer instead of the effect.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Respond {
            status,
            headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
            body: body.to_string(),
        }
    }

    pub(crate) const fn delay(&self) -> Duration {
        match self {
            Self::Delay { milliseconds } => Duration::from_millis(*milliseconds),
            _ => Duration::ZERO,
        }
    }

    /// The scripted answer, of a fault that gives one instead of the effect.
    pub(crate) fn instead(&self) -> Option<Response> {
        let Self::Respond {
            status,
            headers,
            body,
        } = self
        else {
            return None;
        };
        let mut response = Response::builder().status(*status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        response.body(Body::from(body.clone())).ok()
    }

    /// What becomes of the status and the body of an answer after the effect: nothing is left of it when
    /// the connection is to break.
    pub(crate) fn spoil(self, status: u16, mut body: String) -> Option<(u16, String)> {
        match self {
            Self::ResetAfter => None,
            Self::TruncateBody => {
                body.truncate(body.floor_char_boundary(body.len() / 2));
                Some((status, body))
            }
            Self::RespondAfter { status, body } => Some((status, body)),
            _ => Some((status, body)),
        }
    }
}

/// The faults that are still to come.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that hits this call, if any.
    pub(crate) fn take(&mut self, method: &str, path: &str) -> Option<Action> {
        let mut hit = None;
        for fault in &mut self.0 {
            let matches = fault
                .method
                .as_deref()
                .is_none_or(|wanted| wanted == method)
                && fault.path.as_deref().is_none_or(|part| path.contains(part));
            if !matches || fault.times == 0 {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
            } else if hit.is_none() {
                fault.times -= 1;
                hit = Some(fault.action.clone());
            }
        }
        self.0.retain(|fault| fault.times > 0);
        hit
    }
}
