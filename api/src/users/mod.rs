//! The caller as a user.

pub(crate) mod me;
