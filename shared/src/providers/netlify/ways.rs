//! What a change of a key needs, by the values that the key has in all contexts.

use std::collections::BTreeMap;

use super::rows::ALL;
use crate::sync::remote::{Destination, RemoteRow, RemoteView};

/// How a key gets a value for our context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// No context has it: with all others of which that is so.
    New,
    /// As a value of the variable that is there.
    Value,
    /// All contexts share one: by replacing the variable as a whole.
    Shared,
}

/// How our context loses its value of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletion<'a> {
    /// There are values beside that of this id.
    Value(&'a str),
    /// There is no other: with the variable.
    Last,
    /// All contexts share one: by replacing the variable as a whole.
    Shared,
}

pub(super) struct Ways<'a> {
    rows: BTreeMap<&'a str, Vec<&'a RemoteRow>>,
    ours: BTreeMap<&'a str, &'a RemoteRow>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(view: &'a RemoteView, destination: &Destination) -> Self {
        let mut rows: BTreeMap<&str, Vec<&RemoteRow>> = BTreeMap::new();
        for row in &view.rows {
            rows.entry(&row.key).or_default().push(row);
        }
        let ours = view.at(destination);
        Self { rows, ours }
    }

    pub(super) fn write(&self, key: &str) -> Write {
        let Some(rows) = self.rows.get(key) else {
            return Write::New;
        };
        let has_own = self.ours.get(key).is_some_and(|row| row.kind != ALL);
        if !has_own && rows.iter().any(|row| row.kind == ALL) {
            Write::Shared
        } else {
            Write::Value
        }
    }

    /// `None`: there is none.
    pub(super) fn delete(&self, key: &str) -> Option<Deletion<'a>> {
        let row = self.ours.get(key)?;
        let is_alone = self.rows.get(key).is_some_and(|rows| rows.len() == 1);
        Some(if row.kind == ALL {
            Deletion::Shared
        } else if is_alone {
            Deletion::Last
        } else {
            Deletion::Value(&row.id)
        })
    }
}
