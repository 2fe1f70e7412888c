//! How often one action may be done to one app or machine: a bucket of each that fills steadily.

use super::call::Call;
use super::reply::{Refusal, refusal};
use super::state::State;

/// What a call takes from a bucket, which is counted in thousandths of calls: a call in a second is
/// one thousandth in a millisecond.
const CALL: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Bucket {
    level: u64,
    at_ms: u64,
}

/// Counts a call. The limits are of apps and machines, whoever calls; what is about neither (the
/// token, the list of apps) is not counted. UNCERTAIN: the documentation names no limit for it.
pub(super) fn count(state: &mut State, call: &Call) -> Result<(), Refusal> {
    let Some((action, target)) = key(call) else {
        return Ok(());
    };
    let options = &state.options;
    let (rate, burst) = if action == "GET machine" {
        (options.machine_read_rate_limit, options.machine_read_burst)
    } else {
        (options.rate_limit, options.burst)
    };
    let Some(rate) = rate else {
        return Ok(());
    };
    let now = state.now();
    let full = burst * CALL;
    let bucket = state.buckets.entry((action, target)).or_insert(Bucket {
        level: full,
        at_ms: now,
    });
    let gained = now.saturating_sub(bucket.at_ms) * rate;
    bucket.level = full.min(bucket.level + gained);
    bucket.at_ms = now;
    if let Some(left) = bucket.level.checked_sub(CALL) {
        bucket.level = left;
        return Ok(());
    }
    let wait_ms = (CALL - bucket.level).div_ceil(rate.max(1));
    let mut refused = refusal(429, "rate limit exceeded");
    if state.options.retry_after {
        refused.retry_after_secs = Some(wait_ms.div_ceil(1_000));
    }
    Err(refused)
}

/// The action, and the machine or else the app that it is done to.
fn key(call: &Call) -> Option<(String, String)> {
    let method = call.method.as_str();
    let (kind, target) = match call.segments()[..] {
        ["apps", app] => ("app", app),
        ["apps", app, "machines"] => ("machines", app),
        ["apps", _, "machines", machine] => ("machine", machine),
        ["apps", _, "machines", machine, action] => (action, machine),
        ["apps", app, "secrets"] => ("secrets", app),
        ["apps", app, "secrets", _] => ("secret", app),
        _ => return None,
    };
    Some((format!("{method} {kind}"), target.to_owned()))
}
