//! When a webhook that did not take a delivery is tried again: a pure function. A receiver may be down
//! for a night, so the pauses are longer than those for providers, for whom somebody may be waiting.

use std::time::Duration;

use keyway_shared::domain::job::ErrorCode;

use super::retry::{RetryAnswer, RetryRule};

/// Pauses after the first, second, … attempt: eight attempts in a day.
const PAUSES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(8),
    Duration::from_hours(8),
];
/// Pauses are longer by up to this share, so that what failed together is not tried together.
const SPREAD: f64 = 0.1;
/// A receiver that asks for a longer pause is not waited for any longer than this.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// An attempt that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// Stable word.
    pub(crate) code: ErrorCode,
    /// Sentence of ours.
    pub(crate) message: String,
    /// Whether trying again could help.
    pub(crate) may_pass: bool,
    /// For how long the receiver wants to be left alone.
    pub(crate) asked: Duration,
}

impl Undelivered {
    /// How long to wait after attempt number `attempt` (from 1); nothing when there were enough. A length
    /// and not a time, since due times are of the database's clock.
    pub(crate) fn pause(&self, attempt: i64, jitter: f64) -> Option<Duration> {
        if !self.may_pass {
            return None;
        }
        let made = usize::try_from(attempt).unwrap_or(usize::MAX).max(1);
        let pause = *PAUSES.get(made - 1)?;
        let asked = self.asked.min(LONGEST_ASKED);
        Some(pause.mul_f64(1.0 + SPREAD * jitter).max(asked))
    }
}

/// What is done about each way not to be taken, as [`Undelivered::pause`] decides it: for people.
pub(super) fn rules() -> Vec<RetryRule> {
    let causes = [
        ErrorCode::Undelivered,
        ErrorCode::TargetRefused,
        ErrorCode::Unavailable,
    ];
    let pauses = |jitter| {
        let one = Undelivered {
            code: ErrorCode::Undelivered,
            message: String::new(),
            may_pass: true,
            asked: Duration::ZERO,
        };
        (1..).map_while(|made| one.pause(made, jitter)).collect()
    };
    vec![RetryRule {
        causes: causes.map(ErrorCode::as_str).to_vec(),
        answer: RetryAnswer::Redeliver {
            pauses: pauses(0.0),
            longest: pauses(1.0),
        },
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Undelivered {
        Undelivered {
            code: ErrorCode::Undelivered,
            message: String::new(),
            may_pass: true,
            asked: Duration::ZERO,
        }
    }

    #[test]
    fn eight_attempts_take_about_a_day() {
        for (jitter, hours) in [(0.0, 23), (1.0, 25)] {
            let (mut took, mut attempts) = (Duration::ZERO, 1);
            while let Some(pause) = failed().pause(attempts, jitter) {
                (took, attempts) = (took + pause, attempts + 1);
            }
            assert_eq!((attempts, took.as_secs() / 3600), (8, hours));
        }
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_within_reason() {
        let asks = |asked| Undelivered { asked, ..failed() };
        let minute = Duration::from_mins(1);
        assert_eq!(asks(minute).pause(1, 0.0), Some(minute));
        assert_eq!(asks(minute).pause(2, 0.0), Some(5 * minute));
        let day = asks(Duration::from_hours(24));
        assert_eq!(day.pause(1, 0.0), Some(LONGEST_ASKED));
    }

    #[test]
    fn what_cannot_pass_is_not_tried_again() {
        let refused = Undelivered {
            may_pass: false,
            ..failed()
        };
        assert_eq!(refused.pause(1, 0.0), None);
    }
}
