//! Whether what a job tells is so.

use std::collections::{BTreeMap, BTreeSet};

use keyway_shared::domain::job::JobState;
use keyway_shared::sync::plan::{Action, Reason};
use serde_json::Value as Json;

use crate::case::{MARK, Switch};
use crate::check::{Check, Trial};
use crate::oracle::Fate;
use crate::world::Ended;

impl Trial<'_> {
    /// Whether the job claims to have done all that can be done.
    pub(crate) fn is_done(&self, ended: &Ended) -> bool {
        let failed = ended.outcomes.iter().filter(|outcome| outcome.failed());
        let failed: BTreeSet<_> = failed.map(|outcome| outcome.key.clone()).collect();
        ended.state == JobState::Succeeded
            || ended.state == JobState::Partial
                && failed == self.expected.withheld()
                && ended.code == Some("incomplete-view")
    }

    pub(crate) fn ended_as_expected(&self, ended: &Ended) -> Check {
        let withheld = self.expected.withheld();
        if let Some(code) = self.expected.refusal {
            ensure!(
                ended.state == JobState::Failed && ended.code == Some(code),
                "expected a refusal, {code}: {ended:?}"
            );
        } else if withheld.is_empty() && !self.expected.is_unsure {
            ensure!(
                ended.state == JobState::Succeeded,
                "expected a success: {ended:?}"
            );
        } else {
            ensure!(
                ended.state == JobState::Partial && self.is_done(ended),
                "expected {withheld:?} to be withheld, or deletes that cannot be known: {ended:?}"
            );
        }
        Ok(())
    }

    /// Each outcome without a code is so; what was confirmed is told; no value is.
    pub(crate) async fn report_is_true(
        &self,
        ended: &Ended,
        was: &BTreeMap<String, String>,
    ) -> Check {
        let target = self.target().await;
        let told = ended.result.to_string();
        ensure!(!told.contains(MARK), "the report has a value in it: {told}");
        let twin = self.case.is(Switch::Twin);
        for outcome in ended.outcomes.iter().filter(|outcome| !outcome.failed()) {
            let key = &outcome.key;
            let value = target.get(key).map(String::as_str);
            let is_right = match outcome.action {
                Action::Create | Action::Update => {
                    value.is_some()
                        && self.expected.fates.get(key)
                            == value.map(|v| Fate::Has(v.to_owned())).as_ref()
                }
                Action::Delete => value.is_none(),
                Action::Skip if outcome.reason == Reason::Unchanged => {
                    value == self.expected.after(key)
                }
                Action::Skip => true,
            };
            ensure!(is_right, "told {outcome:?}, and the target has {value:?}");
            let was_there = was.contains_key(key);
            // What one twin finds may be the other's doing.
            let fits = match outcome.action {
                Action::Create => !was_there,
                Action::Update | Action::Delete => was_there,
                Action::Skip => true,
            };
            ensure!(
                fits || twin || self.left_open.contains(key),
                "told {outcome:?} of a key that was there before: {was_there}"
            );
        }
        let done = ended.result["created"].as_u64().unwrap_or(0)
            + ended.result["updated"].as_u64().unwrap_or(0)
            + ended.result["deleted"].as_u64().unwrap_or(0);
        let all_well = ended.outcomes.iter().all(|outcome| !outcome.failed());
        ensure!(
            ended.state != JobState::Succeeded || all_well,
            "a success with failures: {ended:?}"
        );
        ensure!(
            (ended.result["status"] == "success") == (ended.state == JobState::Succeeded),
            "the report and the job disagree: {ended:?}"
        );
        let crashed = self.case.faults.iter().any(|fault| fault.what.is_crash());
        // What closing a split writes is not counted, nor what a later list hides again.
        let blinded = self.is_blinded();
        let mut confirmed = self.world.provider.state().confirmed.clone();
        confirmed.retain(|key| self.rows.get(key).is_none_or(|row| row.slots.len() == 1));
        ensure!(
            confirmed.is_empty()
                || done > 0
                || crashed
                || blinded
                || twin
                || ended.state == JobState::Succeeded,
            "{confirmed:?} were written and confirmed, and nothing is told of it: {ended:?}"
        );
        Ok(())
    }
}

/// A sync does what the preview before it said, key by key.
pub(crate) fn as_previewed(ended: &Ended, preview: &Json) -> Check {
    let mut planned: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let lists = [
        ("create", "toCreate"),
        ("update", "toUpdate"),
        ("delete", "toDelete"),
        ("skip", "toSkip"),
    ];
    for (action, list) in lists {
        for key in preview[list]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
        {
            let reason = preview["reasons"][key].as_str().unwrap_or_default();
            planned.insert(key, (action, reason));
        }
    }
    let did = ended.outcomes.iter().map(|outcome| {
        (
            outcome.key.as_str(),
            (outcome.action.as_str(), outcome.reason.as_str()),
        )
    });
    let did: BTreeMap<_, _> = did.collect();
    ensure!(
        did == planned,
        "the preview said {planned:?}, the sync did {did:?}"
    );
    Ok(())
}
