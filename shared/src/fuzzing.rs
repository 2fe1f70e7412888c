//! The doors through which text of others comes in, for fuzzers that throw anything at them
//! (`fuzz/`), and for the test that plays what they have found before (`shared/tests/corpus.rs`).
//! No part of what this crate offers.
//!
//! None of them may panic, hang or take more memory than its input is worth; what else must hold is
//! asserted.

#![expect(clippy::expect_used, reason = "a target that falls says so by a panic")]

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::crypto::tokens::{is_api_key_format, is_session_format, typed_user_code};
use crate::domain::account::{network_text, parse_network};
use crate::domain::auto_sync::{AutoMode, AutoSync, AutoSyncParts};
use crate::domain::dotenv;
use crate::domain::names::{is_environment_name, is_provider_ref, is_secret_name, split_repo};
use crate::guarded::check_target;
use crate::providers::retry_after::{RetryHints, retry_at};
use crate::providers::{fly, netlify, railway, vercel};
use crate::secret::Secret;
use crate::sync::filter::globs;

/// A door.
type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
const TARGETS: &[(&str, Target)] = &[
    ("credential", credential),
    ("dotenv", env_text),
    ("filter", filter),
    ("fly", fly::fuzzing::read),
    ("netlify", netlify::fuzzing::read),
    ("railway", railway::fuzzing::read),
    ("retry_after", retry_after),
    ("schedule", schedule),
    ("target", target),
    ("vercel", vercel::fuzzing::read),
];

/// The names of all of them.
pub fn names() -> impl Iterator<Item = &'static str> {
    TARGETS.iter().map(|(name, _)| *name)
}

/// Throws something at one of them.
///
/// # Panics
/// When it falls, or when there is none of that name.
pub fn play(name: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = found.expect("one of `names`");
    target(bytes);
}

/// Some moment.
const NOW: DateTime<Utc> = DateTime::from_timestamp(1_768_471_200, 0).expect("a time");

/// Keys, sessions, codes, networks and names.
fn credential(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_api_key_format(text) {
        assert!(is_plain && text.len() == 48 && !is_session_format(text));
    }
    if is_session_format(text) {
        assert!(is_plain);
    }
    if let Some(code) = typed_user_code(text) {
        assert_eq!(typed_user_code(&code), Some(code.clone()));
        assert!(code.is_ascii());
    }
    if let Some(net) = parse_network(text) {
        assert_eq!(parse_network(&network_text(&net)), Some(net));
    }
    if is_secret_name(text) || is_environment_name(text) {
        assert!(is_plain && text.len() <= 256);
    }
    if is_provider_ref(text) {
        assert!(!text.contains(|c: char| c.is_control() || c.is_whitespace()));
    }
    if let Some((owner, repo)) = split_repo(text) {
        for part in [owner, repo] {
            assert!(part != "." && part != ".." && !part.contains(['/', '\\', '%', '?', '#']));
        }
    }
}

/// Values, one from each line, as the `.env` text of an environment.
fn env_text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let values = BTreeMap::from([("KEY".to_owned(), Secret::new(text))]);
    let written = dotenv::write(&values);
    let lines: Vec<_> = written
        .expose()
        .trim_end_matches('\n')
        .split('\n')
        .collect();
    let read = lines[0].strip_prefix("KEY=").map(dotenv::client_reads);
    if text.contains('\n') {
        // The client has lost the rest; writing that back would destroy the value.
        let first = read.unwrap_or_default();
        assert!(dotenv::is_torn(text, first));
    } else {
        assert_eq!(read, Some(text));
        assert!(!dotenv::is_torn(text, text));
    }
}

/// Patterns of key names, one in each line.
fn filter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let patterns: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
    if let Ok(set) = globs(&patterns) {
        for key in ["", "A", "API_KEY", &"A".repeat(256), &"AB_".repeat(85)] {
            set.is_match(key);
        }
    }
}

/// `Retry-After`, `X-RateLimit-Reset`, `Date`, and a body's reset, one in each line.
fn retry_after(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.split('\n');
    let mut next = || lines.next().filter(|line| !line.is_empty());
    let (retry_after, header_reset, date, reset) = (next(), next(), next(), next());
    let reset = reset.and_then(|reset| reset.parse().ok());
    let at = retry_at(
        &RetryHints {
            retry_after,
            header_reset,
            reset_secs: reset,
            reset_ms: reset,
            date,
        },
        NOW,
    );
    if let Some(at) = at {
        assert!(at > NOW && at <= NOW + TimeDelta::hours(24), "{at}");
    }
}

/// A period, a cron expression and a time zone, one in each line.
fn schedule(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.split('\n');
    let mut next = || lines.next().filter(|line| !line.is_empty());
    let parts = AutoSyncParts {
        every: next(),
        cron: next(),
        time_zone: next(),
        action: None,
    };
    let Ok(auto) = AutoSync::new(AutoMode::Interval, parts) else {
        return;
    };
    let stays = AutoSync::new(AutoMode::Interval, auto.parts());
    assert_eq!(stays.as_ref().map(AutoSync::parts), Ok(auto.parts()));
    if let AutoSync::Interval(recurrence, _) = &auto
        && recurrence.check(NOW).is_ok()
        && let Some(first) = recurrence.first(Uuid::nil(), NOW)
    {
        let next = recurrence.next(Uuid::nil(), first, first);
        assert!(first >= NOW && next.is_none_or(|next| next > first));
    }
}

/// The address of a webhook.
fn target(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(url) = check_target(text, false) {
        assert!(url.scheme() == "https" && url.username().is_empty() && url.password().is_none());
        // It means the same when it is read again.
        assert_eq!(check_target(url.as_str(), false), Ok(url));
    }
}
