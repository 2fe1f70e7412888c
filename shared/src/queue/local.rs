//! The bell inside one process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::domain::job::JobClass;

/// More rings than this are dropped; the sweeper finds their jobs in SQL.
const CAPACITY: usize = 10_000;

/// A list of ids for each class.
#[derive(Debug, Clone, Default)]
pub struct LocalQueue(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner([List; 2]);

#[derive(Debug, Default)]
struct List {
    ids: Mutex<VecDeque<Uuid>>,
    rung: Notify,
}

impl LocalQueue {
    /// An empty pair of lists.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn ring(&self, id: Uuid, class: JobClass) {
        let list = self.list(class);
        let mut ids = list.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() < CAPACITY {
            ids.push_back(id);
            list.rung.notify_one();
        }
    }

    pub(super) async fn pop(&self, class: JobClass) -> Uuid {
        let list = self.list(class);
        loop {
            let first = {
                let mut ids = list.ids.lock().unwrap_or_else(PoisonError::into_inner);
                ids.pop_front()
            };
            if let Some(id) = first {
                return id;
            }
            list.rung.notified().await;
        }
    }

    fn list(&self, class: JobClass) -> &List {
        &self.0.0[index(class)]
    }
}

const fn index(class: JobClass) -> usize {
    match class {
        JobClass::Interactive => 0,
        JobClass::Background => 1,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn each_class_has_a_list_of_its_own_in_order() {
        let queue = LocalQueue::new();
        let ids: Vec<_> = (1..=3).map(Uuid::from_u128).collect();
        queue.ring(ids[0], JobClass::Background);
        queue.ring(ids[1], JobClass::Interactive);
        queue.ring(ids[2], JobClass::Background);
        let pop = |class| queue.pop(class).now_or_never();
        assert_eq!(pop(JobClass::Interactive), Some(ids[1]));
        assert_eq!(pop(JobClass::Interactive), None);
        assert_eq!(pop(JobClass::Background), Some(ids[0]));
        assert_eq!(pop(JobClass::Background), Some(ids[2]));
        assert_eq!(pop(JobClass::Background), None);
    }
}
