//! The gate of one account and one family of calls: so many calls in a window that begins with the
//! first of them, as the providers count. It is corrected by what they say.

use super::{Barrier, Budget, TRIAL, TRIAL_LOOK, Turn};

/// The share of a window that is for those whose callers wait: background jobs leave it to them, and
/// no place of it is promised to those who waited.
const INTERACTIVE_SHARE: i64 = 5;
/// Our windows are this much longer, as a share: the provider's begins when the call arrives there.
const MARGIN_SHARE: i64 = 60;
/// Those who wait for a window come one by one, at most this far apart.
const SPACING: i64 = 100;
/// Nobody is told to come later than this.
const LONGEST: i64 = 3_600_000;
/// The wait when a provider limits us and does not say for how long.
const UNTOLD: i64 = 15_000;
/// No window is shorter.
const SHORTEST_WINDOW: i64 = 100;
/// The window when nothing is known.
const MINUTE: i64 = 60_000;
/// How long what a provider told of its limit is taken for true when nothing confirms it. It may have been
/// tighter for a time only, and the window was measured: a wrong one would hold us up for good. What was true
/// costs one refusal to learn again.
const LEARNT: i64 = 600_000;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// The time.
    pub now: i64,
    /// What is known of the limit in advance.
    pub budget: Option<Budget>,
    /// Nobody waits for the job.
    pub background: bool,
    /// It was told to wait before, and has a place.
    pub waited: bool,
    /// What it is about to finish must not stay half done: only a provider that said no stops it.
    pub urgent: bool,
}

/// What is known of one limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    /// Calls in a window, as the provider told; 0: as known in advance.
    pub total: i64,
    /// The window's length, as it was measured; 0: as known in advance.
    pub window: i64,
    /// Both are forgotten then.
    pub learnt_until: i64,
    /// The end of the window under way; 0: the next call begins one.
    pub end: i64,
    /// Calls made in it.
    pub used: i64,
    /// Places in it that were promised to those who waited, …
    pub owed: i64,
    /// … and until when they are kept.
    pub owed_until: i64,
    /// Places promised in windows to come, …
    pub queue: i64,
    /// … and those among them of jobs whose callers wait.
    pub callers: i64,
    /// The provider said no until then.
    pub closed: i64,
    /// Since it did, no call has succeeded: the first one is a trial.
    pub trial: bool,
    /// The trial under way counts until then.
    pub trial_until: i64,
}

impl Gate {
    /// Whether and when a call may be made. One that may is counted.
    pub fn ask(&mut self, ask: &Ask) -> Turn {
        let now = ask.now;
        self.forget(now);
        let (total, window) = self.known(ask.budget);
        self.roll(now, total, window);
        let limit = if ask.background {
            total - total / INTERACTIVE_SHARE
        } else {
            total
        };
        if now < self.closed {
            return self.place(ask, limit, window);
        }
        if self.trial && now < self.trial_until {
            return Turn::Wait {
                until: (now + TRIAL_LOOK).min(self.trial_until),
                barrier: Barrier::Limit,
            };
        }
        let has_place = ask.waited && self.owed > 0;
        let has_room = total == 0 || self.used + self.owed < limit;
        if has_place {
            self.owed -= 1;
        } else if !has_room && !ask.urgent {
            return self.place(ask, limit, window);
        }
        if self.end == 0 {
            self.end = now + window + window / MARGIN_SHARE;
        }
        self.used += 1;
        if self.trial {
            self.trial_until = now + TRIAL;
        }
        Turn::Go {
            watched: self.trial,
            left: (total > 0).then(|| (total - self.used).max(0) as u32),
        }
    }

    /// Until when it is closed that a provider closed at `now`. Nobody is kept away for longer on its
    /// word: then there is a trial.
    pub fn closed_until(now: i64, until: Option<i64>) -> i64 {
        until.unwrap_or(now + UNTOLD).clamp(now, now + LONGEST)
    }

