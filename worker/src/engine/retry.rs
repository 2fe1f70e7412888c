//! What happens to a job that did not succeed: a pure function, so that it can be read, shown and
//! tested.

use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_shared::domain::job::JobKind;
use keyway_shared::providers::ProviderError;

use super::redelivery;

/// The longest wait that a provider may ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// The wait when a provider limits us and does not say for how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(15);
/// No wait is shorter: the provider's clock and ours differ.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// Spread of waiters over this share of their wait, so that they do not wake at once …
const SPREAD: f64 = 0.1;
/// … and over at least this much.
const LEAST_SPREAD: Duration = Duration::from_millis(500);

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

/// What is done. Lengths and not times: what asked for a wait is of the worker's clock, and due times
/// are of the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It ends here.
    Fail,
    /// Once more after this long; the run counted.
    Retry(Duration),
    /// Not sooner than this; the run did not count.
    Wait(Duration),
}

impl RetryPolicy {
    /// What is done about each cause that jobs of a kind meet, as the engine decides it: for people.
    pub fn rules_of(&self, kind: JobKind) -> Vec<RetryRule> {
        match kind {
            JobKind::Sync | JobKind::Preview | JobKind::Diff | JobKind::Status => self.rules(),
            // It calls a receiver and no provider.
            JobKind::Webhook => redelivery::rules(),
        }
    }

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
            let wait = asked.clamp(SHORTEST_WAIT, LONGEST_WAIT);
            let spread = wait.mul_f64(SPREAD).max(LEAST_SPREAD);
            return Decision::Wait(wait + spread.mul_f64(jitter));
        }
        if let ProviderError::Held { until } = error {
            let asked = (*until - now).to_std().unwrap_or_default();
            let wait = asked.clamp(SHORTEST_WAIT, LONGEST_WAIT);
            // One is enough to see whether it is over: the others come later and later.
            return Decision::Wait(wait + wait.mul_f64(jitter));
        }
        if !error.is_transient() || attempt >= self.attempts {
            return Decision::Fail;
        }
        // Full jitter: anywhere between now and the whole pause.
        Decision::Retry(self.pause(attempt).mul_f64(jitter))
    }

    /// The longest pause after so many runs.
    fn pause(&self, attempt: u32) -> Duration {
        let doubled = 1_u32 << attempt.saturating_sub(1).min(20);
        self.first.saturating_mul(doubled).min(self.cap)
    }

    fn rules(&self) -> Vec<RetryRule> {
        let mut rules: Vec<RetryRule> = Vec::new();
        for error in every_error() {
            let answer = self.answer(&error);
            let cause = error.waiting_reason();
            match rules.iter_mut().find(|rule| rule.answer == answer) {
                Some(rule) if rule.causes.contains(&cause) => {}
                Some(rule) => rule.causes.push(cause),
                None => rules.push(RetryRule {
                    causes: vec![cause],
                    answer,
                }),
            }
        }
        rules
    }

    fn answer(&self, error: &ProviderError) -> RetryAnswer {
        let now = DateTime::UNIX_EPOCH;
        let mut pauses = Vec::new();
        if matches!(error, ProviderError::Held { .. }) {
            return RetryAnswer::Held;
        }
        for attempt in 1.. {
            match self.decide(attempt, error, now, 1.0) {
                Decision::Retry(pause) => pauses.push(pause),
                Decision::Wait(_) => {
                    return RetryAnswer::Wait {
                        untold: UNTOLD_WAIT,
                        longest: LONGEST_WAIT,
                    };
                }
                Decision::Fail => break,
            }
        }
        if pauses.is_empty() {
            RetryAnswer::End
        } else {
            RetryAnswer::Again { pauses }
        }
    }
}

/// Causes that are treated alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryRule {
    /// The causes, as jobs tell them while they wait and when they end.
    pub causes: Vec<&'static str>,
    /// What is done.
    pub answer: RetryAnswer,
}

/// What is done about a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAnswer {
    /// Another run after each of these pauses at the latest, then the end.
    Again {
        /// Upper ends of the pauses; each is a random part of it.
        pauses: Vec<Duration>,
    },
    /// Another run after each of these pauses, then the end. It ends at once when it is told that there
    /// is nobody any more.
    Redeliver {
        /// The pauses, of which each is up to a tenth longer.
        pauses: Vec<Duration>,
        /// What they are at the longest.
        longest: Vec<Duration>,
    },
    /// As many runs as it takes; they are not counted.
    Wait {
        /// The wait when the provider names none.
        untold: Duration,
        /// The longest wait that a provider may ask for.
        longest: Duration,
    },
    /// As many runs as it takes, each after somebody's call on trial; they are not counted.
    Held,
    /// The job ends.
    End,
}

/// One error of each kind.
fn every_error() -> [ProviderError; 13] {
    [
        ProviderError::Unavailable,
        ProviderError::Timeout,
        ProviderError::Protocol,
        ProviderError::Conflict,
        ProviderError::OutcomeUnknown,
        ProviderError::RateLimited { until: None },
        ProviderError::Held {
            until: DateTime::UNIX_EPOCH,
        },
        ProviderError::Unauthorized,
        ProviderError::Forbidden,
        ProviderError::NotFound,
        ProviderError::UnknownEnvironment { known: Vec::new() },
        ProviderError::Invalid {
            code: String::new(),
            message: String::new(),
            key: None,
        },
        ProviderError::Stopped,
    ]
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
        let at = |seconds| Decision::Retry(Duration::from_secs(seconds));
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
        let wait = |seconds| Decision::Wait(Duration::from_secs(seconds));
        assert_eq!(decide(99, &limited(30), 0.0), wait(30));
        assert_eq!(decide(1, &limited(30), 1.0), wait(33));
        assert_eq!(decide(1, &limited(-5), 0.0), wait(1));
        assert_eq!(decide(1, &limited(86_400), 0.0), wait(3600));
        let untold = ProviderError::RateLimited { until: None };
        assert_eq!(decide(1, &untold, 0.0), wait(15));
        // Also those that need not wait long do not come back at once.
        let spread = Decision::Wait(Duration::from_millis(1_250));
        assert_eq!(decide(1, &limited(1), 0.5), spread);
    }

    #[test]
    fn an_outage_is_waited_for_and_not_by_all_at_once() {
        let held = ProviderError::Held {
            until: now() + Duration::from_secs(20),
        };
        let wait = |seconds| Decision::Wait(Duration::from_secs(seconds));
        assert_eq!(decide(99, &held, 0.0), wait(20));
        assert_eq!(decide(99, &held, 0.5), wait(30));
    }

    #[test]
    fn the_rules_tell_every_cause_once() {
        let rules = RetryPolicy::default().rules();
        let answers: Vec<_> = rules.iter().map(|rule| &rule.answer).collect();
        let pauses = [1, 2, 4, 8].map(Duration::from_secs).to_vec();
        assert_eq!(
            answers,
            [
                &RetryAnswer::Again { pauses },
                &RetryAnswer::Wait {
                    untold: UNTOLD_WAIT,
                    longest: LONGEST_WAIT
                },
                &RetryAnswer::Held,
                &RetryAnswer::End,
            ]
        );
        let mut causes: Vec<_> = rules.iter().flat_map(|rule| &rule.causes).collect();
        let told = causes.len();
        causes.sort_unstable();
        causes.dedup();
        assert_eq!(causes.len(), told);
    }
}
