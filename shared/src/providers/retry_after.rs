//! When a provider that limits us wants to be asked again. Pure.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

/// Above this, a number is milliseconds since the epoch; in seconds it would be the year 5138.
const MILLIS_FROM: f64 = 1e11;
/// Above this, a number is seconds since the epoch; as a delay it would be 31 years.
const EPOCH_FROM: f64 = 1e9;
/// Nobody waits longer than this on a provider's word.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// What an answer says about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct RetryHints<'a> {
    /// `Retry-After`: seconds or an HTTP date.
    pub retry_after: Option<&'a str>,
    /// `X-RateLimit-Reset`: seconds since the epoch.
    pub header_reset: Option<&'a str>,
    /// The body's reset in seconds since the epoch.
    pub reset_secs: Option<f64>,
    /// The same in milliseconds.
    pub reset_ms: Option<f64>,
}

/// The latest of the times that are given, since taking an earlier one only costs another refusal.
/// Times that have passed say nothing.
pub fn retry_at(hints: &RetryHints<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let header = |text: Option<&str>| text.and_then(|text| text.trim().parse::<f64>().ok());
    let millis = |ms: f64| {
        if ms >= MILLIS_FROM {
            epoch(ms / 1000.0)
        } else {
            after(now, ms / 1000.0)
        }
    };
    [
        hints.retry_after.and_then(|text| {
            header(Some(text)).map_or_else(|| http_date(text), |number| point(number, now))
        }),
        header(hints.header_reset).and_then(|number| point(number, now)),
        hints.reset_secs.and_then(|number| point(number, now)),
        hints.reset_ms.and_then(millis),
    ]
    .into_iter()
    .flatten()
    .filter(|at| *at > now)
    .max()
    .map(|at| at.min(now + LONGEST))
}

/// A number that is a delay or a time, whichever its size allows.
fn point(number: f64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if number >= MILLIS_FROM {
        epoch(number / 1000.0)
    } else if number >= EPOCH_FROM {
        epoch(number)
    } else {
        after(now, number)
    }
}

fn epoch(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis((seconds * 1000.0) as i64)
}

fn after(now: DateTime<Utc>, seconds: f64) -> Option<DateTime<Utc>> {
    (seconds.is_finite() && seconds >= 0.0)
        .then(|| TimeDelta::milliseconds((seconds.min(1e8) * 1000.0).ceil() as i64))
        .and_then(|delay| now.checked_add_signed(delay))
}

/// The three forms of a date in HTTP.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc2822(text)
        .map(|at| at.with_timezone(&Utc))
        .ok()
        .or_else(|| {
            ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
                .map(|at| at.and_utc())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn wait(hints: RetryHints<'_>) -> Option<i64> {
        retry_at(&hints, now()).map(|at| (at - now()).num_milliseconds())
    }

    fn retry_after(text: &str) -> Option<i64> {
        wait(RetryHints {
            retry_after: Some(text),
            ..RetryHints::default()
        })
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("30"), Some(30_000));
        assert_eq!(retry_after(" 1.5 "), Some(1_500));
        assert_eq!(retry_after("Fri, 15 Jan 2027 08:01:00 GMT"), Some(60_000));
        assert_eq!(retry_after("Friday, 15-Jan-27 08:01:00 GMT"), Some(60_000));
        assert_eq!(retry_after("Fri Jan 15 08:01:00 2027"), Some(60_000));
    }

    #[test]
    fn what_is_past_or_no_time_says_nothing() {
        for text in [
            "0",
            "-5",
            "",
            "soon",
            "NaN",
            "Fri, 15 Jan 2027 07:59:00 GMT",
        ] {
            assert_eq!(retry_after(text), None, "{text}");
        }
        assert_eq!(wait(RetryHints::default()), None);
    }

    #[test]
    fn resets_are_times_in_seconds_or_milliseconds() {
        let reset = |reset_secs, reset_ms| {
            wait(RetryHints {
                reset_secs,
                reset_ms,
                ..RetryHints::default()
            })
        };
        assert_eq!(reset(Some(1_800_000_042.0), None), Some(42_000));
        assert_eq!(reset(Some(1_800_000_042_500.0), None), Some(42_500));
        assert_eq!(reset(None, Some(1_800_000_000_250.0)), Some(250));
        assert_eq!(reset(None, Some(700.0)), Some(700));
        let header = RetryHints {
            header_reset: Some("1800000007"),
            ..RetryHints::default()
        };
        assert_eq!(wait(header), Some(7_000));
    }

    #[test]
    fn the_latest_counts_and_nothing_is_beyond_a_day() {
        let both = RetryHints {
            retry_after: Some("5"),
            reset_secs: Some(1_800_000_060.0),
            ..RetryHints::default()
        };
        assert_eq!(wait(both), Some(60_000));
        assert_eq!(retry_after("999999999"), Some(24 * 3600 * 1000));
        assert_eq!(retry_after("inf"), None);
    }
}
