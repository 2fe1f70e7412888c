//! Following a list from page to page. A list that is silently short hides what it has, so one that does
//! not say where it goes on, or goes in circles, is an error.

use std::collections::HashSet;

use super::wire::PageInfo;
use crate::providers::ProviderError;

/// More than the largest list has.
const MAX_PAGES: usize = 200;

/// The cursors so far.
#[derive(Debug, Default)]
pub(super) struct Pages(HashSet<String>);

impl Pages {
    /// Where the next page begins, if there is one.
    pub(super) fn after(&mut self, page: &PageInfo) -> Result<Option<String>, ProviderError> {
        if !page.has_next_page {
            return Ok(None);
        }
        let cursor = page.end_cursor.clone().ok_or(ProviderError::Protocol)?;
        let is_new = self.0.insert(cursor.clone());
        if is_new && self.0.len() <= MAX_PAGES {
            Ok(Some(cursor))
        } else {
            Err(ProviderError::Protocol)
        }
    }
}
