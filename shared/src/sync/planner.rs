//! The planner: two snapshots and what was asked for become a plan. One function serves preview,
//! diff, status and sync, so that a preview cannot say something else than the sync does.

use std::collections::{BTreeMap, BTreeSet};

use super::filter::KeyFilter;
use super::limits::Limits;
use super::options::{DeleteScope, Direction, OnConflict, SyncRequest};
use super::plan::{Action, Plan, Planned, Reason};
use super::remote::{Destination, Fingerprint, RemoteRow, RemoteValue, RemoteView, RowOwner};
use super::reserved::ReservedNames;
use crate::domain::names;
use crate::domain::vault::VaultSnapshot;
use crate::secret::Secret;

/// Most deletions of an automatic run, whatever is managed.
const AUTOMATIC_DELETES: usize = 10;

/// What a provider takes.
pub struct Rules {
    /// Names that the platform reserves or injects.
    pub reserved: ReservedNames,
    /// The provider takes variables of this name.
    pub allows: fn(&str) -> bool,
    /// What begins a reference to another variable inside of a value.
    pub reference: Option<&'static str>,
    /// Each delete deploys by itself.
    pub delete_deploys: bool,
    /// Its limits.
    pub limits: Limits,
}

/// Everything a plan depends on.
pub struct Inputs<'a> {
    /// What was asked for.
    pub request: &'a SyncRequest,
    /// Which keys take part, of that.
    pub filter: &'a KeyFilter,
    /// Nobody reviews this run before it happens.
    pub automatic: bool,
    /// The vault's side.
    pub vault: &'a VaultSnapshot,
    /// The provider's side.
    pub view: &'a RemoteView,
    /// Where in it.
    pub destination: &'a Destination,
    /// What we know of remote values without reading them, by key.
    pub fingerprints: &'a BTreeMap<String, Fingerprint>,
    /// The keyed hash that a fingerprint of this value would bear.
    pub mac: &'a dyn Fn(&str, &Secret) -> [u8; 32],
    /// Keys that this vault environment wrote to the target before.
    pub managed: &'a BTreeSet<String>,
    /// Keys of the destination that other vault environments wrote.
    pub foreign: &'a BTreeSet<String>,
    /// The provider's rules.
    pub rules: Rules,
}

/// Why a sync must not write anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Rows of the vault that cannot be decrypted.
    VaultCorrupt(Vec<String>),
    /// Deletion is allowed, the source is empty, and that was not confirmed.
    EmptySource,
    /// An automatic run would delete too much.
    TooManyDeletes {
        /// How many it would delete.
        planned: usize,
        /// How many it may.
        allowed: usize,
    },
    /// The destination would hold more than the provider takes.
    TooManySecrets {
        /// How many it would hold.
        planned: usize,
        /// How many it may.
        allowed: usize,
    },
}

/// A plan, and whether it may be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What a sync does, or would do.
    pub plan: Plan,
    /// Why it must not.
    pub refusal: Option<Refusal>,
}

/// How two values that are both there compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Different,
    Unknown,
}

impl Inputs<'_> {
    /// Compares without reading: by value where it is known, else by a fingerprint that still holds.
    fn compare(&self, row: &RemoteRow, ours: &Secret) -> Comparison {
        if let RemoteValue::Known(theirs) = &row.value {
            return if theirs == ours {
                Comparison::Equal
            } else {
                Comparison::Different
            };
        }
        // What is remembered of a value that can be read does not count where it is to be verified.
        let trusted = !self.request.verify || row.value == RemoteValue::Unreadable;
        match self.fingerprints.get(&row.key) {
            Some(print) if trusted && print.holds_for(row) => {
                if print.mac == (self.mac)(&row.key, ours) {
                    Comparison::Equal
                } else {
                    Comparison::Different
                }
            }
            _ => Comparison::Unknown,
        }
    }

    /// Whether the provider would put other variables' values in the place of parts of this one.
    pub(super) fn refers(&self, value: &Secret) -> bool {
        let begins = self.rules.reference;
        begins.is_some_and(|begins| value.expose().contains(begins))
    }

    fn is_reserved(&self, key: &str, row: Option<&RemoteRow>) -> bool {
        self.rules.reserved.has(key) || row.is_some_and(|row| row.owner == RowOwner::Platform)
    }
}

