//! When a provider that limits us wants to be asked again. Pure.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

/// Above this, a number is milliseconds since the epoch; in seconds it would be the year 5138.
const MILLIS_FROM: f64 = 1e11;
/// Above this, a number is seconds since the epoch; as a delay it would be 31 years.
const EPOCH_FROM: f64 = 1e9;
/// Clocks that differ by less are taken for the same.
const SAME_CLOCK: TimeDelta = TimeDelta::seconds(2);
/// Nobody waits longer than this on a provider's word.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// What an answer says about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct RetryHints<'a> {
    /// `Retry-After`: seconds or an HTTP date.
    pub retry_after: Option<&'a str>,
    /// `X-RateLimit-Reset`: seconds since the epoch, or a date of RFC 3339.
    pub header_reset: Option<&'a str>,
    /// The body's reset in seconds since the epoch.
    pub reset_secs: Option<f64>,
    /// The same in milliseconds.
    pub reset_ms: Option<f64>,
    /// `Date`: the provider's own time of the answer. Times are held against it, so that it does not
    /// matter by how much its clock and ours differ.
    pub date: Option<&'a str>,
}

/// The latest of the times that are given, since taking an earlier one only costs another refusal.
/// Times that have passed say nothing. A number is a delay or a time, whichever its size allows.
pub fn retry_at(hints: &RetryHints<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let header = |text: Option<&str>| text.and_then(|text| text.trim().parse::<f64>().ok());
    let ahead = hints.date.and_then(http_date).map(|theirs| theirs - now);
    // A date is to the second and the answer was on its way: less says nothing.
    let skew = ahead
        .filter(|ahead| ahead.abs() > SAME_CLOCK)
        .unwrap_or_default();
    let ours = |at: DateTime<Utc>| at.checked_sub_signed(skew);
    let point = |number: f64| {
        if number >= MILLIS_FROM {
            epoch(number / 1000.0).and_then(ours)
        } else if number >= EPOCH_FROM {
            epoch(number).and_then(ours)
        } else {
            after(now, number)
        }
    };
    let millis = |ms: f64| {
        if ms >= MILLIS_FROM {
            epoch(ms / 1000.0).and_then(ours)
        } else {
            after(now, ms / 1000.0)
        }
    };
    [
        hints.retry_after.and_then(|text| {
            header(Some(text)).map_or_else(|| http_date(text).and_then(ours), point)
        }),
        hints
            .header_reset
            .and_then(|text| header(Some(text)).map_or_else(|| date(text).and_then(ours), point)),
        hints.reset_secs.and_then(point),
        hints.reset_ms.and_then(millis),
    ]
    .into_iter()
    .flatten()
    .filter(|at| *at > now)
    .max()
    .map(|at| at.min(now + LONGEST))
}

fn epoch(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis((seconds * 1000.0) as i64)
}

fn after(now: DateTime<Utc>, seconds: f64) -> Option<DateTime<Utc>> {
    (seconds.is_finite() && seconds >= 0.0)
        .then(|| TimeDelta::milliseconds((seconds.min(1e8) * 1000.0).ceil() as i64))
        .and_then(|delay| now.checked_add_signed(delay))
}

/// A date of RFC 3339.
fn date(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text.trim()).ok()?;
    Some(at.with_timezone(&Utc))
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
        let date = RetryHints {
            header_reset: Some("2027-01-15T08:00:09.500Z"),
            ..RetryHints::default()
        };
        assert_eq!(wait(date), Some(9_500));
    }

    #[test]
    fn a_time_is_that_of_the_providers_clock() {
        let told = |date| {
            wait(RetryHints {
                retry_after: Some("Fri, 15 Jan 2027 08:02:00 GMT"),
                reset_secs: Some(1_800_000_100.0),
                date: Some(date),
                ..RetryHints::default()
            })
        };
        // An hour ahead of ours would have been an hour of waiting, an hour behind none.
        assert_eq!(told("Fri, 15 Jan 2027 08:01:00 GMT"), Some(60_000));
        assert_eq!(told("Fri, 15 Jan 2027 07:59:00 GMT"), Some(180_000));
        assert_eq!(told("Fri, 15 Jan 2027 08:00:01 GMT"), Some(120_000));
        assert_eq!(told("no date"), Some(120_000));
        // A delay is a delay.
        let delay = RetryHints {
            retry_after: Some("30"),
            date: Some("Fri, 15 Jan 2027 09:00:00 GMT"),
            ..RetryHints::default()
        };
        assert_eq!(wait(delay), Some(30_000));
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
