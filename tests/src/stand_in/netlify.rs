//! The stand-in of Netlify.

use std::io;

use keyway_simulator::RequestRecord;
use keyway_simulator::netlify::{EnvSeed, Netlify, Preset, SITE};

use super::{Described, StandIn};
use crate::description::Description;
use crate::leaks;

impl Described for Netlify {
    fn observe(&self, observer: impl Fn(&RequestRecord) + Send + Sync + 'static) {
        Self::observe(self, observer);
    }

    fn check(request: &RequestRecord) -> Vec<String> {
        let violations = Description::netlify().check(request).into_iter();
        violations.map(|violation| violation.to_string()).collect()
    }
}

impl StandIn<Netlify> {
    /// Starts one on a free port.
    pub async fn netlify(preset: Preset) -> io::Result<Self> {
        let stand_in = Self::of(Netlify::start(preset).await?);
        for shown in stand_in.snapshot(SITE).values() {
            leaks::plant(&shown.value);
        }
        Ok(stand_in)
    }

    /// Adds a variable as if somebody had made it by hand, or replaces it.
    pub fn put_env(&self, holder: &str, seed: &EnvSeed) {
        for value in seed.values.values() {
            leaks::plant(value);
        }
        self.simulator.put_env(holder, seed);
    }
}
