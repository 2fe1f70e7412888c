//! The circuit of a provider's host, or of one account there: after failures without a success in
//! between nobody calls for a while, and then one does, on trial.

use std::sync::Arc;

use super::{TRIAL, TRIAL_LOOK};

/// Failures that are further apart have nothing to do with each other.
const TOGETHER: i64 = 60_000;
/// How long nobody calls at first; it doubles with each trial that fails, …
const FIRST_PAUSE: i64 = 5_000;
/// … up to this.
const LONGEST_PAUSE: i64 = 60_000;

/// What opens a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// So many failures in a row, …
    pub failures: i64,
    /// … from so many accounts.
    pub sources: usize,
}

impl Threshold {
    /// Of a host. What fails for one account only is not the host's fault.
    pub const HOST: Self = Self {
        failures: 5,
        sources: 3,
    };
    /// Of an account: as many as a job has runs, so that an outage does not end it.
    pub const ACCOUNT: Self = Self {
        failures: 5,
        sources: 1,
    };
}

/// What is known of the health of a host, or of an account there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circuit {
    /// Failures since the last success.
    pub failures: i64,
    /// The time of the last of them.
    pub last: i64,
    /// Nobody calls until then; 0: it is closed, and anybody may.
    pub open: i64,
    /// Times it was opened since the last success.
    pub opened: i64,
    /// The trial under way counts until then.
    pub trial_until: i64,
    /// Accounts that failed, up to the threshold.
    pub sources: Vec<Arc<str>>,
}

impl Circuit {
    /// Until when nobody may call, if so.
    pub fn held(&self, now: i64) -> Option<i64> {
        if self.open == 0 {
            None
        } else if now < self.open {
            Some(self.open)
        } else {
            (now < self.trial_until).then(|| (now + TRIAL_LOOK).min(self.trial_until))
        }
    }

    /// A call is made, on trial when it is open. Whether something hangs on the outcome.
    pub fn enter(&mut self, now: i64) -> bool {
        if self.open > 0 {
            self.trial_until = now + TRIAL;
        }
        self.failures > 0
    }

    /// A call failed. True when that opened it.
    pub fn failed(&mut self, now: i64, source: &Arc<str>, threshold: Threshold) -> bool {
        if now < self.open {
            // News of before.
            return false;
        }
        if self.open == 0 && now > self.last + TOGETHER {
            self.failures = 0;
            self.sources.clear();
        }
        self.failures += 1;
        self.last = now;
        if self.sources.len() < threshold.sources && !self.sources.contains(source) {
            self.sources.push(Arc::clone(source));
        }
        let opens = self.open > 0
            || self.failures >= threshold.failures && self.sources.len() >= threshold.sources;
        if opens {
            self.open = now + (FIRST_PAUSE << self.opened.min(10)).min(LONGEST_PAUSE);
            self.opened += 1;
            self.trial_until = 0;
        }
        opens
    }

    /// A call was answered.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// Whether nothing would be lost by forgetting it.
    pub const fn is_idle(&self, now: i64) -> bool {
        self.open == 0 && now > self.last + TOGETHER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(circuit: &mut Circuit, now: i64, source: &str, threshold: Threshold) -> bool {
        circuit.failed(now, &source.into(), threshold)
    }

    #[test]
    fn a_host_is_held_to_be_down_by_several_accounts() {
        let mut circuit = Circuit::default();
        for now in 0..20 {
            let source = ["a", "b"][now as usize % 2];
            assert!(!fail(&mut circuit, now, source, Threshold::HOST));
        }
        assert_eq!(circuit.held(20), None);
        assert!(fail(&mut circuit, 20, "c", Threshold::HOST));
        assert_eq!(circuit.held(21), Some(5_020));
    }

    #[test]
    fn a_success_in_between_ends_a_row() {
        let mut circuit = Circuit::default();
        for now in 0..4 {
            fail(&mut circuit, now, "a", Threshold::ACCOUNT);
        }
        assert!(circuit.enter(5));
        circuit.answered();
        assert!(!circuit.enter(6));
        assert!(!fail(&mut circuit, 7, "a", Threshold::ACCOUNT));
        // So does a minute.
        for now in 8..11 {
            fail(&mut circuit, now, "a", Threshold::ACCOUNT);
        }
        assert!(!fail(&mut circuit, 60_011, "a", Threshold::ACCOUNT));
    }

    #[test]
    fn one_call_on_trial_closes_it_or_holds_it_for_longer() {
        let mut circuit = Circuit::default();
        for now in 0..5 {
            fail(&mut circuit, now, "a", Threshold::ACCOUNT);
        }
        assert_eq!(circuit.held(5_003), Some(5_004));
        assert_eq!(circuit.held(5_004), None);
        assert!(circuit.enter(5_004));
        assert_eq!(circuit.held(5_005), Some(5_255));
        assert!(fail(&mut circuit, 6_000, "a", Threshold::ACCOUNT));
        assert_eq!(circuit.held(6_001), Some(16_000));
        // What was on its way when it opened says nothing new.
        assert!(!fail(&mut circuit, 6_002, "a", Threshold::ACCOUNT));
        assert_eq!(circuit.held(6_003), Some(16_000));
        circuit.enter(16_000);
        // A trial that is lost is followed by another.
        assert_eq!(circuit.held(31_000), None);
        circuit.enter(31_000);
        circuit.answered();
        assert_eq!((circuit.held(31_001), circuit.enter(31_001)), (None, false));
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut circuit = Circuit::default();
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..10 {
            if fail(&mut circuit, now, "a", Threshold::ACCOUNT) {
                pauses.push(circuit.open - now);
                now = circuit.open;
            }
        }
        assert_eq!(pauses, [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    }
}
