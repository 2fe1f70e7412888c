//! The stand-in of Fly.io.

use std::io;

use keyway_simulator::RequestRecord;
use keyway_simulator::fly::{APP, BARE_APP, Fly, Options, Preset, STAGING_APP};

use super::{Described, StandIn};
use crate::description::Description;
use crate::leaks;

impl Described for Fly {
    fn observe(&self, observer: impl Fn(&RequestRecord) + Send + Sync + 'static) {
        Self::observe(self, observer);
    }

    fn check(request: &RequestRecord) -> Vec<String> {
        if is_beyond(request) {
            return Vec::new();
        }
        let violations = Description::fly().check(request).into_iter();
        violations.map(|violation| violation.to_string()).collect()
    }
}

impl StandIn<Fly> {
    /// Starts one on a free port, without limits.
    pub async fn fly(preset: Preset) -> io::Result<Self> {
        let stand_in = Self::of(Fly::start(preset).await?);
        stand_in.set(Options::unlimited);
        for app in [APP, STAGING_APP, BARE_APP] {
            for shown in stand_in.snapshot(app).values() {
                leaks::plant(&shown.value);
            }
        }
        Ok(stand_in)
    }

    /// Sets a secret as if somebody had staged it by hand.
    pub fn put_secret(&self, app: &str, name: &str, value: &str) {
        leaks::plant(value);
        self.simulator.put_secret(app, name, value);
    }
}

/// What is not in the part of the description that we have: leases of machines, and to wait for one.
fn is_beyond(request: &RequestRecord) -> bool {
    let segments: Vec<&str> = request.path.split('/').collect();
    matches!(
        (request.method.as_str(), &segments[..]),
        (
            "POST" | "DELETE",
            ["", "v1", "apps", _, "machines", _, "lease"]
        ) | ("GET", ["", "v1", "apps", _, "machines", _, "wait"])
    )
}
