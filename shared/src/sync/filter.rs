//! Which keys take part in a sync. What is left out is on neither side for it: it is not compared,
//! not written and never deleted.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::options::SyncRequest;

/// Most patterns in one list.
pub const MAX_PATTERNS: usize = 100;
/// Longest pattern or prefix, in characters: a key cannot be longer.
pub const MAX_PATTERN: usize = 256;

/// Why a filter cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A list without patterns. It would have to mean "nothing" for `include` and is more likely a
    /// mistake of whoever made the request, which must not widen a write.
    #[error("must not be empty; leave it out to take every key")]
    Empty,
    /// More than [`MAX_PATTERNS`].
    #[error("takes at most {MAX_PATTERNS} patterns")]
    TooMany,
    /// Longer than [`MAX_PATTERN`], or nothing at all.
    #[error("must be 1 to {MAX_PATTERN} characters long")]
    Length,
    /// Not a glob.
    #[error("is not a pattern: {0}")]
    Pattern(String),
}

/// `include`, `exclude` and `prefix` of a request, ready to be asked.
#[derive(Debug, Clone)]
pub struct KeyFilter {
    include: Option<GlobSet>,
    exclude: GlobSet,
    prefix: String,
}

impl KeyFilter {
    /// The filter of a request that was checked when it was accepted.
    pub fn of(request: &SyncRequest) -> Result<Self, FilterError> {
        Ok(Self {
            include: request.include.as_deref().map(globs).transpose()?,
            exclude: match request.exclude.as_deref() {
                Some(patterns) => globs(patterns)?,
                None => GlobSet::empty(),
            },
            prefix: match request.prefix.as_deref() {
                Some(prefix) => checked(prefix)?.to_owned(),
                None => String::new(),
            },
        })
    }

    /// Whether the key takes part: it begins with the prefix, matches a pattern of `include` (when
    /// there is one) and none of `exclude`. Case counts.
    pub fn takes(&self, key: &str) -> bool {
        key.starts_with(&self.prefix)
            && self
                .include
                .as_ref()
                .is_none_or(|include| include.is_match(key))
            && !self.exclude.is_match(key)
    }
}

/// A list of patterns, as one.
pub fn globs(patterns: &[String]) -> Result<GlobSet, FilterError> {
    if patterns.is_empty() {
        return Err(FilterError::Empty);
    }
    if patterns.len() > MAX_PATTERNS {
        return Err(FilterError::TooMany);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(glob(checked(pattern)?)?);
    }
    set.build().map_err(|error| pattern_error(&error))
}

/// A prefix or pattern of a length that can match a key.
pub fn checked(text: &str) -> Result<&str, FilterError> {
    let fits = (1..=MAX_PATTERN).contains(&text.chars().count());
    fits.then_some(text).ok_or(FilterError::Length)
}

fn glob(pattern: &str) -> Result<Glob, FilterError> {
    GlobBuilder::new(pattern)
        .backslash_escape(true)
        .build()
        .map_err(|error| pattern_error(&error))
}

fn pattern_error(error: &globset::Error) -> FilterError {
    FilterError::Pattern(error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::options::Direction;

    fn filter(include: &[&str], exclude: &[&str], prefix: Option<&str>) -> KeyFilter {
        let list = |patterns: &[&str]| {
            (!patterns.is_empty()).then(|| patterns.iter().map(ToString::to_string).collect())
        };
        KeyFilter::of(&SyncRequest {
            include: list(include),
            exclude: list(exclude),
            prefix: prefix.map(str::to_owned),
            ..SyncRequest::new("p", "production", "production", Direction::Push)
        })
        .unwrap()
    }

    #[test]
    fn a_key_must_pass_each_part() {
        let all = filter(&[], &[], None);
        assert!(all.takes("ANY") && all.takes("any-thing"));
        let some = filter(&["DB_*", "API_KE?"], &["*_TEST", "DB_{OLD,OLDER}"], None);
        for key in ["DB_URL", "DB_", "API_KEY"] {
            assert!(some.takes(key), "{key}");
        }
        for key in [
            "db_url", "XDB_URL", "API_KEYS", "DB_TEST", "DB_OLD", "DB_OLDER",
        ] {
            assert!(!some.takes(key), "{key}");
        }
        let prefixed = filter(&[], &["APP_SECRET"], Some("APP_"));
        assert!(prefixed.takes("APP_URL"));
        assert!(
            !prefixed.takes("APP_SECRET") && !prefixed.takes("URL") && !prefixed.takes("app_URL")
        );
    }

    #[test]
    fn what_cannot_be_a_filter_is_refused() {
        let of = |patterns: &[&str]| {
            globs(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_err()
        };
        assert_eq!(of(&[]), FilterError::Empty);
        assert_eq!(of(&["A"; 101]), FilterError::TooMany);
        assert_eq!(of(&[""]), FilterError::Length);
        assert_eq!(of(&["A".repeat(257).as_str()]), FilterError::Length);
        assert!(matches!(of(&["A[B"]), FilterError::Pattern(_)));
        assert!(matches!(of(&["{A,B"]), FilterError::Pattern(_)));
    }
}
