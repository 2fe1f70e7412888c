//! The proof, at the simulated provider.

use super::{Before, Story};
use crate::commands::demo::proof;
use crate::commands::demo::screen::Screen;
use crate::commands::demo::stage::{Held, Place};
use crate::failure::Outcome;

impl Story<'_> {
    pub(super) fn prove(&mut self, screen: &mut Screen, before: &Before) -> Outcome {
        screen.step(&format!("Proof: {}", self.words.shown))?;
        let (here, after) = (self.words.here, self.stage.snapshot());
        let proof = proof::examine(here, &before.values, &after, &self.secrets, &self.expected);
        screen.good(&format!(
            "{} of {} values in {here} are those of the vault, byte for byte",
            proof.arrived,
            self.expected.len()
        ))?;
        if !proof.kept.is_empty() {
            screen.good(&format!(
                "{} others in {here} are as they were: {}",
                proof.kept.len(),
                proof.kept.join(", ")
            ))?;
        }
        let elsewhere: usize = proof.untouched.values().sum();
        let places = proof.untouched.iter();
        let places: Vec<_> = places
            .map(|(at, count)| format!("{count} in {at}"))
            .collect();
        if elsewhere > 0 {
            screen.good(&format!(
                "{elsewhere} elsewhere are as they were: {}",
                places.join(", ")
            ))?;
        }
        let reference = self.provider.capabilities.reference.as_ref();
        let refers = |place: &Place, held: &Held| {
            let marked = reference.is_some_and(|mark| held.value.contains(mark));
            place.at == here && marked
        };
        let references = after.iter().filter(|(place, held)| refers(place, held));
        let references: Vec<_> = references.map(|(place, _)| place.key.clone()).collect();
        if !references.is_empty() {
            screen.good(&format!(
                "references are as they were written, not what they stand for: {}",
                references.join(", ")
            ))?;
        }
        let shared = self.stage.shared();
        let parted: Vec<_> = before.shared.difference(&shared).cloned().collect();
        if !parted.is_empty() {
            screen.good(&format!(
                "one value for several {} before, and one for each now: {}",
                self.words.environments,
                parted.join(", ")
            ))?;
        }
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
