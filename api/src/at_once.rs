//! Limits on what a caller has open at once: requests that wait for a job, and streams of events.

use keyway_shared::queue::Slot;

use crate::error::ApiError;
use crate::extract::Caller;
use crate::state::ApiState;

/// Seconds after which it is worth trying again.
const RETRY_AFTER: u64 = 5;

/// What is open for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// A request that waits for a job.
    Wait,
    /// A stream of events.
    Stream,
}

impl Open {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "waits",
            Self::Stream => "streams",
        }
    }

    const fn rule(self) -> &'static str {
        match self {
            Self::Wait => {
                "requests of one credential wait for jobs at once. End some, or send Prefer: respond-async"
            }
            Self::Stream => "streams of one credential are open at once. End some",
        }
    }
}

/// What was given to a caller for as long as something is open: given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<Slot>);

impl Held {
    /// 429 when the credential, or this process, has too many open.
    pub(crate) async fn take(
        state: &ApiState,
        caller: &Caller,
        open: Open,
    ) -> Result<Self, ApiError> {
        let options = &state.options;
        let (limit, all) = match open {
            Open::Wait => (options.waits, None),
            Open::Stream => (options.streams, options.all_streams),
        };
        let slots = state.queue.slots();
        let mut held = Vec::new();
        if let Some(limit) = all {
            // Whoever makes more credentials still leaves half of the room to others.
            let share = limit.div_ceil(2);
            let slot = slots.take_here(&format!("{}:{}", open.as_str(), caller.user.id), share);
            let rule = "streams of one user are open in this process. End some";
            held.push(slot.ok_or_else(|| refusal(open, share, rule))?);
            let slot = slots.take_here(open.as_str(), limit);
            let rule = "streams are open in this process";
            held.push(slot.ok_or_else(|| refusal(open, limit, rule))?);
        }
        if let Some(limit) = limit {
            let name = format!("{}:{}", open.as_str(), caller.counted_as());
            let now = state.ambient.now().timestamp_millis();
            let slot = slots.take(&name, limit, state.ambient.new_id(), now).await;
            held.push(slot.ok_or_else(|| refusal(open, limit, open.rule()))?);
        }
        Ok(Self(held))
    }

    /// To be called every few seconds while it is open.
    pub(crate) async fn keep(&mut self, state: &ApiState) {
        for slot in &mut self.0 {
            slot.keep(state.ambient.now().timestamp_millis()).await;
        }
    }
}

fn refusal(open: Open, limit: u32, rule: &'static str) -> ApiError {
    metrics::counter!("keyway_requests_limited_total", "by" => open.as_str()).increment(1);
    ApiError::TooManyOpen {
        limit,
        rule,
        retry_after: RETRY_AFTER,
    }
}
