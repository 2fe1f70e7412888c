//! Compares what is at the provider with what ought to be there, without going through our own code.

use std::collections::{BTreeMap, BTreeSet};

use super::secrets::Secrets;
use super::stage::{Place, Snapshot};

/// What was compared, and what differs: names and places, never values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Proof {
    /// Values that arrived.
    pub(super) arrived: usize,
    /// Values in other places that are as before, by place.
    pub(super) untouched: BTreeMap<String, usize>,
    /// Variables at the destination that the vault does not carry over, and that are as before.
    pub(super) kept: Vec<String>,
    /// What is special about variables that were there, and still is.
    pub(super) kinds: Vec<String>,
    /// What ought not to be.
    pub(super) wrong: Vec<String>,
}

/// Compares. `expected` are the keys of the vault that the sync was to carry over to `here`.
pub(super) fn examine(
    here: &str,
    before: &Snapshot,
    after: &Snapshot,
    secrets: &Secrets,
    expected: &BTreeSet<String>,
) -> Proof {
    let mut proof = Proof::default();
    for key in expected {
        let place = place(here, key);
        match (after.get(&place), secrets.get(key)) {
            (Some(held), Some(secret)) if held.value == secret.expose() => proof.arrived += 1,
            (Some(_), _) => proof
                .wrong
                .push(format!("{key} has another value in {here}")),
            (None, _) => proof.wrong.push(format!("{key} is missing in {here}")),
        }
        let kinds = [before, after].map(|side| Some(&side.get(&place)?.kind));
        match kinds {
            [Some(old), Some(new)] if old != new => {
                proof
                    .wrong
                    .push(format!("{key} is of another kind in {here}"));
            }
            [Some(Some(kind)), Some(_)] => proof.kinds.push(format!("{key} ({kind})")),
            _ => {}
        }
    }
    let ours = |place: &Place| place.at == here && expected.contains(&place.key);
    let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    for place in places.into_iter().filter(|place| !ours(place)) {
        let name = format!("{} in {}", place.key, place.at);
        match (before.get(place), after.get(place)) {
            (Some(old), Some(new)) if old == new => {
                if place.at == here {
                    proof.kept.push(place.key.clone());
                } else {
                    *proof.untouched.entry(place.at.clone()).or_default() += 1;
                }
            }
            (Some(_), Some(_)) => proof.wrong.push(format!("{name} was changed")),
            (Some(_), None) => proof.wrong.push(format!("{name} was removed")),
            (None, _) => proof.wrong.push(format!("{name} was added")),
        }
    }
    proof
}

/// Where a key of the vault goes.
fn place(here: &str, key: &str) -> Place {
    Place {
        at: here.to_owned(),
        key: key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use keyway_shared::secret::Secret;

    use super::super::stage::Held;
    use super::*;

    const HERE: &str = "production";

    fn snapshot(rows: &[(&str, &str, &str)]) -> Snapshot {
        rows.iter()
            .map(|(key, at, value)| {
                let held = Held {
                    value: (*value).to_owned(),
                    kind: (*key == "A").then(|| "sensitive".to_owned()),
                };
                (place(at, key), held)
            })
            .collect()
    }

    #[test]
    fn a_change_anywhere_else_and_a_missing_or_wrong_value_are_found() {
        let before = snapshot(&[("A", "preview", "1"), ("A", HERE, "old"), ("B", HERE, "2")]);
        let secrets: Secrets = [("A", "x"), ("C", "y")]
            .map(|(key, value)| (key.to_owned(), Secret::new(value)))
            .into();
        let expected = secrets.keys().cloned().collect();

        let right = snapshot(&[
            ("A", "preview", "1"),
            ("A", HERE, "x"),
            ("B", HERE, "2"),
            ("C", HERE, "y"),
        ]);
        let proof = examine(HERE, &before, &right, &secrets, &expected);
        assert_eq!(proof.arrived, 2);
        assert_eq!(proof.kept, ["B"]);
        assert_eq!(proof.untouched, [("preview".to_owned(), 1)].into());
        assert_eq!(proof.kinds, ["A (sensitive)"]);
        assert!(proof.wrong.is_empty(), "{:?}", proof.wrong);

        let mut wrong = snapshot(&[
            ("A", "preview", "x"),
            ("A", HERE, "z"),
            ("D", "development", "?"),
        ]);
        if let Some(held) = wrong.get_mut(&place(HERE, "A")) {
            held.kind = None;
        }
        let proof = examine(HERE, &before, &wrong, &secrets, &expected);
        assert_eq!(
            proof.wrong,
            [
                "A has another value in production",
                "A is of another kind in production",
                "C is missing in production",
                "D in development was added",
                "A in preview was changed",
                "B in production was removed",
            ]
        );
    }
}
