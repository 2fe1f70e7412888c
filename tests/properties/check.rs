//! The properties, looked at in the course of one case.

use std::collections::{BTreeMap, BTreeSet};

use keyway_shared::domain::job::{JobKind, JobState};
use keyway_shared::sync::options as ours;
use keyway_shared::sync::plan::{Action, Reason};
use serde_json::Value as Json;

use crate::case::{Case, Direction, Kind, Slot, Switch, What};
use crate::model::Stored;
use crate::oracle::{Expected, History, kinds};
use crate::past::{past, request};
use crate::report::as_previewed;
use crate::world::{Ended, Place, World};

pub(crate) type Check = Result<(), String>;

/// A case under way.
pub(crate) struct Trial<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) case: &'a Case,
    pub(crate) place: Place,
    pub(crate) expected: Expected,
    /// The destination's rows before the sync.
    pub(crate) rows: BTreeMap<String, Stored>,
    history: History,
    /// Keys whose splits were left open by the sync: the next one closes them before it looks.
    pub(crate) left_open: BTreeSet<String>,
    /// Keys that a sync of this case says it wrote.
    told: BTreeSet<String>,
}

/// Plays a case and looks at every property. The error says which was broken.
pub(crate) async fn holds(world: &mut World, case: &Case) -> Check {
    world.provider.state().log.clear();
    let played = play(world, case).await;
    let mut state = world.provider.state();
    let violations = std::mem::take(&mut state.violations);
    let broken = match (played, violations.as_slice()) {
        (Ok(()), []) => return Ok(()),
        (Err(broken), []) => broken,
        (_, violations) => violations.join("\n"),
    };
    Err(format!("{broken}\ncalls:\n  {}", state.log.join("\n  ")))
}

async fn play(world: &mut World, case: &Case) -> Check {
    let place = world.place().await;
    let history = past(world, case, &place).await?;
    world.set_vault(&place, place.ours, &case.vault).await;
    let mut effective = case.clone();
    let (expected, rows) = {
        let mut state = world.provider.state();
        // What is hidden is there from the beginning or never: a sync that hides its own work from
        // itself is another matter.
        if state
            .model
            .rows
            .iter()
            .all(|row| !row.slots.contains(&Slot::Production))
        {
            effective.with.remove(&Switch::HideProduction);
        }
        let case = &effective;
        state.log.push("-- the case itself --".to_owned());
        state.model.rules.clone_from(&case.with);
        let expected = Expected::of(case, &state.model.rows, &case.vault, &history);
        (expected, state.model.at(case.slot))
    };
    let mut trial = Trial {
        world,
        case: &effective,
        place,
        expected,
        rows,
        history,
        left_open: BTreeSet::new(),
        told: BTreeSet::new(),
    };
    trial.play().await
}

