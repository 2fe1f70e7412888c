//! The slots of one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// By name: how many are taken. Names of which none is are not kept.
#[derive(Debug, Clone, Default)]
pub(super) struct LocalSlots(Arc<Mutex<HashMap<String, u32>>>);

/// A slot that is taken.
#[derive(Debug)]
pub(super) struct LocalSlot {
    slots: LocalSlots,
    name: String,
}

impl LocalSlots {
    pub(super) fn take(&self, name: &str, limit: u32) -> Option<LocalSlot> {
        let mut taken = self.lock();
        let here = taken.get(name).copied().unwrap_or_default();
        if here >= limit {
            return None;
        }
        taken.insert(name.to_owned(), here + 1);
        Some(LocalSlot {
            slots: self.clone(),
            name: name.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LocalSlot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        match taken.get_mut(&self.name) {
            Some(here) if *here > 1 => *here -= 1,
            _ => {
                taken.remove(&self.name);
            }
        }
    }
}
