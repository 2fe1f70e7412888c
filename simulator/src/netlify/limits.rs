//! How many calls a user may make in a minute.

use super::reply::{Refusal, refusal};
use super::state::State;

/// Counts a call, and says in headers how many are left.
pub(super) fn count(
    state: &mut State,
    user: &str,
    headers: &mut Vec<(&'static str, String)>,
) -> Result<(), Refusal> {
    let Some(limit) = state.options.rate_limit else {
        return Ok(());
    };
    let now = state.now();
    let window = state.options.window_ms;
    let counted = state.windows.entry(user.to_owned()).or_insert((now, 0));
    if now >= counted.0 + window {
        *counted = (now, 0);
    }
    counted.1 += 1;
    let (start, calls) = *counted;
    let reset_ms = start + window;
    headers.extend([
        ("x-ratelimit-limit", limit.to_string()),
        (
            "x-ratelimit-remaining",
            limit.saturating_sub(calls).to_string(),
        ),
        // In seconds since 1970, rounded up: who waits until then does not come too early.
        ("x-ratelimit-reset", reset_ms.div_ceil(1000).to_string()),
    ]);
    if calls <= limit {
        return Ok(());
    }
    if state.options.retry_after {
        let seconds = (reset_ms - now).div_ceil(1000);
        headers.push(("retry-after", seconds.to_string()));
    }
    Err(refusal(429, "API rate limit exceeded"))
}
