//! The bell inside one process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use super::Room;
use crate::domain::job::JobClass;

/// More rings than this are dropped; the sweeper finds their jobs in SQL.
const CAPACITY: usize = 10_000;

/// A list of ids for each class.
#[derive(Debug, Clone, Default)]
pub struct LocalQueue(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    lists: Mutex<[VecDeque<Uuid>; 2]>,
    rung: Notify,
}

impl LocalQueue {
    /// An empty pair of lists.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn ring(&self, id: Uuid, class: JobClass) {
        let mut lists = self.0.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let list = &mut lists[index(class)];
        if list.len() < CAPACITY {
            list.push_back(id);
            self.0.rung.notify_one();
        }
    }

    pub(super) async fn pop(&self, room: Room) -> Option<(Uuid, JobClass)> {
        loop {
            if let Some(found) = self.take(room) {
                return Some(found);
            }
            self.0.rung.notified().await;
        }
    }

    fn take(&self, room: Room) -> Option<(Uuid, JobClass)> {
        let mut lists = self.0.lists.lock().unwrap_or_else(PoisonError::into_inner);
        [JobClass::Interactive, JobClass::Background]
            .into_iter()
            .filter(|class| room.has(*class))
            .find_map(|class| Some((lists[index(class)].pop_front()?, class)))
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
    fn interactive_comes_first_and_a_class_without_room_stays() {
        let queue = LocalQueue::new();
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        queue.ring(first, JobClass::Background);
        queue.ring(second, JobClass::Interactive);
        let pop = |interactive, background| {
            queue
                .pop(Room {
                    interactive,
                    background,
                })
                .now_or_never()
                .flatten()
        };
        assert_eq!(pop(true, true), Some((second, JobClass::Interactive)));
        assert_eq!(pop(true, false), None);
        assert_eq!(pop(false, true), Some((first, JobClass::Background)));
    }
}
