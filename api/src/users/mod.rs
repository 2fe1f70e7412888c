//! The caller as a user.

pub(crate) mod me;
pub(crate) mod usage;

/// There are no plans here. Existing pages hide what other plans do not have.
pub(crate) const PLAN: &str = "business";