    /// The provider said no. True when that was not known yet.
    pub fn close(
        &mut self,
        now: i64,
        until: Option<i64>,
        told: Option<u32>,
        budget: Option<Budget>,
    ) -> bool {
        let until = Self::closed_until(now, until);
        let news = now >= self.closed;
        self.forget(now);
        let (total, window) = self.known(budget);
        if let Some(told) = told {
            self.learnt_until = until + LEARNT;
            self.total = i64::from(told.max(1));
            // All of the window's calls were ours, so we know when it began. It may be shorter than
            // is known in advance.
            let measured = until - (self.end - window - window / MARGIN_SHARE);
            let longest = budget.map_or(MINUTE, |budget| budget.window.as_millis() as i64);
            if news
                && self.end > 0
                && self.used > self.total
                && (SHORTEST_WINDOW..=longest).contains(&measured)
            {
                self.window = measured;
            }
        }
        if until > self.closed {
            self.closed = until;
            self.end = until;
        }
        self.used = self.total.max(total);
        self.owed = 0;
        // The one that was refused comes back, and may have a caller.
        self.queue += 1;
        self.callers += i64::from(news);
        self.trial = true;
        self.trial_until = 0;
        news
    }

    /// The provider took a call.
    pub fn answered(&mut self) {
        self.trial = false;
        self.trial_until = 0;
    }

    /// The provider told what is left of a window, and its end.
    pub fn told(&mut self, now: i64, total: u32, left: u32, end: Option<i64>) {
        self.forget(now);
        self.learnt_until = now + LEARNT;
        self.total = i64::from(total.max(1));
        if let Some(end) = end.filter(|end| *end > now) {
            self.end = end.min(now + LONGEST);
        }
        if self.end > 0 {
            self.used = self.used.max(self.total - i64::from(left));
        }
    }

    /// It is remembered that the provider said no until then. What was learnt since counts more.
    pub fn restore(&mut self, now: i64, until: i64, total: Option<u32>) {
        if *self == Self::default() {
            let until = until.min(now + LONGEST);
            (self.closed, self.end) = (until, until);
            self.total = total.map_or(0, i64::from);
            self.learnt_until = until + LEARNT;
            self.trial = true;
        }
    }

    /// Whether nothing would be lost by forgetting it.
    pub fn is_idle(&self, now: i64) -> bool {
        !self.trial && now >= self.end + LONGEST && now >= self.closed + LONGEST
    }

    fn forget(&mut self, now: i64) {
        if now >= self.learnt_until {
            (self.total, self.window) = (0, 0);
        }
    }

    fn known(&self, budget: Option<Budget>) -> (i64, i64) {
        let calls = budget.map_or(0, |budget| i64::from(budget.calls));
        let window = budget.map_or(MINUTE, |budget| budget.window.as_millis() as i64);
        let told = |told: i64, known: i64| if told > 0 { told } else { known };
        (told(self.total, calls), told(self.window, window))
    }

    /// Ends a window whose time is over, and keeps places in the next for those who waited.
    fn roll(&mut self, now: i64, total: i64, window: i64) {
        if self.end > 0 && now >= self.end {
            if now < self.end + window {
                let total = Self::places(total, window);
                self.owed = self.queue.min(total - total / INTERACTIVE_SHARE);
                self.queue -= self.owed;
                self.callers -= self.callers.min(total);
                self.owed_until = self.end + window / 2;
            } else {
                (self.owed, self.queue, self.callers) = (0, 0, 0);
            }
            (self.end, self.used) = (0, 0);
        }
        if now >= self.owed_until {
            self.owed = 0;
        }
    }

    /// Places in a window. Without a limit those who wait only come one by one.
    const fn places(limit: i64, window: i64) -> i64 {
        if limit > 0 { limit } else { window / SPACING }
    }

