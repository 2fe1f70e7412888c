//! The limits inside one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::WINDOW;

/// Callers beyond this are looked through for some that owe nothing.
const MANY: usize = 50_000;

/// By caller: the time at which all of its requests so far are paid for.
#[derive(Debug, Clone, Default)]
pub(super) struct LocalLimits(Arc<Mutex<HashMap<String, i64>>>);

impl LocalLimits {
    /// The same as the script in Redis.
    pub(super) fn count(&self, caller: &str, now: i64, cost: i64) -> (bool, i64) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= MANY && !callers.contains_key(caller) {
            callers.retain(|_, paid| *paid > now);
            // Strangers by the thousand within a minute: what they owe is forgotten, not kept for ever.
            if callers.len() >= MANY {
                callers.clear();
            }
        }
        let paid = callers.get(caller).copied().unwrap_or(now);
        let paid = paid.clamp(now, now + WINDOW);
        if paid + cost > now + WINDOW {
            return (false, paid);
        }
        callers.insert(caller.to_owned(), paid + cost);
        (true, paid + cost)
    }
}
