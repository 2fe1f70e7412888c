//! The connection, and where it leads.

use serde_json::json;
use std::collections::BTreeMap;

use super::{Story, capabilities};
use crate::commands::demo::screen::Screen;
use crate::commands::demo::stage::PROJECT;
use crate::commands::demo::wire::{Connected, Project, Projects};
use crate::failure::{Failure, Outcome};

/// Projects that are shown.
const SHOWN: usize = 5;

impl Story<'_> {
    pub(super) async fn connect(&mut self, screen: &mut Screen) -> Outcome {
        screen.step(&format!(
            "Connect {} with a token, and look at its {}",
            self.provider.display_name, self.words.projects
        ))?;
        let path = format!("/v1/integrations/{}/connect", self.provider.name);
        let body = json!({ "token": self.stage.token() });
        let connected: Connected = self.client.post(&path, &body).await?;
        let user = connected.user;
        let team = user.team_name.filter(|team| *team != user.username);
        let team = team.map(|team| format!(" of {team}"));
        screen.good(&format!(
            "connected as {}{}; the token is kept encrypted",
            user.username,
            team.unwrap_or_default()
        ))?;
        self.connection = connected.connection.id;
        let path = format!("/v1/integrations/connections/{}/projects", self.connection);
        let found: Projects = self.client.get(&path, &BTreeMap::new()).await?;
        let mut projects = found.projects;
        projects.sort_by_key(|project| (project.name != PROJECT, project.name.clone()));
        screen.table(&table(&projects[..projects.len().min(SHOWN)]))?;
        if let Some(more) = projects.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            screen.quiet(&format!("... and {more} more"))?;
        }
        let mine = projects
            .into_iter()
            .next()
            .filter(|project| project.name == PROJECT)
            .ok_or_else(|| Failure::new(format!("{PROJECT} is not listed")))?;
        self.project = mine.id;
        screen.text(&format!("Destination: {}.", self.words.destination))?;
        for sentence in capabilities::sentences(&self.provider.capabilities, self.words) {
            screen.text(&sentence)?;
        }
        Ok(())
    }
}

/// The projects, without columns of which there is nothing to show.
fn table(projects: &[Project]) -> Vec<Vec<String>> {
    type Column = (&'static str, fn(&Project) -> Option<&str>);
    let columns: [Column; 4] = [
        ("ID", |project| Some(&project.id)),
        ("NAME", |project| Some(&project.name)),
        ("REPOSITORY", |project| project.linked_repo.as_deref()),
        ("FRAMEWORK", |project| project.framework.as_deref()),
    ];
    let shown: Vec<Column> = columns
        .into_iter()
        .filter(|(_, cell)| projects.iter().any(|project| cell(project).is_some()))
        .collect();
    let heading = shown.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows = projects.iter().map(|project| {
        let cells = shown.iter().map(|(_, cell)| cell(project).unwrap_or("-"));
        cells.map(ToOwned::to_owned).collect()
    });
    std::iter::once(heading).chain(rows).collect()
}
