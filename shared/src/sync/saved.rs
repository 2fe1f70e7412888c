//! A plan that was shown to somebody and can be carried out exactly as shown, or not at all. It
//! holds no values: of each side only a keyed hash of what it was.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::{Action, Plan, Planned, Reason};
use super::planner::Inputs;
use super::remote::{RemoteRow, RemoteValue};
use crate::secret::Secret;

/// A plan as it was shown, with what each side was then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// In byte order of the keys.
    pub keys: Vec<SavedKey>,
}

/// One key of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedKey {
    /// The key.
    pub key: String,
    /// What was to be done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Keyed hash of the vault's value; `None`: the vault did not have the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    /// Keyed hash of the remote row: its id, stamp, scopes and type; `None`: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// What is left of a saved plan for a run that goes on after another one ended in the middle.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Remainder {
    /// What is still to be done, and what is found done or needs nothing, as [`Reason::Unchanged`].
    pub plan: Plan,
    /// Keys of it that are neither as they were nor as the plan would leave them: to be left alone.
    pub changed: BTreeSet<String>,
}

/// Remembers a plan together with what it was made from.
pub fn save(inputs: &Inputs<'_>, plan: &Plan) -> SavedPlan {
    let rows = inputs.view.at(inputs.destination);
    let keys = plan.keys.iter().map(|planned| SavedKey {
        key: planned.key.clone(),
        action: planned.action,
        reason: planned.reason,
        vault: inputs
            .vault
            .values
            .get(&planned.key)
            .map(|value| hash(inputs, &planned.key, value)),
        remote: rows
            .get(planned.key.as_str())
            .map(|row| hash(inputs, &planned.key, &state(row))),
    });
    SavedPlan {
        keys: keys.collect(),
    }
}

/// The keys whose plan, or whose state on either side, is not what was saved. None: the plan of now
/// is the plan that was shown.
pub fn stale(saved: &SavedPlan, now: &SavedPlan) -> Vec<String> {
    let by_key = |plan: &SavedPlan| -> BTreeMap<String, (Action, Option<String>, Option<String>)> {
        let entry = |one: &SavedKey| (one.action, one.vault.clone(), one.remote.clone());
        let keyed = plan.keys.iter().map(|one| (one.key.clone(), entry(one)));
        keyed.collect()
    };
    let (before, now) = (by_key(saved), by_key(now));
    let mut keys: Vec<String> = before
        .iter()
        .filter(|(key, entry)| now.get(*key) != Some(*entry))
        .map(|(key, _)| key.clone())
        .chain(now.keys().filter(|key| !before.contains_key(*key)).cloned())
        .collect();
    keys.sort();
    keys
}

/// What a run has to do that resumes a saved plan. Each action may stand before or after its effect,
/// since an earlier run of the same job may have had it.
pub fn remainder(saved: &SavedPlan, plan: &Plan, now: &SavedPlan) -> Remainder {
    let states: BTreeMap<&str, &SavedKey> =
        now.keys.iter().map(|one| (one.key.as_str(), one)).collect();
    let planned: BTreeMap<&str, &Planned> = plan
        .keys
        .iter()
        .map(|one| (one.key.as_str(), one))
        .collect();
    let mut rest = Remainder::default();
    for saved in &saved.keys {
        let state = states.get(saved.key.as_str()).copied();
        let as_it_was = state.is_some_and(|state| {
            state.action == saved.action
                && state.vault == saved.vault
                && state.remote == saved.remote
        });
        let done = match (saved.action, state) {
            (Action::Create | Action::Update, Some(state)) => {
                state.vault == saved.vault
                    && planned
                        .get(saved.key.as_str())
                        .is_some_and(|now| now.reason == Reason::Unchanged)
            }
            (Action::Delete, state) => state.is_none(),
            _ => false,
        };
        if as_it_was {
            rest.plan.keys.push(planned_as(saved));
        } else if done {
            // A deleted key is on neither side, and the record of the job tells of it.
            if saved.action != Action::Delete {
                rest.plan.keys.push(Planned {
                    key: saved.key.clone(),
                    action: Action::Skip,
                    reason: Reason::Unchanged,
                });
            }
        } else {
            rest.plan.keys.push(planned_as(saved));
            rest.changed.insert(saved.key.clone());
        }
    }
    rest
}

fn planned_as(saved: &SavedKey) -> Planned {
    Planned {
        key: saved.key.clone(),
        action: saved.action,
        reason: saved.reason,
    }
}

fn hash(inputs: &Inputs<'_>, key: &str, text: &Secret) -> String {
    hex::encode((inputs.mac)(key, text))
}

/// What a row is, as far as a change of it would show. Without a stamp the value itself counts,
/// where it is known; it is hashed at once.
fn state(row: &RemoteRow) -> Secret {
    let value = match (&row.stamp, &row.value) {
        (None, RemoteValue::Known(value)) => value.expose(),
        _ => "",
    };
    let scopes: Vec<&str> = row.scopes.iter().map(String::as_str).collect();
    let parts = (&row.id, &row.stamp, scopes, &row.branch, &row.kind, value);
    // A tuple of texts is always JSON.
    Secret::new(serde_json::to_string(&parts).unwrap_or_default())
}
