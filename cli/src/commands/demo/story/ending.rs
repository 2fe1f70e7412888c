//! How the demo ends.

use super::{ENVIRONMENT, REPO, Story};
use crate::commands::demo::screen::Screen;
use crate::commands::demo::wire::Report;
use crate::commands::demo::world::World;
use crate::failure::{Failure, Outcome};

impl Story<'_> {
    pub(super) fn close(&self, screen: &Screen, first: &Report, second: &Report) -> Outcome {
        if self.wrong > 0 {
            return Err(Failure::new(format!(
                "{} check(s) of the demo failed, see above",
                self.wrong
            )));
        }
        let rollout = second.rollout.as_ref().map(|_| " and a rollout");
        screen.title(&format!(
            "\nDone: {} values written with {} calls, then {}{} with {} calls; every value is \
             where it belongs.",
            first.created + first.updated,
            first.provider_calls,
            second.created + second.updated,
            rollout.unwrap_or_default(),
            second.provider_calls
        ))?;
        screen.line("Next: `keyway demo --keep` to try the API, `keyway serve` to run it.")?;
        Ok(())
    }
}

/// What to try while the demo stays up.
pub(in crate::commands::demo) fn invite(world: &World, screen: &Screen) -> Outcome {
    let (api, key, stage) = (&world.api, world.token.expose(), &world.stage);
    screen.title("\nStill running; Ctrl-C ends it and removes everything")?;
    screen.line(&format!("API                 {api}"))?;
    screen.line(&format!("Reference           {api}/docs"))?;
    screen.line(&format!("Simulated provider  {}", stage.url()))?;
    screen.line(&format!("Its token           {}", stage.token()))?;
    screen.title("\nTry:")?;
    for path in [
        "/v1/integrations/connections".to_owned(),
        format!("/v1/vaults/{REPO}"),
        format!("/v1/secrets/pull?repo={REPO}&environment={ENVIRONMENT}"),
        "/v1/integrations/jobs".to_owned(),
    ] {
        screen.line(&format!(
            "curl -s -H 'Authorization: Bearer {key}' '{api}{path}'"
        ))?;
    }
    screen.title("\nWhat the simulated provider holds, in clear:")?;
    screen.line(&format!("curl -s '{}/_simulator/state'", stage.url()))?;
    Ok(())
}
