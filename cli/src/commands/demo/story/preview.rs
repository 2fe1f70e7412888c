//! What a sync would do, and why.

use super::{REPO, Story, capabilities};
use crate::commands::demo::screen::Screen;
use crate::commands::demo::wire::Preview;
use crate::failure::Outcome;

impl Story<'_> {
    async fn ask_preview(&self) -> Outcome<Preview> {
        let path = format!("/v1/integrations/vaults/{REPO}/sync/preview");
        self.client.get(&path, &self.selection()).await
    }

    pub(super) async fn preview(&mut self, screen: &mut Screen) -> Outcome<Preview> {
        screen.step("Preview: what a sync would do, and why")?;
        self.stage.begin_step();
        let preview = self.ask_preview().await?;
        self.tell_calls(screen, "to find out")?;
        for (sign, action, keys) in [
            ('+', "create", &preview.to_create),
            ('~', "update", &preview.to_update),
            ('-', "delete", &preview.to_delete),
            ('=', "skip", &preview.to_skip),
        ] {
            for (reason, names) in preview.by_reason(keys) {
                screen.names(sign, &format!("{action}, {}", told(reason)), &names)?;
                if reason == "unverifiable" {
                    screen.text(capabilities::unverifiable(&self.provider.capabilities))?;
                }
            }
        }
        if preview.to_delete.is_empty() {
            screen
                .quiet("- delete: nothing; a sync deletes only when it is told to (allowDelete)")?;
        }
        for warning in &preview.warnings {
            let keys = warning.keys.join(", ");
            let keys = if keys.is_empty() { "note" } else { &keys };
            screen.text(&format!("! {keys}: {}", warning.message))?;
        }
        let of_references = |reason: &String| reason == "reference";
        if !preview.reasons.values().any(of_references) {
            return Ok(preview);
        }
        screen.text("They are meant as references here, and from now on a sync is told so (allowReferences):")?;
        self.references = true;
        let meant = self.ask_preview().await?;
        for (sign, action, keys) in [
            ('+', "create", &meant.to_create),
            ('~', "update", &meant.to_update),
        ] {
            let new = keys.iter().filter(|key| preview.to_skip.contains(key));
            let new: Vec<_> = new.cloned().collect();
            if !new.is_empty() {
                screen.names(sign, &format!("{action}, as a reference"), &new)?;
            }
        }
        Ok(meant)
    }

    /// Looks once more. `first` is the preview of the beginning.
    pub(super) async fn nothing_left(&mut self, screen: &mut Screen, first: &Preview) -> Outcome {
        screen.step("Preview once more: nothing left to do")?;
        self.stage.begin_step();
        let preview = self.ask_preview().await?;
        let stamps = self.provider.capabilities.stamps_writes;
        let blind = |preview: &Preview, key: &String| {
            let reason = preview.reasons.get(key);
            reason.is_some_and(|reason| reason == "unverifiable")
        };
        // Where nothing tells whether a value is still the one that was written, it is written each time.
        let (blind_still, left): (Vec<_>, Vec<_>) = preview
            .written()
            .chain(&preview.to_delete)
            .cloned()
            .partition(|key| !stamps && blind(&preview, key));
        if !left.is_empty() {
            self.wrong += 1;
            screen.bad(&format!("still to be written: {}", left.join(", ")))?;
            return Ok(());
        }
        screen.good(if blind_still.is_empty() {
            "every secret of the vault is in sync"
        } else {
            "every secret of the vault that can be compared is in sync"
        })?;
        self.tell_calls(screen, "to know it")?;
        let of = &self.provider.capabilities;
        let mut known = first.to_update.iter().filter(|key| blind(first, key));
        if let Some(key) = known.find(|key| !blind_still.contains(key)) {
            screen.text(&format!("{key} is {}.", capabilities::known_by(of)))?;
        }
        if !blind_still.is_empty() {
            screen.text(&format!(
                "{} cannot be read, and {}'s answer to a write does not tell by what to know it again: each sync writes it.",
                blind_still.join(", "),
                self.provider.display_name
            ))?;
        }
        Ok(())
    }
}

/// A reason as people read it.
fn told(reason: &str) -> &str {
    match reason {
        "missing" => "none of its own there yet",
        "changed" => "another value there",
        "unverifiable" => "its value there cannot be read",
        "unchanged" => "equal",
        "reserved" => "a name of the platform",
        "reference" => "a reference to another variable there",
        "invalid-name" => "not a name that it takes",
        other => other,
    }
}
