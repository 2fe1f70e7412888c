//! Who did what, when and from where.

pub(crate) mod export;
pub(crate) mod list;
