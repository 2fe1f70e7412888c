use super::*;

/// A link whose place is the very beginning of what runs are spread over.
const LINK: Uuid = Uuid::nil();

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn clock(parts: AutoSyncParts<'_>) -> Result<AutoSync, AutoSyncError> {
    AutoSync::new(AutoMode::Interval, parts)
}

fn every(text: &str) -> Result<Recurrence, AutoSyncError> {
    recurrence(AutoSyncParts {
        every: Some(text),
        ..AutoSyncParts::default()
    })
}

fn cron(text: &str, zone: &str) -> Result<Recurrence, AutoSyncError> {
    recurrence(AutoSyncParts {
        cron: Some(text),
        time_zone: Some(zone),
        ..AutoSyncParts::default()
    })
}

fn recurrence(parts: AutoSyncParts<'_>) -> Result<Recurrence, AutoSyncError> {
    let AutoSync::Interval(recurrence, _) = clock(parts)? else {
        unreachable!("it is by the clock")
    };
    recurrence.check(at("2026-01-01T00:00:00Z"))?;
    Ok(recurrence)
}

/// The next times after `from`, each taken as soon as it comes.
fn times(recurrence: &Recurrence, from: &str, count: usize) -> Vec<String> {
    let mut now = at(from);
    let mut times = Vec::new();
    for _ in 0..count {
        now = recurrence.next(LINK, now, now).unwrap();
        times.push(now.format("%d %H:%M").to_string());
    }
    times
}

#[test]
fn parts_that_have_no_meaning_are_refused_by_name() {
    let none = AutoSyncParts::default();
    let report = Some(AutoAction::Report);
    let cases = [
        (AutoMode::Interval, none, "every"),
        (
            AutoMode::Off,
            AutoSyncParts {
                every: Some("15m"),
                ..none
            },
            "every",
        ),
        (
            AutoMode::OnChange,
            AutoSyncParts {
                cron: Some("0 3 * * *"),
                ..none
            },
            "cron",
        ),
        (
            AutoMode::OnChange,
            AutoSyncParts {
                action: report,
                ..none
            },
            "action",
        ),
        (
            AutoMode::Off,
            AutoSyncParts {
                action: report,
                ..none
            },
            "action",
        ),
        (
            AutoMode::Interval,
            AutoSyncParts {
                every: Some("15m"),
                cron: Some("0 3 * * *"),
                ..none
            },
            "cron",
        ),
        (
            AutoMode::Interval,
            AutoSyncParts {
                every: Some("15m"),
                time_zone: Some("UTC"),
                ..none
            },
            "timeZone",
        ),
    ];
    for (mode, parts, field) in cases {
        assert_eq!(
            AutoSync::new(mode, parts).unwrap_err().field,
            field,
            "{parts:?}"
        );
    }
}

#[test]
fn periods_and_expressions_have_bounds() {
    for text in ["5m", "15m", "1h", "90m", "30d"] {
        assert!(every(text).is_ok(), "{text}");
    }
    for text in [
        "", "m", "4m", "0h", "31d", "15", "15s", "1.5h", "-1h", " 1h", "1h 30m", "9999999d", "1ä",
    ] {
        assert_eq!(every(text).unwrap_err().field, "every", "{text}");
    }
    for text in [
        "0 3 * * *",
        "*/5 * * * *",
        "30 3 * * 1-5",
        "0 0 L * *",
        "0 0 29 2 *",
    ] {
        assert!(cron(text, "UTC").is_ok(), "{text}");
    }
    let long = "1,".repeat(60) + " * * * *";
    for text in [
        "",
        "x",
        "* * * * *",
        "*/4 * * * *",
        "0,2 3 * * *",
        "0 0 30 2 *",
        "0 0 3 * * *",
        "0 3 * *",
        "@daily",
        "61 * * * *",
        &long,
    ] {
        assert_eq!(cron(text, "UTC").unwrap_err().field, "cron", "{text}");
    }
    assert_eq!(
        cron("0 3 * * *", "Mars/Olympus").unwrap_err().field,
        "timeZone"
    );
}

#[test]
fn what_was_asked_for_is_given_back() {
    let none = AutoSyncParts::default();
    let write = Some(AutoAction::Write);
    for (mode, parts) in [
        (AutoMode::Off, none),
        (
            AutoMode::OnChange,
            AutoSyncParts {
                action: write,
                ..none
            },
        ),
        (
            AutoMode::Interval,
            AutoSyncParts {
                every: Some("90m"),
                action: write,
                ..none
            },
        ),
        (
            AutoMode::Interval,
            AutoSyncParts {
                cron: Some("0 3 * * mon"),
                time_zone: Some("Europe/Berlin"),
                action: Some(AutoAction::Report),
                ..none
            },
        ),
    ] {
        let auto = AutoSync::new(mode, parts).unwrap();
        assert_eq!((auto.mode(), auto.parts()), (mode, parts));
    }
}

