//! What a provider holds.

use std::collections::BTreeMap;

/// Every value, by where it is.
pub(in crate::commands::demo) type Snapshot = BTreeMap<Place, Held>;

/// Where a value is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::commands::demo) struct Place {
    /// The environment, context, service or app, as people name it.
    pub(in crate::commands::demo) at: String,
    /// The variable.
    pub(in crate::commands::demo) key: String,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands::demo) struct Held {
    /// The value in clear.
    pub(in crate::commands::demo) value: String,
    /// What is special about the variable, in the provider's words.
    pub(in crate::commands::demo) kind: Option<String>,
}
