//! Finding what a batch was refused for, where the refusal does not say: by halves.

/// Refused calls after which the rest is given up: enough to find a handful of bad variables among a
/// thousand.
const PATIENCE: usize = 40;

/// How much of a queue goes with the next call.
#[derive(Debug)]
pub(super) struct Halving {
    window: usize,
    /// Most that is taken at once, as far as was found out.
    ceiling: usize,
    refusals: usize,
}

/// What to do about a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send less.
    Again,
    /// The one that was sent is what was refused.
    Found,
    /// Too much was refused; the rest is not sent.
    GiveUp,
}

impl Halving {
    pub(super) const fn new() -> Self {
        Self {
            window: usize::MAX,
            ceiling: usize::MAX,
            refusals: 0,
        }
    }

    /// How many of those that are left go with the next call.
    pub(super) fn size(&self, left: usize) -> usize {
        left.min(self.window)
    }

    /// They were taken.
    pub(super) const fn taken(&mut self) {
        self.window = self.ceiling;
    }

    /// So many were too much at once, whatever they are.
    pub(super) const fn too_large(&mut self, size: usize) {
        self.ceiling = if size > 1 { size / 2 } else { 1 };
        self.window = self.ceiling;
    }

    /// How many calls were refused.
    pub(super) const fn refusals(&self) -> usize {
        self.refusals
    }

    /// So many were refused together.
    pub(super) const fn refused(&mut self, size: usize) -> Next {
        self.refusals += 1;
        if size <= 1 {
            self.window = self.ceiling;
            Next::Found
        } else if self.refusals >= PATIENCE {
            Next::GiveUp
        } else {
            self.window = size / 2;
            Next::Again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_among_a_thousand_is_found_in_few_calls() {
        let (mut left, bad, mut calls) = (1_000, 700, 0);
        let mut halving = Halving::new();
        let (mut first, mut found) = (0, None);
        while left > 0 {
            let size = halving.size(left);
            calls += 1;
            let refused = found.is_none() && (first..first + size).contains(&bad);
            if refused && halving.refused(size) == Next::Again {
                continue;
            }
            if refused {
                found = Some(first);
            } else {
                halving.taken();
            }
            (first, left) = (first + size, left - size);
        }
        assert_eq!(found, Some(bad));
        assert!(calls <= 60, "{calls}");
    }

    #[test]
    fn what_is_too_large_stays_small_and_is_no_refusal() {
        let (mut left, mut calls) = (1_000, 0);
        let mut halving = Halving::new();
        while left > 0 {
            let size = halving.size(left);
            calls += 1;
            if size > 10 {
                halving.too_large(size);
            } else {
                halving.taken();
                left -= size;
            }
        }
        assert_eq!(
            (halving.refusals(), calls),
            (0, 7 + 1_000_usize.div_ceil(7))
        );
    }

    #[test]
    fn a_thousand_bad_ones_are_given_up() {
        let mut halving = Halving::new();
        let (mut left, mut calls) = (1_000, 0);
        loop {
            calls += 1;
            let size = halving.size(left);
            match halving.refused(size) {
                Next::Again => {}
                Next::Found => left -= 1,
                Next::GiveUp => break,
            }
        }
        assert!(calls <= PATIENCE + 10, "{calls}");
    }
}
