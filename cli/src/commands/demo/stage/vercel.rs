//! Vercel: a project's environments, of which preview has branches.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use keyway_simulator::RequestRecord;
use keyway_simulator::vercel::{self, TOKEN, Vercel};

use super::{Held, Place, Preset, Snapshot, Stage, Words};

/// Id of `my-app`.
const ID: &str = "prj_myapp";
const ENVIRONMENT: &str = "production";

const WORDS: Words = Words {
    projects: "projects",
    service: None,
    destination: "the environment production of the project my-app",
    here: ENVIRONMENT,
    variables: "variables",
    environments: "environments",
    shown: "what a deployment at the simulated Vercel would get",
    deployment: "deployment",
    next: "the next production deployment",
    by_hand: "in Vercel's dashboard",
};

pub(super) struct OnVercel(Vercel);

impl OnVercel {
    pub(super) async fn start(preset: Preset, latency: Duration) -> io::Result<Self> {
        let vercel = Vercel::start(match preset {
            Preset::Starter => vercel::Preset::Starter,
            Preset::LivedIn => vercel::Preset::LivedIn,
        })
        .await?;
        vercel.set_latency(latency);
        Ok(Self(vercel))
    }
}

impl Stage for OnVercel {
    fn provider(&self) -> &'static str {
        "vercel"
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

    fn snapshot(&self) -> Snapshot {
        let rows = self.0.snapshot(ID).into_iter();
        rows.map(|(row, shown)| {
            let environment = match row.scope.as_str() {
                "production" | "preview" | "development" => row.scope,
                _ => "the custom environment staging".to_owned(),
            };
            let at = match row.branch {
                Some(branch) => format!("{environment} of {branch}"),
                None => environment,
            };
            let held = Held {
                value: shown.value,
                kind: Some(shown.kind).filter(|kind| kind != "encrypted"),
            };
            (Place { at, key: row.key }, held)
        })
        .collect()
    }

    /// Rows that serve other environments as well.
    fn shared(&self) -> BTreeSet<String> {
        let rows = self.0.snapshot(ID);
        let row = |key: &str, scope: &str| self.0.row(ID, key, scope);
        let serves_both = |place: &vercel::Place| {
            place.scope != ENVIRONMENT
                && place.branch.is_none()
                && row(&place.key, &place.scope) == row(&place.key, ENVIRONMENT)
        };
        let shared = rows.keys().filter(|place| serves_both(place));
        shared.map(|place| place.key.clone()).collect()
    }

    fn edit(&self, key: &str, value: &str) {
        if let Some(row) = self.0.row(ID, key, ENVIRONMENT) {
            self.0.edit_env(ID, &row, value);
        }
    }

    fn requests(&self) -> Vec<RequestRecord> {
        self.0.requests()
    }

    fn begin_step(&self) {
        self.0.reset_calls();
    }
}
