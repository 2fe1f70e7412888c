//! The model behind a loopback listener, with what goes wrong on the way, and a watch over every
//! effect of every call.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use crate::case::{Fault, MARK, On, Slot, Switch, What};
use crate::model::{Asked, CUSTOM, Model, Refused, Values};

pub(crate) const TOKEN: &str = "vcp_properties";

/// A request, as far as it matters.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) token: String,
    pub(crate) body: Json,
}

/// What is sent back.
pub(crate) enum Reply {
    Answer(u16, Option<u64>, Json),
    /// Less than the head promised.
    Truncated(u16, Json),
    /// The connection is closed without an answer.
    Reset,
    /// Nothing ever comes: whoever asked is dead.
    Never,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) model: Model,
    pub(crate) project: String,
    faults: Vec<Fault>,
    calls: [usize; 2],
    writing: bool,
    /// What must not change, not even for a moment.
    watched: Values,
    /// The destination of keys that may change.
    free: Option<(Slot, BTreeSet<String>)>,
    /// What went against that.
    pub(crate) violations: Vec<String>,
    /// Keys whose change was carried out and answered.
    pub(crate) confirmed: BTreeSet<String>,
    /// Each call, for people.
    pub(crate) log: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Provider {
    state: Arc<Mutex<State>>,
    pub(crate) crashed: Arc<Notify>,
}

impl State {
    /// From now on only these keys may change, and only there.
    pub(crate) fn watch(&mut self, slot: Slot, free: BTreeSet<String>) {
        self.free = Some((slot, free));
        self.watched = self.guarded();
    }

    pub(crate) fn arm(&mut self, faults: &[Fault]) {
        self.faults = faults.to_vec();
        self.calls = [0, 0];
    }

    fn guarded(&self) -> Values {
        let mut values = self.model.values();
        if let Some((slot, free)) = &self.free {
            values.retain(|(key, at), _| at != slot || !free.contains(key));
        }
        values
    }

    /// Looks whether the call changed what it must not.
    fn inspect(&mut self, call: &str) {
        let now = self.guarded();
        if now == self.watched {
            return;
        }
        let keys: BTreeSet<_> = now.keys().chain(self.watched.keys()).cloned().collect();
        for place in keys {
            let (before, after) = (self.watched.get(&place), now.get(&place));
            if before != after {
                self.violations.push(format!(
                    "{call} changed {} at {}: {before:?} became {after:?}",
                    place.0, place.1
                ));
            }
        }
        self.watched = now;
    }

    /// What is scripted for the call that is beginning.
    fn next_fault(&mut self, on: On) -> Option<What> {
        let calls = &mut self.calls[on as usize];
        let number = *calls;
        *calls += 1;
        let hit = |fault: &&Fault| {
            fault.on == on && (fault.from..fault.from + fault.times).contains(&number)
        };
        self.faults.iter().find(hit).map(|fault| fault.what)
    }
}

impl Provider {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request.
    pub(crate) async fn handle(&self, request: Request) -> Reply {
        if request.token != TOKEN {
            let body =
                json!({"error": {"code": "forbidden", "message": "no", "invalidToken": true}});
            return Reply::Answer(403, None, body);
        }
        let on = if request.method == "GET" {
            On::Read
        } else {
            On::Write
        };
        let name = describe(&request);
        let fault = {
            let mut state = self.state();
            if on == On::Write && std::mem::replace(&mut state.writing, true) {
                state
                    .violations
                    .push(format!("{name} began while another write was under way"));
            }
            state.next_fault(on)
        };
        // Whatever else is under way gets its turn, so that calls which may overlap do.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let reply = self.act(&request, &name, fault);
        if on == On::Write {
            self.state().writing = false;
        }
        if matches!(reply, Reply::Never) {
            self.crashed.notify_one();
        }
        reply
    }

    fn act(&self, request: &Request, name: &str, fault: Option<What>) -> Reply {
        let mut state = self.state();
        let what = fault.map_or_else(String::new, |what| format!(", {what}"));
        let error = |status, code: &str| {
            // Providers echo values.
            let message = format!("refused {}", request.body);
            Reply::Answer(
                status,
                None,
                json!({"error": {"code": code, "message": message}}),
            )
        };
        let before = match fault {
            Some(What::RateLimit) => Some(Reply::Answer(
                429,
                Some(2),
                json!({
                "error": {"code": "rate_limited", "message": "slow down"}}),
            )),
            Some(What::ServerError) => Some(error(500, "internal_server_error")),
            Some(What::InProgress) => Some(Reply::Answer(
                400,
                None,
                json!({"error": {
                "code": "bad_request", "message": "an env update is already in progress"}}),
            )),
            Some(What::Conflict) => Some(error(409, "conflict")),
            Some(What::Forbidden) => Some(error(403, "forbidden")),
            Some(What::Reset) => Some(Reply::Reset),
            Some(What::Crash) => Some(Reply::Never),
            _ => None,
        };
        if let Some(reply) = before {
            state.log.push(format!("{name}{what}"));
            return reply;
        }
        let (status, body) = state.route(request, fault);
        state.log.push(format!("{name} -> {status}{what}"));
        state.inspect(name);
        match fault {
            Some(What::ServerErrorAfter) => error(502, "bad_gateway"),
            Some(What::ResetAfter) => Reply::Reset,
            Some(What::CrashAfter) => Reply::Never,
            Some(What::Truncated) => Reply::Truncated(status, body),
            Some(What::Mute) if status < 300 => {
                let body = match request.method.as_str() {
                    "POST" => json!({"created": [], "failed": []}),
                    "PATCH" => Json::Null,
                    "DELETE" => json!({}),
                    _ => body,
                };
                Reply::Answer(status, None, body)
            }
            _ => {
                state.confirm(request, status, &body);
                Reply::Answer(status, None, body)
            }
        }
    }
}

