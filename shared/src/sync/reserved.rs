//! Names that are not ours to write, as data.

/// Names that the platform reserves, or injects itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReservedNames {
    /// Whole names.
    pub names: &'static [&'static str],
    /// Beginnings of names.
    pub prefixes: &'static [&'static str],
    /// What may stand before such a beginning.
    pub behind: &'static [&'static str],
}

impl ReservedNames {
    /// Whether it is one of them.
    pub fn has(&self, key: &str) -> bool {
        let begins = |key: &str| self.prefixes.iter().any(|prefix| key.starts_with(prefix));
        let mut bare = self
            .behind
            .iter()
            .filter_map(|prefix| key.strip_prefix(prefix));
        self.names.contains(&key) || begins(key) || bare.any(begins)
    }
}
