//! What the fuzzers of the providers have in common.

use chrono::DateTime;
use zeroize::Zeroizing;

use super::message::Answer;

/// Longest sentence of ours.
const LONGEST: usize = 400;

/// A status, `write` when something was to be changed, header fields as `name: value`, each in a line;
/// an empty line; the body.
pub(super) fn answer(bytes: &[u8]) -> Option<Answer> {
    let at = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (String::from_utf8_lossy(&bytes[..at]), &bytes[at + 2..]);
    let status = head.lines().next()?.parse().ok()?;
    let field = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        fields
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.to_owned())
    };
    Some(Answer {
        status,
        body: Zeroizing::new(body.to_vec()),
        writes: head.lines().any(|line| line == "write"),
        link: field("link"),
        retry_after: field("retry-after"),
        limit: field("limit"),
        remaining: field("remaining"),
        reset: field("reset"),
        date: field("date"),
        received: DateTime::from_timestamp(1_768_471_200, 0).unwrap_or_default(),
    })
}

/// A failure is told in words of ours, whatever the answer says.
pub(super) fn plain(sentence: &str) {
    assert!(sentence.len() <= LONGEST, "{sentence}");
    assert!(!sentence.contains(char::is_control), "{sentence:?}");
}
