//! What happens to a job that did not succeed: a pure function, so that it can be read, shown and
//! tested.

use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_shared::providers::ProviderError;

/// The longest wait that a provider may ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// The wait when a provider limits us and does not say for how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(15);
/// Spread of waiters over this share of their wait, so that they do not wake at once.
const SPREAD: f64 = 0.1;

/// How often and how fast a job is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Runs that count, the first one included.
    pub attempts: u32,
    /// Upper end of the pause after the first of them; it doubles.
    pub first: Duration,
    /// The pause never gets longer than this.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_secs(1),
            cap: Duration::from_mins(1),
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It ends here.
    Fail,
    /// Once more at this time; the run counted.
    Retry(DateTime<Utc>),
    /// Not before this time; the run did not count.
    Wait(DateTime<Utc>),
}

impl RetryPolicy {
    /// Decides after run number `attempt` (from 1) failed with `error`. `jitter` is in `0.0..1.0`.
    pub(crate) fn decide(
        &self,
        attempt: u32,
        error: &ProviderError,
        now: DateTime<Utc>,
        jitter: f64,
    ) -> Decision {
        if let ProviderError::RateLimited { until } = error {
            let asked = until.map_or(UNTOLD_WAIT, |until| {
                (until - now).to_std().unwrap_or_default()
            });
            // A second at least: the provider's clock and ours differ.
            let wait = asked.clamp(Duration::from_secs(1), LONGEST_WAIT);
            return Decision::Wait(now + wait + wait.mul_f64(SPREAD * jitter));
        }
        if !error.is_transient() || attempt >= self.attempts {
            return Decision::Fail;
        }
        let doubled = self
            .first
            .saturating_mul(1_u32 << attempt.saturating_sub(1).min(20));
        // Full jitter: anywhere between now and the whole pause.
        Decision::Retry(now + doubled.min(self.cap).mul_f64(jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn decide(attempt: u32, error: &ProviderError, jitter: f64) -> Decision {
        RetryPolicy::default().decide(attempt, error, now(), jitter)
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_end_with_the_attempts() {
        let longest: Vec<_> = (1..=5)
            .map(|attempt| decide(attempt, &ProviderError::Unavailable, 1.0))
            .collect();
        let at = |seconds| Decision::Retry(now() + Duration::from_secs(seconds));
        assert_eq!(longest, [at(1), at(2), at(4), at(8), Decision::Fail]);
        assert_eq!(decide(3, &ProviderError::Timeout, 0.0), at(0));
        let patient = RetryPolicy {
            attempts: 50,
            ..RetryPolicy::default()
        };
        assert_eq!(
            patient.decide(40, &ProviderError::Conflict, now(), 1.0),
            at(60)
        );
    }

    #[test]
    fn what_will_not_change_is_not_tried_again() {
        for error in [
            ProviderError::Unauthorized,
            ProviderError::Forbidden,
            ProviderError::NotFound,
            ProviderError::Invalid {
                code: "x".into(),
                message: String::new(),
                key: None,
            },
        ] {
            assert_eq!(decide(1, &error, 0.5), Decision::Fail);
        }
    }

    #[test]
    fn a_rate_limit_waits_as_asked_whatever_the_attempt() {
        let limited = |seconds: i64| ProviderError::RateLimited {
            until: DateTime::from_timestamp(1_700_000_000 + seconds, 0),
        };
        let wait = |seconds| Decision::Wait(now() + Duration::from_secs(seconds));
        assert_eq!(decide(99, &limited(30), 0.0), wait(30));
        assert_eq!(decide(1, &limited(30), 1.0), wait(33));
        assert_eq!(decide(1, &limited(-5), 0.0), wait(1));
        assert_eq!(decide(1, &limited(86_400), 0.0), wait(3600));
        let untold = ProviderError::RateLimited { until: None };
        assert_eq!(decide(1, &untold, 0.0), wait(15));
    }
}
