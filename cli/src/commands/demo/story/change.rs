//! Changes that other people make meanwhile.

use keyway_shared::secret::Secret;

use super::Story;
use crate::commands::demo::screen::Screen;
use crate::commands::demo::wire::Preview;
use crate::failure::{Failure, Outcome};

impl Story<'_> {
    /// Changes a value in the vault, and another one by hand at the provider.
    pub(super) async fn change_both_sides(
        &mut self,
        screen: &mut Screen,
        preview: &Preview,
    ) -> Outcome {
        screen.step("Change one value on each side")?;
        let here = self
            .expected
            .iter()
            .find(|key| !self.is_reference(key))
            .cloned();
        let Some(here) = here else {
            return Err(Failure::new("there is nothing to change"));
        };
        let old = self.secrets.get(&here).map_or("", Secret::expose);
        let new = Secret::new(format!("{old}-changed"));
        self.secrets.insert(here.clone(), new);
        self.push_to_vault().await?;
        screen.line(&format!("in the vault: {here}"))?;
        // What the sync wrote has a value of its own there.
        let written = preview.written().filter(|key| self.expected.contains(*key));
        if let Some(there) = written.filter(|key| **key != here).max() {
            self.stage.edit(there, "edited by hand");
            screen.line(&format!("{}: {there}", self.words.by_hand))?;
        }
        Ok(())
    }

    /// Whether the provider would take a value for a reference to another variable.
    fn is_reference(&self, key: &str) -> bool {
        let marks = &self.provider.capabilities.reference;
        let value = self.secrets.get(key).map_or("", Secret::expose);
        marks.as_ref().is_some_and(|mark| value.contains(mark))
    }
}
