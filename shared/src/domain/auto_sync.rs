//! When a link syncs by itself: what its owner may ask for, and the times that follow from it.

use std::str::FromStr as _;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use uuid::Uuid;

use super::words;

words! {
    /// What makes a link sync by itself.
    pub enum AutoMode {
        /// Nothing.
        Off = "off",
        /// A change of the vault's environment.
        OnChange = "on-change",
        /// The clock.
        Interval = "interval",
    }
}

words! {
    /// What an automatic run does.
    pub enum AutoAction {
        /// It syncs.
        Write = "write",
        /// It looks for what a sync would do, and writes nothing.
        Report = "report",
    }
}

/// Shortest time between two runs that the clock starts.
const SHORTEST: TimeDelta = TimeDelta::minutes(5);
/// Longest.
const LONGEST: TimeDelta = TimeDelta::days(30);
/// Longest cron expression, in bytes.
const LONGEST_CRON: usize = 100;
/// Occurrences that are looked at for one that follows too soon: more than a day of the shortest
/// pause.
const LOOKED_AT: usize = 300;
/// Runs of one time are spread over so much of their period, and at most so long.
const SPREAD: (f64, TimeDelta) = (0.1, TimeDelta::minutes(5));
/// The first run after the clock was asked for begins within this time.
const FIRST_WITHIN: TimeDelta = TimeDelta::minutes(1);

/// A part of [`AutoSync`] that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
pub struct AutoSyncError {
    /// `every`, `cron`, `timeZone` or `action`.
    pub field: &'static str,
    /// What must hold, without the value.
    pub rule: String,
}

fn must(field: &'static str, rule: impl Into<String>) -> AutoSyncError {
    let rule = rule.into();
    AutoSyncError { field, rule }
}

/// The parts of [`AutoSync`] as requests and rows have them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AutoSyncParts<'a> {
    /// A period such as `15m`.
    pub every: Option<&'a str>,
    /// A cron expression of five fields.
    pub cron: Option<&'a str>,
    /// The time zone that the cron expression is meant in.
    pub time_zone: Option<&'a str>,
    /// What a run does.
    pub action: Option<AutoAction>,
}

/// When a link syncs by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AutoSync {
    /// Never.
    #[default]
    Off,
    /// When the vault's environment has changed.
    OnChange,
    /// By the clock.
    Interval(Recurrence, AutoAction),
}

/// Times that come again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recurrence {
    /// A fixed period.
    Every {
        /// As it was given.
        text: String,
        /// Its length.
        period: TimeDelta,
    },
    /// Times of the calendar.
    Cron {
        /// As it was given.
        text: String,
        /// Where it is that time.
        zone: Tz,
        /// The same, parsed.
        pattern: Box<croner::Cron>,
    },
}

impl AutoSync {
    /// Puts the parts together. What has no meaning with the mode is refused.
    pub fn new(mode: AutoMode, parts: AutoSyncParts<'_>) -> Result<Self, AutoSyncError> {
        let clock = mode == AutoMode::Interval;
        for (field, given) in [
            ("every", parts.every.is_some()),
            ("cron", parts.cron.is_some()),
            ("timeZone", parts.time_zone.is_some()),
        ] {
            if given && !clock {
                return Err(must(field, "is for the mode interval only"));
            }
        }
        match (mode, parts.action) {
            (AutoMode::Off, Some(_)) => Err(must("action", "has no meaning with the mode off")),
            (AutoMode::OnChange, Some(AutoAction::Report)) => {
                Err(must("action", "can be report with the mode interval only"))
            }
            (AutoMode::Off, None) => Ok(Self::Off),
            (AutoMode::OnChange, _) => Ok(Self::OnChange),
            (AutoMode::Interval, action) => Ok(Self::Interval(
                Recurrence::new(parts)?,
                action.unwrap_or(AutoAction::Write),
            )),
        }
    }

    /// Its mode.
    pub const fn mode(&self) -> AutoMode {
        match self {
            Self::Off => AutoMode::Off,
            Self::OnChange => AutoMode::OnChange,
            Self::Interval(..) => AutoMode::Interval,
        }
    }

    /// Its parts, those that have a meaning.
    pub fn parts(&self) -> AutoSyncParts<'_> {
        let none = AutoSyncParts::default();
        match self {
            Self::Off => none,
            Self::OnChange => AutoSyncParts {
                action: Some(AutoAction::Write),
                ..none
            },
            Self::Interval(Recurrence::Every { text, .. }, action) => AutoSyncParts {
                every: Some(text),
                action: Some(*action),
                ..none
            },
            Self::Interval(Recurrence::Cron { text, zone, .. }, action) => AutoSyncParts {
                cron: Some(text),
                time_zone: Some(zone.name()),
                action: Some(*action),
                ..none
            },
        }
    }

    /// Whether runs only look.
    pub const fn reports(&self) -> bool {
        matches!(self, Self::Interval(_, AutoAction::Report))
    }
}

