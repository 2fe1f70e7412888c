//! The stand-in of Vercel as tests use it: every request that our client makes of it is held against
//! the vendor's description, and the test ends with a failure when one does not keep to it.

use std::collections::BTreeSet;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use keyway_shared::providers::http::USER_AGENT;
use keyway_simulator::RequestRecord;
use keyway_simulator::vercel::{EnvSeed, Preset, Vercel};

use crate::description::{Description, Violation};
use crate::leaks;

/// What became of the requests so far.
#[derive(Debug, Default)]
struct Verdict {
    checked: usize,
    violations: Vec<Violation>,
}

/// A running stand-in. Panics when it is dropped after a request that is not as described.
#[derive(Debug)]
pub struct StandIn {
    vercel: Vercel,
    verdict: Arc<Mutex<Verdict>>,
}

impl StandIn {
    /// Starts one on a free port.
    pub async fn start(preset: Preset) -> io::Result<Self> {
        let vercel = Vercel::start(preset).await?;
        let verdict = Arc::new(Mutex::new(Verdict::default()));
        let ours = Arc::clone(&verdict);
        vercel.observe(move |request| judge(&ours, request));
        for shown in vercel.snapshot("prj_myapp").values() {
            leaks::plant(&shown.value);
        }
        Ok(Self { vercel, verdict })
    }

    /// Adds a variable as if somebody had made it by hand, and gives its id.
    pub fn add_env(&self, project: &str, seed: &EnvSeed) -> String {
        leaks::plant(&seed.value);
        self.vercel.add_env(project, seed)
    }

    /// Changes a variable's value as if somebody had done it by hand.
    pub fn edit_env(&self, project: &str, id: &str, value: &str) {
        leaks::plant(value);
        self.vercel.edit_env(project, id, value);
    }

    /// How many requests of our client were held against the description.
    pub fn checked(&self) -> usize {
        let verdict = self.verdict.lock();
        verdict.unwrap_or_else(PoisonError::into_inner).checked
    }
}

/// A test may call as somebody else, with a request of its own making: only ours is judged.
fn judge(verdict: &Mutex<Verdict>, request: &RequestRecord) {
    if request.user_agent.as_deref() != Some(USER_AGENT) {
        return;
    }
    let violations = Description::vercel().check(request);
    let mut verdict = verdict.lock().unwrap_or_else(PoisonError::into_inner);
    verdict.checked += 1;
    verdict.violations.extend(violations);
}

impl Deref for StandIn {
    type Target = Vercel;

    fn deref(&self) -> &Vercel {
        &self.vercel
    }
}

impl Drop for StandIn {
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
