//! The stand-in of Vercel.

use std::io;

use keyway_simulator::RequestRecord;
use keyway_simulator::vercel::{EnvSeed, Preset, Vercel};

use super::{Described, StandIn};
use crate::description::Description;
use crate::leaks;

impl Described for Vercel {
    fn observe(&self, observer: impl Fn(&RequestRecord) + Send + Sync + 'static) {
        Self::observe(self, observer);
    }

    fn check(request: &RequestRecord) -> Vec<String> {
        let violations = Description::vercel().check(request).into_iter();
        violations.map(|violation| violation.to_string()).collect()
    }
}

impl StandIn<Vercel> {
    /// Starts one on a free port.
    pub async fn start(preset: Preset) -> io::Result<Self> {
        let stand_in = Self::of(Vercel::start(preset).await?);
        for shown in stand_in.snapshot("prj_myapp").values() {
            leaks::plant(&shown.value);
        }
        Ok(stand_in)
    }

    /// Adds a variable as if somebody had made it by hand, and gives its id.
    pub fn add_env(&self, project: &str, seed: &EnvSeed) -> String {
        leaks::plant(&seed.value);
        self.simulator.add_env(project, seed)
    }

    /// Changes a variable's value as if somebody had done it by hand.
    pub fn edit_env(&self, project: &str, id: &str, value: &str) {
        leaks::plant(value);
        self.simulator.edit_env(project, id, value);
    }
}
