//! The proof, at the simulated provider.

use std::collections::BTreeSet;

use super::Story;
use crate::commands::demo::proof;
use crate::commands::demo::screen::Screen;
use crate::commands::demo::stage::Snapshot;
use crate::failure::Outcome;

impl Story<'_> {
    pub(super) fn prove(
        &mut self,
        screen: &mut Screen,
        before: &Snapshot,
        expected: &BTreeSet<String>,
    ) -> Outcome {
        screen.step(&format!("Proof: {}", self.words.shown))?;
        let (here, after) = (self.words.here, self.stage.snapshot());
        let proof = proof::examine(here, before, &after, &self.secrets, expected);
        screen.good(&format!(
            "{} of {} values in {here} are those of the vault, byte for byte",
            proof.arrived,
            expected.len()
        ))?;
        if proof.kept > 0 {
            screen.good(&format!("{} others in {here} are as they were", proof.kept))?;
        }
        let elsewhere: usize = proof.untouched.values().sum();
        let places = proof.untouched.iter();
        let places: Vec<String> = places
            .map(|(at, count)| format!("{count} in {at}"))
            .collect();
        screen.good(&format!(
            "{elsewhere} elsewhere are as they were: {}",
            places.join(", ")
        ))?;
        if !proof.kinds.is_empty() {
            screen.good(&format!("still of its kind: {}", proof.kinds.join(", ")))?;
        }
        for wrong in &proof.wrong {
            screen.bad(wrong)?;
        }
        self.wrong += proof.wrong.len();
        Ok(())
    }
}
