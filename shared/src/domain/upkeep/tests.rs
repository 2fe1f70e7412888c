use super::*;
use crate::domain::auto_sync::{AutoMode, AutoSyncParts};

/// A link whose place is the very beginning of what runs are spread over.
const LINK: Uuid = Uuid::nil();

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + secs, 0).unwrap()
}

fn hourly() -> AutoSync {
    let parts = AutoSyncParts {
        every: Some("1h"),
        ..AutoSyncParts::default()
    };
    AutoSync::new(AutoMode::Interval, parts).unwrap()
}

/// A full success of an automatic run, accepted and ended at these times.
fn success(accepted: i64, ended: i64, revision: i64) -> Ending {
    Ending {
        run: LastRun {
            job_id: Uuid::from_u128(1),
            at: at(ended),
            state: JobState::Succeeded,
            error_code: None,
        },
        accepted_at: at(accepted),
        automatic: true,
        synced: Some(revision),
        verified: true,
        drift: None,
    }
}

fn failure(ended: i64, code: ErrorCode) -> Ending {
    let mut ending = success(ended - 1, ended, 0);
    ending.run.state = JobState::Failed;
    ending.run.error_code = Some(code);
    ending.synced = None;
    ending.verified = false;
    ending
}

/// What [`crate::store::Tx`] does in SQL when the environment changes.
fn change(upkeep: &mut Upkeep, secs: i64) {
    let (quiet, longest) = (at(secs) + QUIET, at(secs) + APART);
    let wanted = upkeep.run_by.map_or(quiet, |run_by| run_by.min(quiet));
    upkeep.next_run_at = upkeep.not_before.max(Some(wanted));
    upkeep.run_by.get_or_insert(longest);
}

/// A link that follows changes and was synced at revision 1, at the second 10.
fn at_rest() -> Upkeep {
    let mut upkeep = Upkeep::default();
    upkeep.switch(&AutoSync::OnChange, LINK, at(0));
    assert_eq!(upkeep.next_run_at, Some(at(5)));
    let start = upkeep.start(&AutoSync::OnChange, LINK, 1, false, at(5));
    assert!(start.unwrap().verify);
    upkeep.end(&AutoSync::OnChange, LINK, success(5, 10, 1), 1);
    assert_eq!(upkeep.next_run_at, Some(at(10) + VERIFY));
    upkeep
}

#[test]
fn a_change_is_synced_after_a_quiet_time() {
    let mut upkeep = at_rest();
    change(&mut upkeep, 100);
    change(&mut upkeep, 103);
    assert_eq!(upkeep.next_run_at, Some(at(108)));
    let start = upkeep.start(&AutoSync::OnChange, LINK, 3, false, at(108));
    assert_eq!(
        start,
        Some(Start {
            verify: false,
            careful: false
        })
    );
    upkeep.end(&AutoSync::OnChange, LINK, success(108, 110, 3), 3);
    assert_eq!(upkeep.synced_revision, Some(3));
}

#[test]
fn changes_that_do_not_end_are_synced_all_the_same_and_not_too_often() {
    let mut upkeep = at_rest();
    for secs in (100..140).step_by(2) {
        change(&mut upkeep, secs);
    }
    assert_eq!(upkeep.next_run_at, Some(at(130)));
    upkeep
        .start(&AutoSync::OnChange, LINK, 9, false, at(130))
        .unwrap();
    change(&mut upkeep, 131);
    assert_eq!(upkeep.next_run_at, Some(at(160)));
}

