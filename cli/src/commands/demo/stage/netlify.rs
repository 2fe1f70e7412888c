//! Netlify: the contexts of a site, over the variables of its team. A value may be for all contexts.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use keyway_simulator::RequestRecord;
use keyway_simulator::netlify::{self, ACCOUNT, EnvSeed, Netlify, SITE, Shown, TOKEN};

use super::{Held, Place, Preset, Snapshot, Stage, Words};

const CONTEXT: &str = "production";
const CONTEXTS: [&str; 5] = [
    CONTEXT,
    "deploy-preview",
    "branch-deploy",
    "dev",
    "dev-server",
];
/// What a value is for that each context without one of its own has.
const ALL: &str = "all";
/// Every scope; a variable that has them all was not narrowed.
const SCOPES: usize = 4;

const WORDS: Words = Words {
    projects: "sites",
    service: None,
    destination: "the context production of the site my-app",
    here: CONTEXT,
    variables: "variables",
    environments: "contexts",
    shown: "what a deploy at the simulated Netlify would get in each context",
    deployment: "build",
    next: "the next production deploy",
    by_hand: "in Netlify's dashboard",
};

pub(super) struct OnNetlify(Netlify);

impl OnNetlify {
    pub(super) async fn start(preset: Preset, latency: Duration) -> io::Result<Self> {
        let netlify = Netlify::start(match preset {
            Preset::Starter => netlify::Preset::Starter,
            Preset::LivedIn => netlify::Preset::LivedIn,
        })
        .await?;
        netlify.set_latency(latency);
        Ok(Self(netlify))
    }

    /// What the site has for a key, by context.
    fn of(&self, key: &str) -> Vec<(String, Shown)> {
        let values = self.0.snapshot(SITE).into_iter();
        values
            .filter(|(place, _)| place.key == key)
            .map(|(place, shown)| (place.context, shown))
            .collect()
    }
}

impl Stage for OnNetlify {
    fn provider(&self) -> &'static str {
        "netlify"
    }

    fn url(&self) -> String {
        self.0.url()
    }

    fn token(&self) -> &'static str {
        TOKEN
    }

    fn words(&self) -> &'static Words {
        &WORDS
    }

    /// Context by context what a deploy gets, wherever that is written; and the team's variables.
    fn snapshot(&self) -> Snapshot {
        let (site, team) = (self.0.snapshot(SITE), self.0.snapshot(ACCOUNT));
        let keys: BTreeSet<&String> = site.keys().chain(team.keys()).map(|at| &at.key).collect();
        let branches = site
            .keys()
            .filter_map(|at| at.context.strip_prefix("branch:"));
        let branches: BTreeSet<&str> = branches.collect();
        let contexts = CONTEXTS.map(|context| (context, None)).into_iter();
        let places = contexts.chain(branches.into_iter().map(|it| ("branch-deploy", Some(it))));
        let mut snapshot = Snapshot::new();
        for (context, branch) in places {
            let at = match branch {
                Some(branch) => format!("{context} of {branch}"),
                None => context.to_owned(),
            };
            for key in &keys {
                let Some(value) = self.0.value(SITE, key, context, branch) else {
                    continue;
                };
                let mut of_site = site.iter().filter(|(place, _)| place.key == **key);
                let kind = of_site.next().and_then(|(_, shown)| kind(shown));
                let place = Place {
                    at: at.clone(),
                    key: (*key).clone(),
                };
                snapshot.insert(place, Held { value, kind });
            }
        }
        snapshot.extend(team.into_iter().map(|(place, shown)| {
            let kind = kind(&shown);
            let place = Place {
                at: "the team".to_owned(),
                key: format!("{} ({})", place.key, place.context),
            };
            (
                place,
                Held {
                    value: shown.value,
                    kind,
                },
            )
        }));
        snapshot
    }

    fn shared(&self) -> BTreeSet<String> {
        let site = self.0.snapshot(SITE);
        let own = |key: &str| site.keys().any(|at| at.key == key && at.context == CONTEXT);
        let of_all = site.keys().filter(|at| at.context == ALL && !own(&at.key));
        of_all.map(|at| at.key.clone()).collect()
    }

    fn deployments(&self) -> Option<usize> {
        Some(self.0.builds(SITE))
    }

    fn edit(&self, key: &str, value: &str) {
        let there = self.of(key);
        let Some((_, first)) = there.first() else {
            return;
        };
        let mut seed = EnvSeed::new(key, &[]);
        (seed.is_secret, seed.scopes) = (first.is_secret, first.scopes.clone());
        let values = there.into_iter().map(|(at, shown)| (at, shown.value));
        seed.values = values.collect();
        seed.values.insert(CONTEXT.to_owned(), value.to_owned());
        self.0.put_env(SITE, &seed);
    }

    fn requests(&self) -> Vec<RequestRecord> {
        self.0.requests()
    }

    fn begin_step(&self) {
        self.0.reset_calls();
    }
}

/// What people narrowed a variable to.
fn kind(shown: &Shown) -> Option<String> {
    let scopes = shown.scopes.join(" and ");
    match (shown.is_secret, shown.scopes.len() < SCOPES) {
        (true, _) => Some("secret".to_owned()),
        (false, true) => Some(format!("scope {scopes} only")),
        (false, false) => None,
    }
}
