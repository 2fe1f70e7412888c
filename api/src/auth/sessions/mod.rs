//! The caller's sessions.

pub(crate) mod list;
pub(crate) mod revoke;
