//! What became of each key over the whole job: this run's plan and results, and what earlier runs had
//! planned and this one found done.

use std::collections::{BTreeMap, BTreeSet};

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::domain::report::KeyOutcome;
use keyway_shared::providers::{Applied, ChangeFailure, ProviderError, Receipt};
use keyway_shared::sync::plan::{Action, Plan, Planned, Reason};

use super::finished::sentence;

/// What the job set out to do, seen from the plan of this run.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    planned: BTreeMap<String, Planned>,
    /// What was planned to be deleted and is not seen any more.
    unseen: Vec<Planned>,
    /// This run was not shown everything: a key that it does not see may be there all the same.
    blind: bool,
}

impl Earlier {
    pub(super) fn new(set_out: Plan, plan: &Plan, blind: bool) -> Self {
        let now: BTreeSet<&str> = plan.keys.iter().map(|one| one.key.as_str()).collect();
        let unseen = set_out.with(Action::Delete);
        let unseen = unseen
            .filter(|one| !now.contains(one.key.as_str()))
            .cloned();
        Self {
            unseen: unseen.collect(),
            planned: set_out
                .keys
                .into_iter()
                .map(|one| (one.key.clone(), one))
                .collect(),
            blind,
        }
    }

    /// Whether what was planned to be written is found written now.
    pub(super) fn found_written(&self, planned: &Planned) -> bool {
        let before = self.planned.get(&planned.key);
        planned.reason == Reason::Unchanged && before.is_some_and(writes)
    }

    /// What the job does to a key, all its runs together: what it set out to do, though a later run
    /// found it done, or had to write once more what it could not recognise.
    fn over_the_job<'a>(&'a self, planned: &'a Planned) -> &'a Planned {
        match self.planned.get(&planned.key) {
            Some(before) if writes(before) && writes(planned) => before,
            Some(before) if self.found_written(planned) => before,
            _ => planned,
        }
    }
}

/// What the job sets out to do, a run with this plan included: for each key the first action that was
/// meant for it, since a later run may not recognise what that did; but a deletion and a write take
/// each other's place.
pub(super) fn set_out(recorded: &Plan, plan: &Plan, left_alone: &BTreeSet<String>) -> Plan {
    let mut keys: BTreeMap<&str, &Planned> = recorded
        .keys
        .iter()
        .map(|one| (one.key.as_str(), one))
        .collect();
    let acts = plan
        .keys
        .iter()
        .filter(|one| one.action != Action::Skip && !left_alone.contains(&one.key));
    for planned in acts {
        let before = keys.entry(&planned.key).or_insert(planned);
        if before.action == Action::Skip || writes(before) != writes(planned) {
            *before = planned;
        }
    }
    Plan {
        keys: keys.into_values().cloned().collect(),
    }
}

const fn writes(planned: &Planned) -> bool {
    matches!(planned.action, Action::Create | Action::Update)
}

pub(super) fn outcomes(
    plan: &Plan,
    earlier: &Earlier,
    applied: &Applied,
    fatal: Option<&ProviderError>,
) -> Vec<KeyOutcome> {
    let results: BTreeMap<&str, Result<Option<&Receipt>, &ChangeFailure>> = applied
        .results
        .iter()
        .map(|done| (done.key.as_str(), done.result.as_ref().map(Option::as_ref)))
        .collect();
    let seen = plan.keys.iter().map(|planned| {
        let result = results.get(planned.key.as_str()).copied();
        let failure = failure_of(planned, result, fatal);
        let receipt = result.and_then(Result::ok).flatten();
        KeyOutcome {
            variable_type: receipt.and_then(|receipt| receipt.kind.clone()),
            ..outcome(earlier.over_the_job(planned), failure)
        }
    });
    let unseen = earlier
        .unseen
        .iter()
        .map(|before| outcome(before, earlier.blind.then(hidden)));
    let outcomes: BTreeMap<String, KeyOutcome> = seen
        .chain(unseen)
        .map(|outcome| (outcome.key.clone(), outcome))
        .collect();
    outcomes.into_values().collect()
}

fn outcome(shown: &Planned, failure: Option<(ErrorCode, String)>) -> KeyOutcome {
    let (code, message) = failure.unzip();
    KeyOutcome {
        key: shown.key.clone(),
        action: shown.action,
        reason: shown.reason,
        variable_type: None,
        code,
        message,
    }
}

fn failure_of(
    planned: &Planned,
    result: Option<Result<Option<&Receipt>, &ChangeFailure>>,
    fatal: Option<&ProviderError>,
) -> Option<(ErrorCode, String)> {
    if let (Action::Skip, None) = (planned.action, &result) {
        return left_out(planned.reason);
    }
    match (result, fatal) {
        (Some(Ok(_)), _) => None,
        (Some(Err(failure)), _) => Some((failure.code, failure.message.clone())),
        (None, Some(error)) => Some((error.code(), sentence(error))),
        (None, None) => Some(not_attempted()),
    }
}

/// What is skipped and ought not to be.
fn left_out(reason: Reason) -> Option<(ErrorCode, String)> {
    match reason {
        Reason::IncompleteView => Some(hidden()),
        Reason::Reference => {
            let message = "the value refers to other variables at the provider; set \
                           allowReferences if that is meant";
            Some((ErrorCode::Reference, message.to_owned()))
        }
        Reason::NotAttempted => Some(not_attempted()),
        _ => None,
    }
}

fn not_attempted() -> (ErrorCode, String) {
    let message = "not tried, because what comes before it failed".to_owned();
    (ErrorCode::NotAttempted, message)
}

fn hidden() -> (ErrorCode, String) {
    let message = "the provider showed only a part of its variables".to_owned();
    (ErrorCode::IncompleteView, message)
}
