//! One case, as data and as text. The text is what a failure prints and what a regression test is
//! made of: one line for each thing, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// An enum whose members have one word each.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($member:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum $name { $($member),+ }

        impl $name {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$member),+];

            pub(crate) const fn word(self) -> &'static str {
                match self { $(Self::$member => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|one| one.word() == text)
                    .ok_or_else(|| format!("{text:?} is no {}", stringify!($name)))
            }
        }
    };
}

spelled! {
    /// A value, by a word. No value is part of another, and all that are not empty begin alike, so
    /// that one that leaks is found.
    Value { Empty = "empty", One = "one", Two = "two", Three = "three", Odd = "odd" }
}

/// What every value begins with.
pub(crate) const MARK: &str = "val-";

impl Value {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Empty => "",
            Self::One => "val-one",
            Self::Two => "val-two",
            Self::Three => "val-three",
            Self::Odd => "val-\"odd\"\n = $X # 'é' \u{1F511} ",
        }
    }
}

spelled! {
    /// What gives one key at most one value: an environment, or a branch of preview.
    Slot {
        Production = "production",
        Preview = "preview",
        Development = "development",
        CustomA = "env_a",
        CustomB = "env_b",
        BranchX = "preview@x",
        BranchY = "preview@y",
    }
}

impl Slot {
    /// A target's name or a custom environment's id.
    pub(crate) fn scope(self) -> &'static str {
        self.word().split('@').next().unwrap_or_default()
    }

    pub(crate) fn branch(self) -> Option<&'static str> {
        self.word().split_once('@').map(|(_, branch)| branch)
    }

    pub(crate) const fn is_custom(self) -> bool {
        matches!(self, Self::CustomA | Self::CustomB)
    }
}

spelled! {
    /// What a row is. `opaque` is of type encrypted, and nobody can read it all the same.
    Kind {
        Plain = "plain",
        Encrypted = "encrypted",
        Sensitive = "sensitive",
        Opaque = "opaque",
        System = "system",
    }
}

spelled! {
    Direction { Push = "push", Pull = "pull" }
}

spelled! {
    /// A switch of the request, of the provider, or of the course of the case.
    Switch {
        DeleteAll = "delete-all",
        DeleteManaged = "delete-managed",
        Confirm = "confirm",
        KeepConflicts = "keep-conflicts",
        NewSensitive = "new-sensitive",
        ByName = "by-name",
        BySlug = "by-slug",
        // A preview comes before the sync.
        PreviewFirst = "preview-first",
        // … and the sync names the plan that it saved.
        SavedPlan = "saved-plan",
        // The same is asked for twice at the same time.
        Twin = "twin",
        // A list has two rows to a page.
        SmallPages = "small-pages",
        // A batch of more than two is too large.
        SmallBatches = "small-batches",
        // Rows that serve production are held back.
        HideProduction = "hide-production",
        // Development takes no new sensitive rows.
        DevelopmentReadable = "development-readable",
        // A batch of which everything failed is answered with 400.
        AllFailed400 = "all-failed-400",
        // An id that is gone makes a delete fail with 404; otherwise it is left out of the answer.
        Delete404 = "delete-404",
    }
}

spelled! {
    /// Which calls are counted.
    On { Read = "read", Write = "write" }
}

spelled! {
    /// What goes wrong with a call.
    What {
        RateLimit = "429",
        ServerError = "500",
        ServerErrorAfter = "500-after",
        InProgress = "in-progress",
        Conflict = "409",
        Forbidden = "403",
        Reset = "reset",
        ResetAfter = "reset-after",
        Truncated = "truncated",
        // Carried out, and the answer says nothing about it.
        Mute = "mute",
        // A list holds back what serves production, this once.
        Hidden = "hidden",
        // One part of it is refused.
        FailItem = "fail-item",
        // One part of it is not carried out, and the answer does not mention it.
        SkipItem = "skip-item",
        // The worker dies before the call has an effect, or after.
        Crash = "crash",
        CrashAfter = "crash-after",
    }
}

impl What {
    /// Whether we may lack the answer of a call that had an effect.
    pub(crate) const fn loses_answers(self) -> bool {
        !matches!(
            self,
            Self::RateLimit | Self::InProgress | Self::Conflict | Self::Forbidden | Self::FailItem
        )
    }

    pub(crate) const fn is_crash(self) -> bool {
        matches!(self, Self::Crash | Self::CrashAfter)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) kind: Kind,
    pub(crate) slots: BTreeSet<Slot>,
    /// Made and kept by an integration.
    pub(crate) integration: bool,
}

