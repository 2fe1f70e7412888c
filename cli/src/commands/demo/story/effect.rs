//! What a sync means for what runs.

use super::{Before, Story, capabilities};
use crate::commands::demo::screen::Screen;
use crate::commands::demo::stage::Machine;
use crate::commands::demo::wire::{Effect, Report, Unit};
use crate::failure::Outcome;

impl Story<'_> {
    pub(super) fn tell_effect(
        &mut self,
        screen: &Screen,
        before: &Before,
        report: &Report,
    ) -> Outcome {
        let written = report.created + report.updated > 0;
        let rolled = report.rollout.is_some();
        let told = report.rollout.as_deref().map_or_else(
            || "not rolled out, since the sync was not told to".to_owned(),
            |units| format!("rolled out, as the sync was told to: {}", names(units)),
        );
        // Where there is nothing to ask for, there is nothing to say.
        if self.provider.capabilities.rollout.is_some() {
            self.check(screen, rolled == (self.rollout && written), &told)?;
        }
        let deploys = written && self.provider.capabilities.write_effect == Effect::Deploys;
        if let (Some(old), Some(new)) = (before.deployments, self.stage.deployments()) {
            let name = &self.provider.display_name;
            let told = match (new - old, self.words.deployment) {
                (0, word) => format!("no {word} began at {name}"),
                (1, word) => format!("1 {word} began at {name}"),
                (count, word) => format!("{count} {word}s began at {name}"),
            };
            self.check(screen, (new > old) == (deploys || rolled), &told)?;
        }
        if let (Some(old), Some(new)) = (&before.machines, self.stage.machines()) {
            self.tell_machines(screen, old, &new, rolled)?;
        }
        let required = written && !rolled;
        self.check(
            screen,
            report.redeploy_required == required,
            &format!("redeployRequired is {}", report.redeploy_required),
        )?;
        let of = &self.provider.capabilities;
        if rolled {
            screen.text(capabilities::rolled_out(of))?;
        } else if written {
            screen.text(&capabilities::redeploy(of, self.words))?;
        }
        Ok(())
    }

    /// What each machine runs with.
    fn tell_machines(
        &mut self,
        screen: &Screen,
        old: &[Machine],
        new: &[Machine],
        rolled: bool,
    ) -> Outcome {
        let heading = ["MACHINE", "GROUP", "STATE", "OF THE VAULT", "CONFIG"];
        let mut rows = vec![heading.map(ToOwned::to_owned).to_vec()];
        let total = self.carried().count();
        let (mut current, mut same) = (0, 0);
        for machine in new {
            let was = old.iter().find(|old| old.id == machine.id);
            let has = |(key, value): &(&String, &str)| {
                machine.secrets.get(*key).is_some_and(|held| held == value)
            };
            let of_vault = self.carried().filter(has).count();
            current += usize::from(of_vault == total);
            let config = was.is_some_and(|was| was.config == machine.config);
            let state = was.is_some_and(|was| was.state == machine.state);
            same += usize::from(config && state);
            rows.push(vec![
                machine.id.clone(),
                machine.group.clone(),
                machine.state.clone(),
                format!("{of_vault} of {total}"),
                if config { "as before" } else { "CHANGED" }.to_owned(),
            ]);
        }
        screen.table(&rows)?;
        let all = new.len();
        if rolled {
            let told = format!("{current} of {all} machines have every value of the vault");
            self.check(screen, current == all, &told)?;
            let told = format!(
                "{same} of {all} kept every part of their config, and whether they are started"
            );
            self.check(screen, same == all && old.len() == all, &told)?;
            return Ok(());
        }
        let touched = old != new;
        let told = if touched {
            "a machine was changed"
        } else {
            "no machine was updated or restarted: all run with what they had"
        };
        self.check(screen, !touched, told)
    }

    /// What the vault carries over.
    fn carried(&self) -> impl Iterator<Item = (&String, &str)> {
        let expected = self.expected.iter();
        expected.filter_map(|key| Some((key, self.secrets.get(key)?.expose())))
    }
}

fn names(units: &[Unit]) -> String {
    let names: Vec<_> = units
        .iter()
        .map(|unit| match &unit.name {
            Some(name) => format!("{name} ({})", unit.unit),
            None => unit.unit.clone(),
        })
        .collect();
    names.join(", ")
}