#[test]
fn a_change_during_a_run_is_not_lost() {
    let mut upkeep = at_rest();
    change(&mut upkeep, 100);
    upkeep
        .start(&AutoSync::OnChange, LINK, 2, false, at(105))
        .unwrap();
    change(&mut upkeep, 106);
    upkeep.end(&AutoSync::OnChange, LINK, success(105, 107, 2), 3);
    assert_eq!(upkeep.next_run_at, Some(at(135)));
    // Without a word of it, the revisions still tell.
    let mut upkeep = at_rest();
    upkeep
        .start(&AutoSync::OnChange, LINK, 2, false, at(100))
        .unwrap();
    upkeep.end(&AutoSync::OnChange, LINK, success(100, 102, 2), 3);
    assert_eq!(upkeep.next_run_at, Some(at(130)));
    // One that the run has read is not synced again.
    let mut upkeep = at_rest();
    change(&mut upkeep, 100);
    upkeep
        .start(&AutoSync::OnChange, LINK, 2, false, at(105))
        .unwrap();
    change(&mut upkeep, 106);
    upkeep.end(&AutoSync::OnChange, LINK, success(105, 107, 3), 3);
    assert_eq!(upkeep.next_run_at, Some(at(107) + VERIFY));
}

#[test]
fn nothing_to_do_starts_nothing_until_the_day_is_over() {
    let mut upkeep = at_rest();
    let none = upkeep.start(&AutoSync::OnChange, LINK, 1, false, at(200));
    assert_eq!((none, upkeep.next_run_at), (None, Some(at(10) + VERIFY)));
    let daily = upkeep.start(&AutoSync::OnChange, LINK, 1, false, at(10) + VERIFY);
    assert!(daily.unwrap().verify);
}

#[test]
fn a_link_has_one_job_at_a_time() {
    let mut upkeep = at_rest();
    change(&mut upkeep, 100);
    let none = upkeep.start(&AutoSync::OnChange, LINK, 2, true, at(105));
    assert_eq!(
        (none, upkeep.next_run_at),
        (None, Some(at(105) + LOOK_AGAIN))
    );
    // The job that has not ended tells, and the change still waits.
    upkeep.end(&AutoSync::OnChange, LINK, success(90, 120, 1), 2);
    assert!(upkeep.next_run_at.unwrap() <= at(130));
    let mut upkeep = Upkeep::default();
    upkeep.switch(&hourly(), LINK, at(0));
    assert_eq!(upkeep.start(&hourly(), LINK, 1, true, at(30)), None);
    assert_eq!(upkeep.next_run_at, Some(at(3600)));
}

#[test]
fn failures_back_off_and_a_success_forgives() {
    let mut upkeep = at_rest();
    change(&mut upkeep, 100);
    upkeep
        .start(&AutoSync::OnChange, LINK, 2, false, at(105))
        .unwrap();
    let mut pauses = Vec::new();
    for round in 0..10 {
        let now = 1000 * (round + 1) * (round + 1) * 10;
        upkeep.end(
            &AutoSync::OnChange,
            LINK,
            failure(now, ErrorCode::Unavailable),
            2,
        );
        pauses.push((upkeep.next_run_at.unwrap() - at(now)).num_seconds());
    }
    assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    // A change does not shorten the pause.
    let next = upkeep.next_run_at;
    change(&mut upkeep, 1_000_001);
    assert_eq!(upkeep.next_run_at, next);
    assert_eq!(upkeep.synced_revision, Some(1));
    upkeep.end(
        &AutoSync::OnChange,
        LINK,
        success(1_000_010, 1_000_011, 3),
        3,
    );
    assert_eq!(upkeep.failures, 0);
    // By the clock: at the next time that lies behind the pause.
    let mut upkeep = Upkeep::default();
    upkeep.switch(&hourly(), LINK, at(0));
    upkeep.start(&hourly(), LINK, 1, false, at(0)).unwrap();
    upkeep.end(&hourly(), LINK, failure(10, ErrorCode::Unavailable), 1);
    assert_eq!(upkeep.next_run_at, Some(at(3600)));
}

#[test]
fn what_no_later_run_would_be_spared_pauses_the_link() {
    for (code, reason) in [
        (ErrorCode::AuthorityGone, PauseReason::AuthorityGone),
        (ErrorCode::ReconnectRequired, PauseReason::ReconnectRequired),
        (
            ErrorCode::UnknownEnvironment,
            PauseReason::UnknownEnvironment,
        ),
    ] {
        let mut upkeep = at_rest();
        upkeep.end(&AutoSync::OnChange, LINK, failure(20, code), 1);
        assert_eq!(upkeep.paused, Some(Pause { at: at(20), reason }));
        assert_eq!(upkeep.next_run_at, None);
    }
    let mut upkeep = at_rest();
    let mut heal = failure(20, ErrorCode::AuthorityGone);
    heal.automatic = false;
    upkeep.end(&AutoSync::OnChange, LINK, heal, 1);
    assert_eq!((upkeep.paused, upkeep.failures), (None, 0));
}

