//! Compares what is at the provider with what ought to be there, without going through our own code:
//! the stand-in is asked what a deployment would get.

use std::collections::{BTreeMap, BTreeSet};

use keyway_simulator::vercel::{Place, Shown};

use super::secrets::Secrets;

/// Every value of the project, by key, environment and branch.
pub(super) type Snapshot = BTreeMap<Place, Shown>;

/// The environment that the demo syncs.
pub(super) const SCOPE: &str = "production";

/// What was compared, and what differs: names and environments, never values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Proof {
    /// Values that arrived.
    pub(super) arrived: usize,
    /// Values in other environments that are as before.
    pub(super) untouched: usize,
    /// Values in the synced environment that the vault does not know, and that are as before.
    pub(super) kept: usize,
    /// What ought not to be.
    pub(super) wrong: Vec<String>,
}

/// Compares. `expected` are the keys of the vault that the sync was to carry over.
pub(super) fn examine(
    before: &Snapshot,
    after: &Snapshot,
    secrets: &Secrets,
    expected: &BTreeSet<String>,
) -> Proof {
    let mut proof = Proof::default();
    for key in expected {
        let place = place(key);
        match (after.get(&place), secrets.get(key)) {
            (Some(shown), Some(secret)) if shown.value == secret.expose() => proof.arrived += 1,
            (Some(_), _) => proof
                .wrong
                .push(format!("{key} has another value in {SCOPE}")),
            (None, _) => proof.wrong.push(format!("{key} is missing in {SCOPE}")),
        }
    }
    let ours = |place: &Place| {
        place.scope == SCOPE && place.branch.is_none() && expected.contains(&place.key)
    };
    let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    for place in places.into_iter().filter(|place| !ours(place)) {
        let name = match &place.branch {
            Some(branch) => format!("{} in {} ({branch})", place.key, place.scope),
            None => format!("{} in {}", place.key, place.scope),
        };
        match (before.get(place), after.get(place)) {
            (Some(old), Some(new)) if old == new => {
                if place.scope == SCOPE {
                    proof.kept += 1;
                } else {
                    proof.untouched += 1;
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
pub(super) fn place(key: &str) -> Place {
    Place {
        key: key.to_owned(),
        scope: SCOPE.to_owned(),
        branch: None,
    }
}

#[cfg(test)]
mod tests {
    use keyway_shared::secret::Secret;

    use super::*;

    fn snapshot(rows: &[(&str, &str, &str)]) -> Snapshot {
        rows.iter()
            .map(|(key, scope, value)| {
                let place = Place {
                    scope: (*scope).to_owned(),
                    ..place(key)
                };
                let shown = Shown {
                    value: (*value).to_owned(),
                    kind: "encrypted".to_owned(),
                };
                (place, shown)
            })
            .collect()
    }

    #[test]
    fn a_change_anywhere_else_and_a_missing_or_wrong_value_are_found() {
        let before = snapshot(&[("A", "preview", "1"), ("B", "production", "2")]);
        let secrets: Secrets = [("A", "x"), ("C", "y")]
            .map(|(key, value)| (key.to_owned(), Secret::new(value)))
            .into();
        let expected = secrets.keys().cloned().collect();

        let right = snapshot(&[
            ("A", "preview", "1"),
            ("A", "production", "x"),
            ("B", "production", "2"),
            ("C", "production", "y"),
        ]);
        let proof = examine(&before, &right, &secrets, &expected);
        assert_eq!((proof.arrived, proof.untouched, proof.kept), (2, 1, 1));
        assert!(proof.wrong.is_empty(), "{:?}", proof.wrong);

        let wrong = snapshot(&[
            ("A", "preview", "x"),
            ("A", "production", "z"),
            ("D", "development", "?"),
        ]);
        let proof = examine(&before, &wrong, &secrets, &expected);
        assert_eq!(
            proof.wrong,
            [
                "A has another value in production",
                "C is missing in production",
                "A in preview was changed",
                "B in production was removed",
                "D in development was added",
            ]
        );
    }
}