impl State {
    fn confirm(&mut self, request: &Request, status: u16, body: &Json) {
        let keys = match request.method.as_str() {
            "POST" => body["created"].as_array().cloned().unwrap_or_default(),
            // The first half of a split promises nothing yet.
            "PATCH" if status < 300 && !request.body["value"].is_null() => vec![body.clone()],
            _ => Vec::new(),
        };
        let keys = keys
            .iter()
            .filter_map(|row| row["key"].as_str().map(ToOwned::to_owned));
        self.confirmed.extend(keys);
    }

    fn route(&mut self, request: &Request, fault: Option<What>) -> (u16, Json) {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let of_project = parts.get(1) == Some(&"projects");
        let named = parts.get(2).copied();
        let is_ours = named == Some(self.project.as_str()) || named == Some("my-app");
        if of_project && !is_ours {
            return refuse(&Refused(404, "not_found"));
        }
        let fail = matches!(fault, Some(What::FailItem));
        let skip = matches!(fault, Some(What::SkipItem));
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["v2", "user"]) => (
                200,
                json!({"user": {"id": "usr_1", "username": "ada", "email": "a@b.c"}}),
            ),
            ("GET", ["v9", "projects", _]) => (
                200,
                json!({"id": self.project, "name": "my-app", "accountId": "usr_1"}),
            ),
            ("GET", ["v9", "projects", _, "custom-environments"]) => {
                let known = CUSTOM.map(|(id, slug)| json!({"id": id, "slug": slug}));
                (
                    200,
                    json!({"environments": known, "accountLimit": {"total": 5}}),
                )
            }
            ("GET", ["v10", "projects", _, "env"]) => (200, self.page(&request.query, fault)),
            ("GET", ["v1", "projects", _, "env", id]) => answer(self.model.one(id)),
            ("POST", ["v10", "projects", _, "env"]) => self.batch(&request.body, fail, skip),
            ("PATCH", ["v9", "projects", _, "env", id]) => {
                if fail {
                    return refuse(&Refused(400, "INVALID_VALUE"));
                }
                if skip && request.body["value"].is_null() {
                    return answer(self.model.one(id));
                }
                answer(self.model.patch(id, &Asked::from(&request.body)))
            }
            ("DELETE", ["v1", "projects", _, "env"]) => {
                let ids = request.body["ids"].as_array().cloned().unwrap_or_default();
                let ids = ids
                    .iter()
                    .filter_map(Json::as_str)
                    .skip(usize::from(fail || skip));
                let gone = self.model.delete(&ids.collect::<Vec<_>>());
                answer(gone.map(|ids| json!({"deleted": ids.len(), "ids": ids})))
            }
            _ => refuse(&Refused(404, "method_unknown")),
        }
    }

    fn page(&self, query: &str, fault: Option<What>) -> Json {
        let (rows, hidden) = self.model.listed(fault == Some(What::Hidden));
        if hidden > 0 {
            return json!({"envs": rows, "hiddenProductionEnvCount": hidden});
        }
        let size = if self.model.is(Switch::SmallPages) {
            2
        } else {
            rows.len().max(1)
        };
        let until = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("until="));
        let from = until.and_then(|until| until.parse().ok()).unwrap_or(0);
        let page: Vec<&Json> = rows.iter().skip(from).take(size).collect();
        let next = (from + size < rows.len()).then_some(from + size);
        json!({"pagination": {"count": page.len(), "next": next, "prev": null}, "envs": page})
    }

    fn batch(&mut self, body: &Json, fail: bool, skip: bool) -> (u16, Json) {
        let items: Vec<Asked> = body
            .as_array()
            .into_iter()
            .flatten()
            .map(Asked::from)
            .collect();
        if self.model.is(Switch::SmallBatches) && items.len() > 2 {
            return refuse(&Refused(400, "TOO_MANY_KEYS"));
        }
        let (mut created, mut failed) = (Vec::new(), Vec::new());
        for (at, item) in items.iter().enumerate() {
            let refused = match (at, fail, skip) {
                (0, true, _) => Refused(400, "INVALID_VALUE"),
                (0, _, true) => continue,
                _ => match self.model.upsert(item) {
                    Ok(row) => {
                        created.push(row);
                        continue;
                    }
                    Err(refused) => refused,
                },
            };
            failed.push(json!({"error": {"code": refused.1, "envVarKey": item.key(),
                "message": format!("{MARK} is what the value began with")}}));
        }
        if created.is_empty() && !failed.is_empty() && self.model.is(Switch::AllFailed400) {
            return (400, json!({"error": failed[0]["error"], "failed": failed}));
        }
        (201, json!({"created": created, "failed": failed}))
    }
}

fn answer(result: Result<Json, Refused>) -> (u16, Json) {
    result.map_or_else(|refused| refuse(&refused), |body| (200, body))
}

fn refuse(refused: &Refused) -> (u16, Json) {
    (
        refused.0,
        json!({"error": {"code": refused.1, "message": "refused"}}),
    )
}

/// A call in a few words: the method, the row, and the keys and environments of a write.
fn describe(request: &Request) -> String {
    let place = request.path.rsplit('/').next().unwrap_or_default();
    let mut text = format!("{} {place}", request.method);
    let items = request.body.as_array().cloned();
    for item in items.unwrap_or_else(|| vec![request.body.clone()]) {
        let Some(fields) = item.as_object() else {
            continue;
        };
        let mut fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        fields.sort();
        text = format!("{text} {{{}}}", fields.join(" "));
    }
    text
}
