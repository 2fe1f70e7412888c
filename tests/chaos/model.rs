//! What the provider holds at the beginning, who writes where, and what has to be there at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::simulator::{Place, Simulator, Snapshot};

/// A vault environment's place at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) project: String,
    /// As requests name it.
    pub(crate) environment: String,
    /// As the provider names it.
    pub(crate) scope: String,
    pub(crate) branch: Option<String>,
    /// Whether a sync takes away what the vault does not have.
    pub(crate) deletes: bool,
    /// New rows are sensitive.
    pub(crate) sensitive: bool,
}

impl Destination {
    pub(crate) fn holds(&self, place: &Place) -> bool {
        place.project == self.project && place.scope == self.scope && place.branch == self.branch
    }
}

/// Names that vaults use. Some of them are rows that several environments share at the beginning.
pub(crate) const KEYS: [&str; 14] = [
    "API_URL",
    "SENTRY_DSN",
    "REGION",
    "STRIPE_KEY",
    "FLAG",
    "FEATURE",
    "KEY_1",
    "KEY_2",
    "KEY_3",
    "KEY_4",
    "KEY_5",
    "KEY_6",
    "KEY_7",
    "KEY_8",
];

/// A branch that a vault writes to; another one is nobody's.
const BRANCH: &str = "feature/login";

#[derive(Debug)]
pub(crate) struct World {
    initial: Snapshot,
    destinations: Vec<Destination>,
}

impl World {
    /// Fills projects at the provider, as people would have over the years.
    pub(crate) async fn make(simulator: &Simulator, projects: usize) -> Self {
        let mut destinations = Vec::new();
        let mut ids = BTreeSet::new();
        for number in 0..projects {
            let (id, custom) = simulator
                .project(&format!("chaos-{number}"), &["staging", "qa"])
                .await;
            for mut row in rows(&custom) {
                row["project"] = json!(id);
                simulator.add(&row).await;
            }
            let places = [
                ("production", "production", None),
                ("preview", "preview", None),
                ("staging", custom[0].as_str(), None),
                ("preview", "preview", Some(BRANCH)),
            ];
            for (at, (environment, scope, branch)) in places.into_iter().enumerate() {
                destinations.push(Destination {
                    project: id.clone(),
                    environment: environment.to_owned(),
                    scope: scope.to_owned(),
                    branch: branch.map(ToOwned::to_owned),
                    deletes: (at + number / 2) % 2 == 1,
                    sensitive: at == 1,
                });
            }
            ids.insert(id);
        }
        let mut initial = simulator.snapshot().await;
        initial.retain(|place, _| ids.contains(&place.project));
        Self {
            initial,
            destinations,
        }
    }

    pub(crate) fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// What the destination holds after a success of a vault that never gives up a key, or that has
    /// its destinations follow when it does.
    fn expected(
        &self,
        destination: &Destination,
        vault: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let there = self.initial.iter().filter(|(place, (_, kind))| {
            destination.holds(place) && (!destination.deletes || kind == "system")
        });
        let mut expected: BTreeMap<String, String> = there
            .map(|(place, (value, _))| (place.key.clone(), value.clone()))
            .collect();
        expected.extend(vault.clone());
        expected
    }

    /// How the destination differs from what it has to hold.
    pub(crate) fn differences(
        &self,
        now: &Snapshot,
        destination: &Destination,
        vault: &BTreeMap<String, String>,
    ) -> Vec<String> {
        let expected = self.expected(destination, vault);
        let found: BTreeMap<String, String> = now
            .iter()
            .filter(|(place, _)| destination.holds(place))
            .map(|(place, (value, _))| (place.key.clone(), value.clone()))
            .collect();
        let mut differences = differences(&expected, &found);
        if !destination.deletes {
            // A row that was never taken away keeps its type.
            let kept = self
                .initial
                .iter()
                .filter(|(place, _)| destination.holds(place));
            differences.extend(kept.filter_map(|(place, (_, kind))| {
                let (_, other) = now.get(place)?;
                (kind != other).then(|| format!("{}: type {kind} became {other}", place.key))
            }));
        }
        differences
    }

    /// What changed where nobody was to change anything.
    pub(crate) fn outside(&self, now: &Snapshot) -> Vec<String> {
        let projects: BTreeSet<_> = self.initial.keys().map(|place| &place.project).collect();
        let outside = |snapshot: &Snapshot| -> BTreeMap<String, String> {
            let places = snapshot.iter().filter(|(place, _)| {
                projects.contains(&place.project)
                    && !self.destinations.iter().any(|one| one.holds(place))
            });
            places
                .map(|(place, shown)| (format!("{place:?}"), format!("{shown:?}")))
                .collect()
        };
        differences(&outside(&self.initial), &outside(now))
    }
}

fn differences(
    expected: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> Vec<String> {
    let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    keys.into_iter()
        .filter(|key| expected.get(*key) != found.get(*key))
        .map(|key| {
            let show = |side: &BTreeMap<String, String>| {
                side.get(key)
                    .map_or("nothing".to_owned(), |value| format!("{value:?}"))
            };
            format!("{key}: {} instead of {}", show(found), show(expected))
        })
        .collect()
}

fn rows(custom: &[String]) -> Vec<Value> {
    let [staging, qa] = custom else {
        panic!("two custom environments")
    };
    let row = |key: &str, value: &str, target: &[&str]| json!({ "key": key, "value": value, "target": target });
    let mut rows = vec![
        row("API_URL", "https://old", &["production", "preview"]),
        row(
            "SENTRY_DSN",
            "https://sentry",
            &["production", "preview", "development"],
        ),
        row("REGION", "eu", &["production"]),
        row("STRIPE_KEY", "sk_old", &["production", "preview"]),
        row("FLAG", "off", &["production"]),
        row("FLAG", "on", &["development"]),
        row("LEGACY", "1", &["production", "preview", "development"]),
        row("FEATURE", "a", &["preview"]),
        row("FEATURE", "b", &["preview"]),
        row("KEY_1", "c", &["preview"]),
        row("VERCEL_URL", "", &["production", "preview"]),
        row("QA_ONLY", "1", &[]),
    ];
    rows[2]["customEnvironmentIds"] = json!([staging, qa]);
    rows[3]["type"] = json!("sensitive");
    rows[4]["type"] = json!("plain");
    rows[7]["gitBranch"] = json!(BRANCH);
    rows[8]["gitBranch"] = json!("fix/header");
    rows[9]["gitBranch"] = json!(BRANCH);
    rows[10]["type"] = json!("system");
    rows[11]["customEnvironmentIds"] = json!([qa]);
    rows
}