    /// The next place that is free in a window to come. Whoever's caller waits is behind others of that
    /// kind only: background jobs, however many have places, leave a share of each window.
    fn place(&mut self, ask: &Ask, limit: i64, window: i64) -> Turn {
        let now = ask.now;
        let limit = Self::places(limit, window);
        let ahead = if ask.background {
            self.queue
        } else {
            self.callers
        };
        let begins = self
            .end
            .max(self.closed)
            .max(if self.end == 0 { self.owed_until } else { 0 });
        let (windows, before) = (ahead / limit, ahead % limit);
        let spacing = (window / limit).min(SPACING);
        let at = begins.max(now) + windows * (window + window / MARGIN_SHARE) + before * spacing;
        self.queue += 1;
        self.callers += i64::from(!ask.background);
        Turn::Wait {
            // Later than now, or somebody would ask in circles.
            until: at.clamp(now + 1, now + LONGEST),
            barrier: Barrier::Limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BUDGET: Option<Budget> = Some(Budget {
        calls: 10,
        window: Duration::from_mins(1),
    });

    fn at(now: i64) -> Ask {
        Ask {
            now,
            budget: BUDGET,
            background: false,
            waited: false,
            urgent: false,
        }
    }

    fn goes(turn: Turn) -> bool {
        matches!(turn, Turn::Go { .. })
    }

    fn until(turn: Turn) -> i64 {
        match turn {
            Turn::Wait { until, .. } => until,
            Turn::Go { .. } => panic!("it may go"),
        }
    }

    /// How many of `count` may go.
    fn count(gate: &mut Gate, ask: Ask, count: usize) -> usize {
        (0..count).filter(|_| goes(gate.ask(&ask))).count()
    }

    #[test]
    fn a_window_begins_with_its_first_call_and_takes_so_many() {
        let mut gate = Gate::default();
        assert_eq!(count(&mut gate, at(1_000), 9), 9);
        assert_eq!(count(&mut gate, at(50_000), 5), 1);
        assert_eq!(count(&mut gate, at(61_999), 5), 0);
        // A whole window and its margin after the first call, not the last.
        assert!(goes(gate.ask(&Ask {
            waited: true,
            ..at(62_000)
        })));
    }

    #[test]
    fn those_who_wait_have_places_of_their_own() {
        let mut gate = Gate::default();
        count(&mut gate, at(0), 10);
        let places: Vec<_> = (0..25).map(|_| until(gate.ask(&at(1_000)))).collect();
        assert_eq!(&places[..3], [61_000, 61_100, 61_200]);
        assert_eq!(places[10], 122_000);
        assert_eq!(places[24], 183_400);
        // When the window comes eight places are kept; whoever is new gets the others.
        assert_eq!(count(&mut gate, at(61_000), 12), 2);
        let waited = Ask {
            waited: true,
            ..at(61_001)
        };
        assert_eq!(count(&mut gate, waited, 12), 8);
        // Places that nobody came for are free after a while.
        assert_eq!(count(&mut gate, at(122_500), 5), 2);
        assert_eq!(count(&mut gate, at(122_000 + 30_001), 20), 8);
    }

    #[test]
    fn background_jobs_leave_a_share() {
        let mut gate = Gate::default();
        let background = Ask {
            background: true,
            ..at(0)
        };
        assert_eq!(count(&mut gate, background, 20), 8);
        assert_eq!(count(&mut gate, at(0), 20), 2);
    }

    #[test]
    fn a_caller_who_waits_is_not_behind_background_jobs() {
        let mut gate = Gate::default();
        gate.close(0, Some(1_000), None, BUDGET);
        let background = Ask {
            background: true,
            ..at(10)
        };
        let last = (0..500).map(|_| until(gate.ask(&background))).max();
        assert!(last > Some(3_600_000 - 1));
        // The next window is theirs, one after the other.
        let places: Vec<_> = (0..3).map(|_| until(gate.ask(&at(20)))).collect();
        assert_eq!(places, [1_100, 1_200, 1_300]);
        // Those behind whom they went are still told to come later.
        assert_eq!(Some(until(gate.ask(&background))), last);
        // Whoever comes when it begins has its turn, whatever was promised to the others.
        let waited = Ask {
            waited: true,
            ..at(1_000)
        };
        assert!(goes(gate.ask(&waited)));
        gate.answered();
        assert_eq!(
            count(
                &mut gate,
                Ask {
                    now: 1_100,
                    ..waited
                },
                2
            ),
            2
        );
    }

    #[test]
    fn places_without_a_budget_do_not_pile_up() {
        let mut gate = Gate::default();
        let ask = Ask {
            budget: None,
            background: true,
            ..at(0)
        };
        let mut now = 0;
        for _ in 0..2_000 {
            gate.close(now, Some(now + 1_000), None, None);
            let place = until(gate.ask(&Ask { now, ..ask }));
            assert!(place <= now + 1_000 + 2 * SPACING, "{now}: {place}");
            now += 2_000;
            assert!(goes(gate.ask(&Ask { now, ..ask })));
            gate.answered();
        }
    }

    #[test]
    fn what_is_remembered_closes_it_no_longer_than_what_was_just_said() {
        let year = 365 * 24 * 3_600_000;
        let mut gate = Gate::default();
        gate.close(0, Some(year), None, BUDGET);
        assert!(goes(gate.ask(&at(LONGEST))));
        let mut gate = Gate::default();
        gate.restore(0, year, None);
        assert!(!goes(gate.ask(&at(LONGEST - 1))));
        assert!(goes(gate.ask(&at(LONGEST))));
    }

    #[test]
    fn a_tighter_limit_is_not_for_ever() {
        let mut gate = Gate::default();
        assert!(goes(gate.ask(&at(0))));
        gate.close(10, Some(1_000), Some(2), BUDGET);
        let (mut now, mut calls) = (1_000, 0);
        while now < 1_000 + LEARNT {
            calls += i64::from(goes(gate.ask(&at(now))));
            gate.answered();
            now += 1_000;
        }
        assert!(calls <= 2 * (LEARNT / MINUTE + 1), "{calls}");
        let limit = BUDGET.map_or(0, |budget| budget.calls as usize);
        assert_eq!(count(&mut gate, at(now + MINUTE * 2), 2 * limit), limit);
    }

    #[test]
    fn what_the_provider_says_counts() {
        let mut gate = Gate::default();
        assert_eq!(count(&mut gate, at(0), 4), 4);
        // It takes three in two seconds.
        assert!(gate.close(100, Some(2_000), Some(3), BUDGET));
        assert!(!gate.close(110, Some(2_000), Some(3), BUDGET));
        assert_eq!((gate.total, gate.window), (3, 2_000));
        assert!(!goes(gate.ask(&at(1_999))));
        // Then one on trial, and after it the rest.
        let next = Ask {
            waited: true,
            ..at(2_100)
        };
        assert_eq!(
            gate.ask(&next),
            Turn::Go {
                watched: true,
                left: Some(2)
            }
        );
        assert_eq!(until(gate.ask(&next)), 2_350);
        gate.answered();
        let waited = Ask { now: 2_200, ..next };
        assert_eq!(count(&mut gate, waited, 5), 2);
        assert!(until(gate.ask(&at(2_300))) >= 4_133);
    }

    #[test]
    fn a_trial_that_is_never_answered_is_followed_by_another() {
        let mut gate = Gate::default();
        gate.close(0, None, None, BUDGET);
        assert!(!goes(gate.ask(&at(14_999))));
        assert!(goes(gate.ask(&at(15_000))));
        assert!(!goes(gate.ask(&at(29_999))));
        assert!(goes(gate.ask(&at(30_000))));
    }

    #[test]
    fn what_is_urgent_is_stopped_by_the_provider_only() {
        let mut gate = Gate::default();
        count(&mut gate, at(0), 10);
        let urgent = Ask {
            urgent: true,
            ..at(1)
        };
        assert!(goes(gate.ask(&urgent)));
        gate.close(2, Some(500), None, BUDGET);
        assert!(!goes(gate.ask(&urgent)));
    }

    #[test]
    fn without_a_budget_only_the_provider_limits() {
        let mut gate = Gate::default();
        let ask = Ask {
            budget: None,
            ..at(0)
        };
        assert_eq!(count(&mut gate, ask, 2_000), 2_000);
        gate.close(1, Some(1_000), None, None);
        assert_eq!(until(gate.ask(&Ask { now: 5, ..ask })), 1_000 + SPACING);
    }

    #[test]
    fn what_is_left_is_the_less_of_what_both_say() {
        let mut gate = Gate::default();
        count(&mut gate, at(0), 2);
        gate.told(10, 20, 5, Some(30_000));
        assert_eq!(count(&mut gate, at(11), 20), 5);
        gate.told(12, 20, 19, None);
        assert_eq!(count(&mut gate, at(13), 20), 0);
        assert!(until(gate.ask(&at(14))) >= 30_000);
    }
}