/// Ids of the rows whose values have to be read before [`plan`] can tell: readable, relevant to the
/// direction, and not known by a fingerprint.
pub fn unverified<'a>(inputs: &'a Inputs<'_>) -> Vec<&'a RemoteRow> {
    inputs
        .view
        .at(inputs.destination)
        .into_values()
        .filter(|row| row.value == RemoteValue::Unread && inputs.filter.takes(&row.key))
        .filter(|row| !inputs.is_reserved(&row.key, Some(row)))
        .filter(|row| {
            let ours = inputs.vault.values.get(&row.key);
            match (inputs.request.direction, ours) {
                // Push: only keys that the vault has are compared.
                (Direction::Push, None) => false,
                (Direction::Push, Some(ours)) => inputs.compare(row, ours) == Comparison::Unknown,
                // Pull: the value itself is needed unless it is known to be the vault's.
                (Direction::Pull, None) => names::is_secret_name(&row.key),
                (Direction::Pull, Some(ours)) => inputs.compare(row, ours) != Comparison::Equal,
            }
        })
        .collect()
}

/// Decides for each key on either side.
pub fn plan(inputs: &Inputs<'_>) -> Decision {
    let rows = inputs.view.at(inputs.destination);
    let mut keys: BTreeSet<&str> = rows.keys().copied().collect();
    keys.extend(inputs.vault.values.keys().map(String::as_str));
    keys.extend(inputs.vault.corrupt.iter().map(String::as_str));

    let mut planned: Vec<Planned> = keys
        .into_iter()
        .filter(|key| inputs.filter.takes(key))
        .filter_map(|key| {
            let row = rows.get(key).copied();
            let ours = inputs.vault.values.get(key);
            let (action, reason) = match inputs.request.direction {
                Direction::Push => push(inputs, key, ours, row),
                Direction::Pull => pull(inputs, key, ours, row),
            }?;
            Some(Planned {
                key: key.to_owned(),
                action,
                reason,
            })
        })
        .collect();
    // Deletes come last, and only when everything before them succeeds.
    if planned.iter().any(|one| one.reason == Reason::Reference) {
        let deletes = planned.iter_mut();
        for delete in deletes.filter(|one| one.action == Action::Delete) {
            (delete.action, delete.reason) = (Action::Skip, Reason::NotAttempted);
        }
    }
    let plan = Plan { keys: planned };
    let refusal = refusal(inputs, &plan, &rows);
    Decision { plan, refusal }
}

fn push(
    inputs: &Inputs<'_>,
    key: &str,
    ours: Option<&Secret>,
    row: Option<&RemoteRow>,
) -> Option<(Action, Reason)> {
    let must_ask = |ours| !inputs.request.allow_references && inputs.refers(ours);
    let decided = match (ours, row) {
        _ if inputs.is_reserved(key, row) => (Action::Skip, Reason::Reserved),
        (Some(_), _) if !(inputs.rules.allows)(key) => (Action::Skip, Reason::InvalidName),
        (Some(_), None) if inputs.view.incomplete.is_some() => {
            (Action::Skip, Reason::IncompleteView)
        }
        (Some(ours), None) if must_ask(ours) => (Action::Skip, Reason::Reference),
        (Some(_), None) => (Action::Create, Reason::Missing),
        (Some(ours), Some(row)) => match inputs.compare(row, ours) {
            Comparison::Equal => (Action::Skip, Reason::Unchanged),
            _ if must_ask(ours) => (Action::Skip, Reason::Reference),
            Comparison::Different => (Action::Update, Reason::Changed),
            Comparison::Unknown => (Action::Update, Reason::Unverifiable),
        },
        (None, Some(row)) => return delete_remote(inputs, key, row),
        // Only a damaged row of the vault: the whole sync is refused for it.
        (None, None) => return None,
    };
    Some(decided)
}

fn delete_remote(inputs: &Inputs<'_>, key: &str, row: &RemoteRow) -> Option<(Action, Reason)> {
    if !inputs.request.allow_delete || inputs.vault.corrupt.iter().any(|corrupt| corrupt == key) {
        return None;
    }
    let managed = inputs.managed.contains(key);
    let of_an_integration = row.owner == RowOwner::Integration && !managed;
    // Nobody could bring such a value back, and nobody is asked.
    let lost_for_good = inputs.automatic && row.value == RemoteValue::Unreadable && !managed;
    Some(
        if of_an_integration || lost_for_good || inputs.foreign.contains(key) {
            (Action::Skip, Reason::Protected)
        } else if inputs.request.delete_scope == DeleteScope::Managed && !managed {
            (Action::Skip, Reason::NotManaged)
        } else if inputs.view.incomplete.is_some() {
            (Action::Skip, Reason::IncompleteView)
        } else {
            (Action::Delete, Reason::Extra)
        },
    )
}