impl Trial<'_> {
    async fn play(&mut self) -> Check {
        let request = request(self.case, &self.place, self.case.direction);
        self.watch(false);
        let mut preview = None;
        if self.case.is(Switch::PreviewFirst) {
            preview = Some(self.preview(request.clone()).await?);
        }
        let mut named = request.clone();
        if let Some(preview) = &preview
            && self.case.is(Switch::SavedPlan)
        {
            named.plan_id = preview["planId"].as_str().and_then(|id| id.parse().ok());
        }
        self.watch(true);
        self.log("-- the sync --");
        {
            let mut state = self.world.provider.state();
            state.arm(&self.case.faults);
            state.confirmed.clear();
        }
        let mut ids = Vec::new();
        for _ in 0..=usize::from(self.case.is(Switch::Twin)) {
            let kind = JobKind::Sync;
            ids.push(
                self.world
                    .submit(&self.place, self.place.ours, kind, named.clone())
                    .await,
            );
        }
        let ended = self.world.drive(&ids).await?;
        self.world.provider.state().arm(&[]);
        let last = &ended[ended.len() - 1];
        for one in &ended {
            self.report_is_true(one, &self.expected.before).await?;
            self.told.extend(written(one));
        }
        self.target_is_between().await?;
        self.left_open = self.world.open_splits(&self.place).await;
        // What a list held back, a success says nothing about.
        if !self.is_blinded() && ended.iter().any(|one| self.is_done(one)) {
            self.target_is_right().await?;
            let stamped = !self
                .case
                .faults
                .iter()
                .any(|fault| fault.what.loses_answers());
            if stamped {
                self.nothing_is_left(request.clone()).await?;
            }
            if ended.len() == 1
                && let Some(preview) = &preview
            {
                as_previewed(last, preview)?;
            }
        }

        self.log("-- once more, undisturbed --");
        let was = self.target().await;
        self.world.provider.state().confirmed.clear();
        let again = self
            .world
            .run(&self.place, self.place.ours, JobKind::Sync, request.clone())
            .await?;
        self.report_is_true(&again, &was).await?;
        self.told.extend(written(&again));
        self.ended_as_expected(&again)?;
        self.target_is_right().await?;
        self.marks_are_right().await?;
        self.nothing_is_left(request.clone()).await?;
        if self.case.direction == Direction::Pull && again.state == JobState::Succeeded {
            self.push_finds_nothing(&again).await?;
        }
        Ok(())
    }

    /// Some list of this case holds rows back.
    pub(crate) fn is_blinded(&self) -> bool {
        let mut faults = self.case.faults.iter();
        faults.any(|fault| fault.what == What::Hidden)
    }

    fn log(&self, text: &str) {
        self.world.provider.state().log.push(text.to_owned());
    }

    /// From now on nothing but the destination's keys that the sync is about may change at the
    /// provider: with `writes` unset, and for a pull, nothing at all.
    fn watch(&self, writes: bool) {
        let pushes = writes && self.case.direction == Direction::Push;
        let free = if pushes {
            self.expected.free()
        } else {
            BTreeSet::new()
        };
        self.world.provider.state().watch(self.case.slot, free);
    }

    async fn preview(&mut self, request: ours::SyncRequest) -> Result<Json, String> {
        self.log("-- preview --");
        let ours = self.place.ours;
        let ended = self
            .world
            .run(&self.place, ours, JobKind::Preview, request)
            .await?;
        ensure!(
            ended.state == JobState::Succeeded,
            "a preview ended in {ended:?}"
        );
        Ok(ended.result)
    }

    /// What the vault or the destination holds, whichever the sync is to change.
    pub(crate) async fn target(&self) -> BTreeMap<String, String> {
        match self.case.direction {
            Direction::Push => {
                let state = self.world.provider.state();
                let rows = state.model.at(self.case.slot).into_iter();
                rows.map(|(key, row)| (key, row.value)).collect()
            }
            Direction::Pull => self.world.vault(&self.place).await,
        }
    }

    /// Whatever happened, each key is as it was or as it is to be; one that is neither has an open
    /// split on record.
    async fn target_is_between(&self) -> Check {
        let target = self.target().await;
        let open = self.world.open_splits(&self.place).await;
        let keys: BTreeSet<&String> = target.keys().chain(self.expected.before.keys()).collect();
        for key in keys {
            let value = target.get(key).map(String::as_str);
            let before = self.expected.before.get(key).map(String::as_str);
            let after = self.expected.after(key);
            ensure!(
                value == before || value == after || value.is_none() && open.contains(key),
                "{key} was {before:?}, was to be {after:?} and is {value:?}; open: {open:?}"
            );
        }
        if self.case.direction == Direction::Push {
            self.vault_is_untouched().await?;
        }
        Ok(())
    }

    async fn vault_is_untouched(&self) -> Check {
        let vault = self.world.vault(&self.place).await;
        let as_given = self
            .case
            .vault
            .iter()
            .map(|(key, value)| (key.clone(), value.text().into()));
        ensure!(
            vault == as_given.collect(),
            "a push changed the vault: {vault:?}"
        );
        Ok(())
    }

    /// The target is exactly as an undisturbed run leaves it.
    async fn target_is_right(&self) -> Check {
        let target = self.target().await;
        let keys = self
            .expected
            .fates
            .keys()
            .chain(self.expected.before.keys());
        let expected: BTreeMap<String, String> = keys
            .filter_map(|key| Some((key.clone(), self.expected.after(key)?.to_owned())))
            .collect();
        ensure!(
            target == expected,
            "the target is {target:?}, expected {expected:?}"
        );
        let open = self.world.open_splits(&self.place).await;
        ensure!(open.is_empty(), "splits of {open:?} are still open");
        if self.case.direction == Direction::Pull {
            return Ok(());
        }
        self.vault_is_untouched().await?;
        let now = self.world.provider.state().model.at(self.case.slot);
        for key in self.expected.free() {
            let Some(row) = now.get(&key) else { continue };
            let kinds = kinds(self.case, &key, self.rows.get(&key));
            ensure!(
                kinds.contains(&row.kind),
                "{key} became {:?}, expected {kinds:?}",
                row.kind
            );
        }
        Ok(())
    }

    /// The marks of having written are there for what was written, whoever crashed in between.
    async fn marks_are_right(&self) -> Check {
        if self.case.direction == Direction::Pull || self.expected.refusal.is_some() {
            return Ok(());
        }
        let slot = format!(
            "|{}|{}",
            self.case.slot.scope(),
            self.case.slot.branch().unwrap_or("")
        );
        let mut tx = self.world.store.begin_read().await.unwrap();
        let (ours, key) = (self.place.ours, &self.place.project_key);
        let known = tx.known_destination(ours, key, &slot).await.unwrap();
        let marks = known.written;
        drop(tx);
        let target = self.target().await;
        let kept = self.history.managed.iter();
        let kept: BTreeSet<String> = kept
            .filter(|key| target.contains_key(*key))
            .cloned()
            .collect();
        let least: BTreeSet<_> = self.told.union(&kept).cloned().collect();
        let missing: Vec<_> = least.difference(&marks).collect();
        ensure!(
            missing.is_empty(),
            "{missing:?} were written and bear no mark: {marks:?}"
        );
        let most: BTreeSet<_> = self.expected.changed().union(&kept).cloned().collect();
        let unreadable = |key: &String| {
            self.rows
                .get(key)
                .is_some_and(|row| matches!(row.kind, Kind::Sensitive | Kind::Opaque))
        };
        // Marks matter to deletes, which look whether their rows are still there. Of what is hidden
        // nobody knows.
        let kept = self.case.is(Switch::HideProduction) || !self.case.deletes();
        let kept = |key: &String| kept && self.history.managed.contains(key);
        let more = marks
            .difference(&most)
            .filter(|key| !unreadable(key) && !kept(key));
        let more: Vec<_> = more.collect();
        ensure!(more.is_empty(), "{more:?} bear a mark and were not written");
        Ok(())
    }

    /// Nothing was changed, and the plan knows that there is nothing to do.
    async fn nothing_is_left(&mut self, request: ours::SyncRequest) -> Check {
        self.watch(false);
        let preview = self.preview(request).await?;
        self.watch(true);
        for list in ["toCreate", "toUpdate", "toDelete"] {
            let keys = &preview[list];
            ensure!(
                self.expected.refusal.is_some() || keys == &Json::Array(Vec::new()),
                "after a success the plan has {list} {keys}"
            );
        }
        Ok(())
    }

    /// After a pull, a push finds what was pulled to be there.
    async fn push_finds_nothing(&mut self, pulled: &Ended) -> Check {
        let mut request = request(self.case, &self.place, Direction::Push);
        request.allow_delete = false;
        self.watch(false);
        let preview = self.preview(request).await?;
        let skipped = preview["toSkip"].as_array().cloned().unwrap_or_default();
        for outcome in &pulled.outcomes {
            let equal = outcome.reason == Reason::Unchanged
                || matches!(outcome.action, Action::Create | Action::Update);
            ensure!(
                !equal || skipped.contains(&Json::from(outcome.key.as_str())),
                "a push after the pull does not skip {}: {preview}",
                outcome.key
            );
        }
        Ok(())
    }
}

/// Keys that a job says it wrote.
fn written(ended: &Ended) -> impl Iterator<Item = String> {
    let done = ended.outcomes.iter().filter(|outcome| !outcome.failed());
    let wrote = done.filter(|outcome| matches!(outcome.action, Action::Create | Action::Update));
    wrote.map(|outcome| outcome.key.clone())
}
