//! The stand-ins of providers as tests use them: every request that our client makes of one is held
//! against the vendor's description, and the test ends with a failure when one does not keep to it.

mod fly;
mod netlify;
mod railway;
mod vercel;
mod verdict;

use std::ops::Deref;
use std::sync::Arc;

use keyway_shared::providers::http::USER_AGENT;
use keyway_simulator::RequestRecord;
use keyway_simulator::vercel::Vercel;

use verdict::Verdict;

/// A provider's simulator, and the vendor's own description of what it stands in for.
pub trait Described {
    /// Shows each call to `observer`.
    fn observe(&self, observer: impl Fn(&RequestRecord) + Send + Sync + 'static);

    /// What is wrong with a request, by the vendor's description.
    fn check(request: &RequestRecord) -> Vec<String>;
}

/// A running stand-in. Panics when it is dropped after a request that is not as described.
#[derive(Debug)]
pub struct StandIn<S = Vercel> {
    simulator: S,
    verdict: Arc<Verdict>,
}

impl<S: Described> StandIn<S> {
    /// Watches a simulator that was just started.
    pub fn of(simulator: S) -> Self {
        let verdict = Arc::<Verdict>::default();
        let ours = Arc::clone(&verdict);
        simulator.observe(move |request| {
            // A test may call as somebody else, with a request of its own making.
            if request.user_agent.as_deref() == Some(USER_AGENT) {
                ours.note(S::check(request));
            }
        });
        Self { simulator, verdict }
    }

    /// How many requests of our client were held against the description.
    pub fn checked(&self) -> usize {
        self.verdict.checked()
    }
}

impl<S> Deref for StandIn<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.simulator
    }
}

impl<S> Drop for StandIn<S> {
    fn drop(&mut self) {
        self.verdict.tell();
    }
}