fn pull(
    inputs: &Inputs<'_>,
    key: &str,
    ours: Option<&Secret>,
    row: Option<&RemoteRow>,
) -> Option<(Action, Reason)> {
    let decided = match (row, ours) {
        // What the platform injects is nobody's secret; a vault's key of that name stays.
        _ if inputs.is_reserved(key, row) => (Action::Skip, Reason::Reserved),
        (Some(_), _) if !names::is_secret_name(key) => (Action::Skip, Reason::InvalidName),
        (Some(row), _) if row.value == RemoteValue::Unreadable => {
            (Action::Skip, Reason::Unreadable)
        }
        (Some(_), None) => (Action::Create, Reason::Missing),
        (Some(row), Some(ours)) => match inputs.compare(row, ours) {
            Comparison::Equal => (Action::Skip, Reason::Unchanged),
            _ if inputs.request.on_conflict == OnConflict::Skip => {
                (Action::Skip, Reason::ConflictKept)
            }
            Comparison::Different => (Action::Update, Reason::Changed),
            Comparison::Unknown => (Action::Update, Reason::Unverifiable),
        },
        (None, Some(_)) => {
            if !inputs.request.allow_delete {
                return None;
            }
            // As for a push: what would stay in any case does not fail for what is not shown.
            if inputs.request.delete_scope == DeleteScope::Managed && !inputs.managed.contains(key)
            {
                (Action::Skip, Reason::NotManaged)
            } else if inputs.view.incomplete.is_some() {
                (Action::Skip, Reason::IncompleteView)
            } else {
                (Action::Delete, Reason::Extra)
            }
        }
        (None, None) => return None,
    };
    Some(decided)
}

fn refusal(inputs: &Inputs<'_>, plan: &Plan, rows: &BTreeMap<&str, &RemoteRow>) -> Option<Refusal> {
    let corrupt = inputs.vault.corrupt.iter();
    let corrupt: Vec<_> = corrupt
        .filter(|key| inputs.filter.takes(key))
        .cloned()
        .collect();
    if !corrupt.is_empty() {
        return Some(Refusal::VaultCorrupt(corrupt));
    }
    if inputs.request.allow_delete
        && !inputs.request.confirm_empty_source
        && source_size(inputs, rows) == 0
    {
        return Some(Refusal::EmptySource);
    }
    let deletes = plan.with(Action::Delete).count();
    let allowed = AUTOMATIC_DELETES.max(inputs.managed.len() / 2);
    if inputs.automatic && deletes > allowed {
        return Some(Refusal::TooManyDeletes {
            planned: deletes,
            allowed,
        });
    }
    let (before, allowed) = match inputs.request.direction {
        Direction::Push => (rows.len(), inputs.rules.limits.max_variables?),
        Direction::Pull => (inputs.vault.values.len(), names::MAX_SECRETS),
    };
    let creates = plan.with(Action::Create).count();
    // Deletes come last, so at its fullest the target holds what it had and what is new.
    (creates > 0 && before + creates > allowed).then_some(Refusal::TooManySecrets {
        planned: before + creates,
        allowed,
    })
}

/// Readable, non-reserved keys of the source that take part. A name that the vault does not take is
/// none: a source of such keys only would leave the vault empty.
fn source_size(inputs: &Inputs<'_>, rows: &BTreeMap<&str, &RemoteRow>) -> usize {
    match inputs.request.direction {
        Direction::Push => inputs
            .vault
            .values
            .keys()
            .filter(|key| inputs.filter.takes(key))
            .filter(|key| !inputs.is_reserved(key, rows.get(key.as_str()).copied()))
            .count(),
        Direction::Pull => rows
            .values()
            .filter(|row| row.value != RemoteValue::Unreadable && inputs.filter.takes(&row.key))
            .filter(|row| names::is_secret_name(&row.key))
            .filter(|row| !inputs.is_reserved(&row.key, Some(row)))
            .count(),
    }
}

#[cfg(test)]
mod tests;
