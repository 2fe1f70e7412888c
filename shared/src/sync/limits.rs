//! What a provider takes, as data.

/// The limits of a provider, as far as it states them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most variables in one environment.
    pub max_variables: Option<usize>,
    /// Most bytes of names and values that one deployment gets.
    pub deployment_bytes: Option<usize>,
    /// Most bytes of one variable, name and value, on the provider's edge runtime.
    pub edge_bytes: Option<usize>,
    /// Prefixes of names whose values are shown to browsers, and cannot be sensitive.
    pub public_prefixes: &'static [&'static str],
}
