//! Organisations, of which there are none.

pub(crate) mod list;