#[test]
fn missed_times_are_not_made_up_for() {
    let recurrence = every("15m").unwrap();
    let due = at("2026-03-01T12:00:00Z");
    let next = |now: &str| recurrence.next(LINK, due, at(now)).unwrap();
    assert_eq!(next("2026-03-01T12:00:00Z"), at("2026-03-01T12:15:00Z"));
    assert_eq!(next("2026-03-01T12:14:59Z"), at("2026-03-01T12:15:00Z"));
    // Ten hours later: once, and then in the old rhythm.
    assert_eq!(next("2026-03-01T22:07:00Z"), at("2026-03-01T22:15:00Z"));
    let recurrence = cron("0 3 * * *", "UTC").unwrap();
    let next = recurrence.next(LINK, due, at("2026-03-09T12:00:00Z"));
    assert_eq!(next, Some(at("2026-03-10T03:00:00Z")));
}

#[test]
fn links_of_one_time_are_spread() {
    let recurrence = cron("0 3 * * *", "UTC").unwrap();
    let (due, from) = (at("2026-03-01T03:00:00Z"), at("2026-03-01T02:00:00Z"));
    let last = Uuid::from_u128(u128::from(u32::MAX));
    let half = Uuid::from_u128(1 << 31);
    let spread = [LINK, half, last].map(|link| recurrence.next(link, from, from).unwrap() - due);
    assert_eq!(spread[0], TimeDelta::zero());
    assert_eq!(spread[1], TimeDelta::seconds(150));
    assert!(spread[2] < TimeDelta::minutes(5));
    // It stays with its own place, from day to day, also when it is taken late.
    let taken = due + TimeDelta::seconds(151);
    let tomorrow = recurrence.next(half, due, taken).unwrap();
    assert_eq!(tomorrow, at("2026-03-02T03:02:30Z"));
    // At three o'clock of a link that has its place later, today's time is still to come.
    assert_eq!(
        recurrence.next(half, due, due),
        Some(at("2026-03-01T03:02:30Z"))
    );
    // What comes often is spread less.
    let often = cron("*/5 * * * *", "UTC").unwrap();
    let next = often.next(half, from, from).unwrap();
    assert_eq!(next, at("2026-03-01T02:00:15Z"));
    let first = every("1h").unwrap().first(half, from).unwrap();
    assert_eq!(first, from + TimeDelta::seconds(30));
}

#[test]
fn each_time_comes_once_however_uneven_the_pauses_are() {
    let pair = cron("0,10 3 * * *", "UTC").unwrap();
    for place in [0, 1, 2, 3] {
        // Somewhere in the first, second, … quarter of what runs are spread over.
        let link = Uuid::from_u128((place << 30) + (1 << 29));
        let (mut now, mut runs) = (at("2026-03-01T00:00:00Z"), Vec::new());
        while runs.len() < 4 {
            let due = pair.next(link, now, now).unwrap();
            runs.push(due.format("%d %H").to_string());
            assert!(due > now);
            // As late as a scheduler is.
            now = due + TimeDelta::seconds(1);
        }
        assert_eq!(runs, ["01 03", "01 03", "02 03", "02 03"], "{place}");
    }
}

#[test]
fn a_time_that_the_clock_leaps_over_comes_once_and_right_after() {
    // Berlin, 29 March 2026: after 01:59 comes 03:00 (01:00 UTC).
    let daily = cron("30 2 * * *", "Europe/Berlin").unwrap();
    assert_eq!(
        times(&daily, "2026-03-27T12:00:00Z", 3),
        ["28 01:30", "29 01:00", "30 00:30"]
    );
    let half_hours = cron("*/30 * * * *", "Europe/Berlin").unwrap();
    let around = times(&half_hours, "2026-03-29T00:15:00Z", 3);
    assert_eq!(around, ["29 00:30", "29 01:00", "29 01:30"]);
}

#[test]
fn a_time_that_the_clock_shows_twice_comes_once_unless_it_comes_every_hour() {
    // Berlin, 25 October 2026: after 02:59 (00:59 UTC) comes 02:00 again (01:00 UTC).
    let daily = cron("30 2 * * *", "Europe/Berlin").unwrap();
    assert_eq!(
        times(&daily, "2026-10-24T12:00:00Z", 2),
        ["25 00:30", "26 01:30"]
    );
    let half_hours = cron("*/30 * * * *", "Europe/Berlin").unwrap();
    let around = times(&half_hours, "2026-10-25T00:15:00Z", 5);
    assert_eq!(
        around,
        ["25 00:30", "25 01:00", "25 01:30", "25 02:00", "25 02:30"]
    );
    // Half an hour, as on Lord Howe Island: 5 April 2026, 02:00 becomes 01:30 (15:00 UTC).
    let howe = cron("45 1 * * *", "Australia/Lord_Howe").unwrap();
    assert_eq!(
        times(&howe, "2026-04-03T20:00:00Z", 2),
        ["04 14:45", "05 15:15"]
    );
}
