//! What became of the requests that our client made of a stand-in.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// The requests so far.
#[derive(Debug, Default)]
pub(super) struct Verdict(Mutex<Judged>);

#[derive(Debug, Default)]
struct Judged {
    checked: usize,
    violations: BTreeSet<String>,
}

impl Verdict {
    /// Notes what does not fit in a request.
    pub(super) fn note(&self, violations: impl IntoIterator<Item = impl Display>) {
        let mut judged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        judged.checked += 1;
        let lines = violations
            .into_iter()
            .map(|violation| violation.to_string());
        judged.violations.extend(lines);
    }

    /// How many requests were judged.
    pub(super) fn checked(&self) -> usize {
        let judged = self.0.lock();
        judged.unwrap_or_else(PoisonError::into_inner).checked
    }

    /// Panics when one was not as described.
    #[expect(
        clippy::print_stderr,
        reason = "a second panic would end all tests of the process"
    )]
    pub(super) fn tell(&self) {
        let judged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<_> = judged.violations.iter().cloned().collect();
        drop(judged);
        let lines = lines.join("\n");
        if lines.is_empty() {
            return;
        }
        let text = format!(
            "requests of ours are not as the vendor describes them \
             (tests/description/README.md):\n{lines}"
        );
        if std::thread::panicking() {
            eprintln!("{text}");
        } else {
            panic!("{text}");
        }
    }
}
