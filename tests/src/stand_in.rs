//! The stand-ins of providers as tests use them: every request that our client makes of one is held
//! against the vendor's description, and the test ends with a failure when one does not keep to it.

use std::collections::BTreeSet;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use keyway_shared::providers::http::USER_AGENT;
use keyway_simulator::RequestRecord;
use keyway_simulator::netlify::{self, Netlify};
use keyway_simulator::vercel::{EnvSeed, Preset, Vercel};

use crate::description::{Description, Violation};
use crate::leaks;

/// A provider's simulator, and the vendor's own description of what it stands in for.
pub trait Described {
    /// Shows each call to `observer`.
    fn observe(&self, observer: impl Fn(&RequestRecord) + Send + Sync + 'static);

    /// What is wrong with a request, by the vendor's description.
    fn check(request: &RequestRecord) -> Vec<Violation>;
}

impl Described for Vercel {
    fn observe(&self, observer: impl Fn(&RequestRecord) + Send + Sync + 'static) {
        Self::observe(self, observer);
    }

    fn check(request: &RequestRecord) -> Vec<Violation> {
        Description::vercel().check(request)
    }
}

impl Described for Netlify {
    fn observe(&self, observer: impl Fn(&RequestRecord) + Send + Sync + 'static) {
        Self::observe(self, observer);
    }

    fn check(request: &RequestRecord) -> Vec<Violation> {
        Description::netlify().check(request)
    }
}

/// What became of the requests so far.
#[derive(Debug, Default)]
struct Verdict {
    checked: usize,
    violations: Vec<Violation>,
}

/// A running stand-in. Panics when it is dropped after a request that is not as described.
#[derive(Debug)]
pub struct StandIn<S = Vercel> {
    simulator: S,
    verdict: Arc<Mutex<Verdict>>,
}

impl<S: Described> StandIn<S> {
    /// Watches a simulator that was just started.
    pub fn of(simulator: S) -> Self {
        let verdict = Arc::new(Mutex::new(Verdict::default()));
        let ours = Arc::clone(&verdict);
        simulator.observe(move |request| judge::<S>(&ours, request));
        Self { simulator, verdict }
    }

    /// How many requests of our client were held against the description.
    pub fn checked(&self) -> usize {
        let verdict = self.verdict.lock();
        verdict.unwrap_or_else(PoisonError::into_inner).checked
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

impl StandIn<Netlify> {
    /// Starts one on a free port.
    pub async fn netlify(preset: netlify::Preset) -> io::Result<Self> {
        let stand_in = Self::of(Netlify::start(preset).await?);
        for shown in stand_in.snapshot(netlify::SITE).values() {
            leaks::plant(&shown.value);
        }
        Ok(stand_in)
    }

    /// Adds a variable as if somebody had made it by hand, or replaces it.
    pub fn put_env(&self, holder: &str, seed: &netlify::EnvSeed) {
        for value in seed.values.values() {
            leaks::plant(value);
        }
        self.simulator.put_env(holder, seed);
    }
}

/// A test may call as somebody else, with a request of its own making: only ours is judged.
fn judge<S: Described>(verdict: &Mutex<Verdict>, request: &RequestRecord) {
    if request.user_agent.as_deref() != Some(USER_AGENT) {
        return;
    }
    let violations = S::check(request);
    let mut verdict = verdict.lock().unwrap_or_else(PoisonError::into_inner);
    verdict.checked += 1;
    verdict.violations.extend(violations);
}

impl<S> Deref for StandIn<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.simulator
    }
}

impl<S> Drop for StandIn<S> {
    #[expect(
        clippy::print_stderr,
        reason = "a second panic would end all tests of the process"
    )]
    fn drop(&mut self) {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: BTreeSet<String> = verdict.violations.iter().map(ToString::to_string).collect();
        drop(verdict);
        if lines.is_empty() {
            return;
        }
        let lines = Vec::from_iter(lines).join("\n");
        let text = format!(
            "requests of ours are not as the vendor describes them \
             (tests/description/README.md):\n{lines}"
        );
        if std::thread::panicking() {
            eprintln!("{text}");
        } else {
            panic!("{text}");
        }
    }
}