#[test]
fn a_run_that_fails_does_not_end_another_pause() {
    for reason in [PauseReason::Requested, PauseReason::Disconnected] {
        let pause = Some(Pause { at: at(5), reason });
        let mut upkeep = Upkeep {
            paused: pause,
            ..at_rest()
        };
        let dead = failure(20, ErrorCode::ReconnectRequired);
        upkeep.end(&AutoSync::OnChange, Uuid::nil(), dead, 1);
        assert_eq!(upkeep.paused, pause);
        // Another connection is no reason to go on for whoever paused it by hand.
        upkeep.reconnect();
        let stays = pause.filter(|pause| pause.reason == PauseReason::Requested);
        assert_eq!(upkeep.paused, stays);
    }
}

#[test]
fn a_suspect_link_is_run_with_care_until_that_has_succeeded() {
    let mut upkeep = at_rest();
    upkeep.suspect_at = Some(at(100));
    upkeep.next_run_at = upkeep.suspect_at;
    // What was accepted before has not looked with care.
    upkeep.end(&AutoSync::OnChange, LINK, success(90, 101, 1), 1);
    assert_eq!(upkeep.suspect_at, Some(at(100)));
    assert!(upkeep.next_run_at.unwrap() <= at(101));
    let start = upkeep
        .start(&AutoSync::OnChange, LINK, 1, false, at(102))
        .unwrap();
    assert!(start.careful);
    upkeep.end(&AutoSync::OnChange, LINK, success(102, 103, 1), 1);
    assert_eq!(upkeep.suspect_at, None);
    let next = upkeep
        .start(&AutoSync::OnChange, LINK, 2, false, at(200))
        .unwrap();
    assert!(!next.careful);
}

#[test]
fn drift_is_remembered_until_it_is_healed() {
    let mut upkeep = Upkeep::default();
    upkeep.switch(&hourly(), LINK, at(0));
    let mut report = success(0, 10, 1);
    report.synced = None;
    report.drift = Some(vec!["A".to_owned()]);
    upkeep.end(&hourly(), LINK, report, 1);
    assert_eq!(upkeep.last_drift_at, Some(at(10)));
    assert_eq!(upkeep.drifted_keys, ["A"]);
    let mut heal = success(15, 20, 1);
    heal.automatic = false;
    upkeep.end(&hourly(), LINK, heal, 1);
    assert_eq!(upkeep.last_drift_at, Some(at(10)));
    assert!(upkeep.drifted_keys.is_empty());
}

#[test]
fn a_cancelled_run_is_not_begun_again_at_once() {
    let mut upkeep = at_rest();
    change(&mut upkeep, 100);
    upkeep
        .start(&AutoSync::OnChange, LINK, 2, false, at(105))
        .unwrap();
    let mut cancelled = failure(110, ErrorCode::Cancelled);
    cancelled.run.state = JobState::Cancelled;
    upkeep.end(&AutoSync::OnChange, LINK, cancelled, 2);
    assert_eq!(upkeep.failures, 0);
    assert_eq!(upkeep.next_run_at, Some(at(105) + LOOK_AGAIN));
}

#[test]
fn a_link_that_is_off_or_paused_has_no_next_run() {
    for auto in [AutoSync::Off, AutoSync::OnChange] {
        let mut upkeep = at_rest();
        if auto != AutoSync::Off {
            let reason = PauseReason::Requested;
            upkeep.paused = Some(Pause { at: at(20), reason });
        }
        upkeep.switch(&auto, LINK, at(20));
        assert_eq!(upkeep.next_run_at, None);
        upkeep.end(&auto, LINK, success(5, 30, 1), 2);
        assert_eq!(upkeep.next_run_at, None);
        assert_eq!(upkeep.start(&auto, LINK, 2, false, at(40)), None);
    }
}
