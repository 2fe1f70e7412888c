//! What a sync has to end in, worked out from the two sides as they were. Straight from the table in
//! docs/sync.md and without the planner.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, Direction, Kind, Slot, Switch, Value};
use crate::model::{Stored, is_public, is_reserved};

/// What becomes of a key in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has this value.
    Has(String),
    /// It is as it was.
    Kept,
    /// It is gone.
    Gone,
    /// It is as it was, and is told as failed: the provider hides what would have to be known.
    Withheld,
}

#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// The code of a sync that must not write anything.
    pub(crate) refusal: Option<&'static str>,
    pub(crate) fates: BTreeMap<String, Fate>,
    /// What else is to be deleted cannot be known.
    pub(crate) is_unsure: bool,
    /// The target as it was, by key.
    pub(crate) before: BTreeMap<String, String>,
}

/// What is known of the past.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// Keys at the destination that this vault environment wrote.
    pub(crate) managed: BTreeSet<String>,
    /// … and that another one wrote.
    pub(crate) foreign: BTreeSet<String>,
}

const fn readable(row: &Stored) -> bool {
    matches!(row.kind, Kind::Plain | Kind::Encrypted)
}

fn is_secret_name(key: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    key.chars().all(word) && !key.starts_with(|c: char| c.is_ascii_digit())
}

impl Expected {
    pub(crate) fn of(
        case: &Case,
        rows: &[Stored],
        vault: &BTreeMap<String, Value>,
        history: &History,
    ) -> Self {
        let hides = case.is(Switch::HideProduction)
            && rows.iter().any(|row| row.slots.contains(&Slot::Production));
        let there: BTreeMap<&str, &Stored> = rows
            .iter()
            .filter(|row| row.slots.contains(&case.slot))
            .map(|row| (row.key.as_str(), row))
            .collect();
        let sides = Sides {
            case,
            history,
            hides,
        };
        let keys: BTreeSet<&str> = there
            .keys()
            .copied()
            .chain(vault.keys().map(String::as_str))
            .collect();
        let mut refusable = 0;
        let mut fates = BTreeMap::new();
        for key in keys {
            let shown = there
                .get(key)
                .copied()
                .filter(|row| !hides || !row.slots.contains(&Slot::Production));
            let ours = vault.get(key).map(|value| value.text());
            let reserved = is_reserved(key) || shown.is_some_and(|row| row.kind == Kind::System);
            let is_source = match case.direction {
                Direction::Push => ours.is_some(),
                Direction::Pull => shown.is_some_and(readable) && is_secret_name(key),
            };
            refusable += usize::from(is_source && !reserved);
            let fate = match case.direction {
                _ if reserved => Fate::Kept,
                Direction::Push => sides.push(key, ours, shown),
                Direction::Pull => sides.pull(key, ours, shown),
            };
            fates.insert(key.to_owned(), fate);
        }
        let empty = case.deletes() && !case.is(Switch::Confirm) && refusable == 0;
        if empty {
            for fate in fates.values_mut() {
                *fate = Fate::Kept;
            }
        }
        let before = match case.direction {
            Direction::Push => there
                .iter()
                .map(|(key, row)| ((*key).to_owned(), row.value.clone()))
                .collect(),
            Direction::Pull => vault
                .iter()
                .map(|(key, value)| (key.clone(), value.text().to_owned()))
                .collect(),
        };
        Self {
            refusal: empty.then_some("empty-source"),
            is_unsure: hides && case.deletes() && case.direction == Direction::Push,
            fates,
            before,
        }
    }

    /// The target's value of a key at the end.
    pub(crate) fn after(&self, key: &str) -> Option<&str> {
        let before = self.before.get(key).map(String::as_str);
        match self.fates.get(key) {
            Some(Fate::Has(value)) => Some(value),
            Some(Fate::Gone) => None,
            _ => before,
        }
    }

    /// Keys of the target that may change.
    pub(crate) fn free(&self) -> BTreeSet<String> {
        let free = |fate: &Fate| matches!(fate, Fate::Has(_) | Fate::Gone);
        let keys = self.fates.iter().filter(|(_, fate)| free(fate));
        keys.map(|(key, _)| key.clone()).collect()
    }

    pub(crate) fn withheld(&self) -> BTreeSet<String> {
        let keys = self
            .fates
            .iter()
            .filter(|(_, fate)| **fate == Fate::Withheld);
        keys.map(|(key, _)| key.clone()).collect()
    }

    /// Keys that have to be written, for their value differs.
    pub(crate) fn changed(&self) -> BTreeSet<String> {
        let keys = self.fates.iter().filter(
            |(key, fate)| matches!(fate, Fate::Has(value) if self.before.get(*key) != Some(value)),
        );
        keys.map(|(key, _)| key.clone()).collect()
    }
}

struct Sides<'a> {
    case: &'a Case,
    history: &'a History,
    hides: bool,
}

impl Sides<'_> {
    fn push(&self, key: &str, ours: Option<&str>, row: Option<&Stored>) -> Fate {
        match (ours, row) {
            (Some(_), None) if self.hides => Fate::Withheld,
            (Some(value), _) => Fate::Has(value.to_owned()),
            (None, None) => Fate::Kept,
            (None, Some(row)) => self.delete_remote(key, row),
        }
    }

    fn delete_remote(&self, key: &str, row: &Stored) -> Fate {
        let managed = self.history.managed.contains(key);
        let protected = self.history.foreign.contains(key) || row.integration && !managed;
        let out_of_scope = self.case.is(Switch::DeleteManaged) && !managed;
        if !self.case.deletes() || protected || out_of_scope {
            Fate::Kept
        } else if self.hides {
            Fate::Withheld
        } else {
            Fate::Gone
        }
    }

    fn pull(&self, key: &str, ours: Option<&str>, row: Option<&Stored>) -> Fate {
        match row {
            Some(row) if !is_secret_name(key) || !readable(row) => Fate::Kept,
            Some(_) if ours.is_some() && self.case.is(Switch::KeepConflicts) => Fate::Kept,
            Some(row) => Fate::Has(row.value.clone()),
            // No pull has written to this vault before, so that none of its keys is managed.
            None if ours.is_none()
                || !self.case.deletes()
                || self.case.is(Switch::DeleteManaged) =>
            {
                Fate::Kept
            }
            None if self.hides => Fate::Withheld,
            None => Fate::Gone,
        }
    }
}

/// The kinds that a row with our value may be of at the end: rows keep theirs.
pub(crate) fn kinds(case: &Case, key: &str, before: Option<&Stored>) -> Vec<Kind> {
    let readable_here = case.slot == Slot::Development && case.is(Switch::DevelopmentReadable);
    let shared = before.is_some_and(|row| row.slots.len() > 1);
    match before.map(|row| row.kind) {
        Some(Kind::Sensitive) if shared && readable_here => {
            vec![Kind::Encrypted]
        }
        // A row of its own is an ordinary encrypted one.
        Some(Kind::Opaque) if shared => vec![Kind::Encrypted],
        Some(kind) => vec![kind],
        None if case.is(Switch::NewSensitive) && !readable_here && !is_public(key) => {
            vec![Kind::Sensitive]
        }
        None => vec![Kind::Encrypted],
    }
}
