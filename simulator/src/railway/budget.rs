//! Calls an hour and a second.

use std::collections::BTreeMap;

use super::model::{RateLimitReset, RetryAfter};
use super::state::State;

const HOUR_MS: u64 = 3_600_000;
const SECOND_MS: u64 = 1_000;

/// Start and calls of the windows, by owner and length.
pub(super) type Windows = BTreeMap<(String, u64), (u64, u32)>;

/// Headers of an answer, and whether the call is beyond the budget.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) exceeded: bool,
}

/// What is left of the hour, and when it ends.
pub(super) fn left(state: &State, owner: &str) -> Option<(u32, u64)> {
    let budget = state.options.per_hour?;
    let now = state.now();
    let window = state.windows.get(&(owner.to_owned(), HOUR_MS));
    Some(match window {
        Some((start, used)) if now < start + HOUR_MS => {
            (budget.saturating_sub(*used), start + HOUR_MS)
        }
        _ => (budget, now + HOUR_MS),
    })
}

/// Counts a call. A call beyond one budget is not counted against the other.
pub(super) fn count(state: &mut State, owner: &str) -> Counted {
    let now = state.now();
    let budgets = [
        (SECOND_MS, state.options.per_second),
        (HOUR_MS, state.options.per_hour),
    ];
    let mut told = None;
    for (length, budget) in budgets {
        let Some(budget) = budget else { continue };
        let window = state
            .windows
            .entry((owner.to_owned(), length))
            .or_insert((now, 0));
        if now >= window.0 + length {
            *window = (now, 0);
        }
        let reset = window.0 + length;
        if window.1 >= budget {
            return Counted {
                headers: headers(state, budget, 0, reset, true),
                exceeded: true,
            };
        }
        window.1 += 1;
        told = Some((budget, budget - window.1, reset));
    }
    let headers = told.map(|(budget, left, reset)| headers(state, budget, left, reset, false));
    Counted {
        headers: headers.unwrap_or_default(),
        exceeded: false,
    }
}

fn headers(
    state: &State,
    budget: u32,
    left: u32,
    reset: u64,
    exceeded: bool,
) -> Vec<(&'static str, String)> {
    let wait = reset.saturating_sub(state.now());
    let reset = match state.options.rate_limit_reset {
        RateLimitReset::UnixSeconds => reset.div_ceil(1_000).to_string(),
        RateLimitReset::UnixMilliseconds => reset.to_string(),
        RateLimitReset::SecondsLeft => wait.div_ceil(1_000).to_string(),
        RateLimitReset::Date => date(reset),
    };
    let mut headers = vec![
        ("x-ratelimit-limit", budget.to_string()),
        ("x-ratelimit-remaining", left.to_string()),
        ("x-ratelimit-reset", reset),
    ];
    if exceeded {
        let wait = match state.options.retry_after {
            RetryAfter::Seconds => wait.div_ceil(1_000),
            RetryAfter::Milliseconds => wait,
        };
        headers.push(("retry-after", wait.to_string()));
    }
    headers
}

/// A time as RFC 3339 writes it.
pub(super) fn date(ms: u64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(ms as i64).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