impl Recurrence {
    fn new(parts: AutoSyncParts<'_>) -> Result<Self, AutoSyncError> {
        match (parts.every, parts.cron) {
            (None, None) => Err(must("every", "or cron is required with the mode interval")),
            (Some(_), Some(_)) => Err(must("cron", "cannot be given beside every")),
            (Some(_), None) if parts.time_zone.is_some() => {
                Err(must("timeZone", "has no meaning without cron"))
            }
            (Some(text), None) => every(text),
            (None, Some(text)) => cron(text, parts.time_zone),
        }
    }

    /// Refuses times that follow too soon on each other, or that never come. For what a user gives;
    /// what was once accepted stays.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), AutoSyncError> {
        match self {
            Self::Every { period, .. } if (SHORTEST..=LONGEST).contains(period) => Ok(()),
            Self::Every { .. } => Err(must("every", "must be between 5m and 30d")),
            Self::Cron { pattern, .. } => {
                // In UTC: a clock that is set back or forward does not make it too frequent.
                let mut last: Option<DateTime<Utc>> = None;
                for time in pattern.iter_after(now).take(LOOKED_AT) {
                    if last.is_some_and(|last| time - last < SHORTEST) {
                        return Err(must("cron", "must leave 5 minutes between two times"));
                    }
                    last = Some(time);
                }
                last.map(|_| ())
                    .ok_or_else(|| must("cron", "must have a time that comes"))
            }
        }
    }

    /// The first run of a link after this was asked for. A period begins soon; of links that are
    /// saved at once, each at another moment.
    pub fn first(&self, link: Uuid, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every { .. } => Some(now + share(link, FIRST_WITHIN)),
            Self::Cron { .. } => self.next(link, now, now),
        }
    }

    /// The run that follows one that was due at `due`, and that lies after `now`: of times that
    /// have passed unused, none is made up for.
    pub fn next(
        &self,
        link: Uuid,
        due: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        match self {
            Self::Every { period, .. } => {
                let period = period.num_milliseconds().max(1);
                let missed = (now - due).num_milliseconds().max(0) / period;
                Some(due + TimeDelta::milliseconds(period.saturating_mul(missed + 1)))
            }
            Self::Cron { zone, pattern, .. } => {
                let after = |time: DateTime<Utc>| -> Option<DateTime<Utc>> {
                    let time = time.with_timezone(zone);
                    let next = pattern.find_next_occurrence(&time, false).ok()?;
                    Some(next.to_utc())
                };
                // Each link has its own place in the minutes after a time, which is the same whenever
                // it is asked for: otherwise one time could come twice.
                let mut time = after(now - SPREAD.1)?;
                loop {
                    let following = after(time);
                    let pause = following.map_or(SPREAD.1, |following| following - time);
                    let part = (pause.num_milliseconds() as f64 * SPREAD.0) as i64;
                    let part = TimeDelta::milliseconds(part).min(SPREAD.1);
                    let run = time + share(link, part);
                    if run > now {
                        return Some(run);
                    }
                    time = following.filter(|following| *following > time)?;
                }
            }
        }
    }
}

/// A part of `whole` that is always the same for a link, and another for most others.
pub(super) fn share(link: Uuid, whole: TimeDelta) -> TimeDelta {
    // The end of an id is random.
    let part = (link.as_u128() as u32).into();
    TimeDelta::milliseconds((whole.num_milliseconds() as f64 * part_of_one(part)) as i64)
}

fn part_of_one(number: u64) -> f64 {
    number as f64 / (u64::from(u32::MAX) + 1) as f64
}

fn every(text: &str) -> Result<Recurrence, AutoSyncError> {
    let rule = || must("every", "must be a whole number of m, h or d, such as 15m");
    let unit = text.chars().next_back().ok_or_else(rule)?;
    let number = &text[..text.len() - unit.len_utf8()];
    if number.is_empty() || number.len() > 6 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(rule());
    }
    let number: i64 = number.parse().map_err(|_| rule())?;
    let period = match unit {
        'm' => TimeDelta::minutes(number),
        'h' => TimeDelta::hours(number),
        'd' => TimeDelta::days(number),
        _ => return Err(rule()),
    };
    let text = text.to_owned();
    Ok(Recurrence::Every { text, period })
}

fn cron(text: &str, zone: Option<&str>) -> Result<Recurrence, AutoSyncError> {
    let zone = match zone {
        None => Tz::UTC,
        Some(name) => Tz::from_str(name).map_err(|_| {
            must(
                "timeZone",
                "must be a time zone's IANA name, such as Europe/Berlin",
            )
        })?,
    };
    let rule = || {
        must(
            "cron",
            "must be a cron expression of five fields, such as 30 3 * * 1-5",
        )
    };
    if text.len() > LONGEST_CRON || text.split_whitespace().count() != 5 {
        return Err(rule());
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let pattern = Box::new(parser.parse(text).map_err(|_| rule())?);
    let text = text.to_owned();
    Ok(Recurrence::Cron {
        text,
        zone,
        pattern,
    })
}

#[cfg(test)]
mod tests;