/// `what` happens to call number `from` of its kind and to those that follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) on: On,
    pub(crate) from: usize,
    pub(crate) times: usize,
    pub(crate) what: What,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) direction: Direction,
    pub(crate) slot: Slot,
    pub(crate) with: BTreeSet<Switch>,
    pub(crate) vault: BTreeMap<String, Value>,
    /// Pushed there by an earlier sync of the same vault environment.
    pub(crate) earlier: BTreeMap<String, Value>,
    /// Pushed there after that by another environment of the vault.
    pub(crate) rival: BTreeMap<String, Value>,
    /// The project before all that.
    pub(crate) rows: Vec<Row>,
    /// What a person did to the destination after that; `None` removes the row.
    pub(crate) edits: BTreeMap<String, Option<Value>>,
    pub(crate) faults: Vec<Fault>,
}

impl Case {
    pub(crate) fn is(&self, switch: Switch) -> bool {
        self.with.contains(&switch)
    }

    pub(crate) fn deletes(&self) -> bool {
        self.is(Switch::DeleteAll) || self.is(Switch::DeleteManaged)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} {} on", self.key, self.value, self.kind)?;
        for slot in &self.slots {
            write!(f, " {slot}")?;
        }
        if self.integration {
            f.write_str(" integration")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.on, self.from, self.what)?;
        if self.times == 1 {
            return Ok(());
        }
        write!(f, " times {}", self.times)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.direction, self.slot)?;
        for switch in &self.with {
            write!(f, " {switch}")?;
        }
        let lists = [("earlier", &self.earlier), ("rival", &self.rival)];
        for row in &self.rows {
            write!(f, "\nrow {row}")?;
        }
        for (word, values) in lists {
            for (key, value) in values {
                write!(f, "\n{word} {key}={value}")?;
            }
        }
        for (key, value) in &self.edits {
            match value {
                Some(value) => write!(f, "\nedit {key}={value}")?,
                None => write!(f, "\nedit {key}")?,
            }
        }
        for (key, value) in &self.vault {
            write!(f, "\nvault {key}={value}")?;
        }
        for fault in &self.faults {
            write!(f, "\nfault {fault}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn pair(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or(format!("{text:?} has no ="))?;
    Ok((key.to_owned(), value.parse()?))
}

impl FromStr for Row {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let mut next = || words.next().ok_or(format!("{text:?} is too short"));
        let (key, value) = pair(next()?)?;
        let kind = next()?.parse()?;
        let mut row = Self {
            key,
            value,
            kind,
            slots: BTreeSet::new(),
            integration: false,
        };
        for word in words.skip(1) {
            if word == "integration" {
                row.integration = true;
            } else {
                row.slots.insert(word.parse()?);
            }
        }
        Ok(row)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |text: &str| text.parse::<usize>().map_err(|error| error.to_string());
        let (on, from, what, times) = match words.as_slice() {
            [on, from, what] => (on, from, what, "1"),
            [on, from, what, "times", times] => (on, from, what, *times),
            _ => return Err(format!("{text:?} is no fault")),
        };
        Ok(Self {
            on: on.parse()?,
            from: number(from)?,
            times: number(times)?,
            what: what.parse()?,
        })
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let head = lines.next().unwrap_or_default();
        let mut words = head.split_whitespace();
        let mut case = Self {
            direction: words.next().unwrap_or_default().parse()?,
            slot: words.next().unwrap_or_default().parse()?,
            with: words.map(str::parse).collect::<Result<_, _>>()?,
            vault: BTreeMap::new(),
            earlier: BTreeMap::new(),
            rival: BTreeMap::new(),
            rows: Vec::new(),
            edits: BTreeMap::new(),
            faults: Vec::new(),
        };
        for line in lines {
            let (word, rest) = line.split_once(' ').ok_or(format!("{line:?}?"))?;
            match word {
                "row" => case.rows.push(rest.parse()?),
                "vault" => case.vault.extend([pair(rest)?]),
                "earlier" => case.earlier.extend([pair(rest)?]),
                "rival" => case.rival.extend([pair(rest)?]),
                "edit" if rest.contains('=') => {
                    let (key, value) = pair(rest)?;
                    case.edits.insert(key, Some(value));
                }
                "edit" => drop(case.edits.insert(rest.to_owned(), None)),
                "fault" => case.faults.push(rest.parse()?),
                _ => return Err(format!("{line:?} is no part of a case")),
            }
        }
        Ok(case)
    }
}
