//! Everybody who uses the service while things break.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::actor::{Actor, Stage};
use crate::deployment::Deployment;
use crate::dice::Dice;
use crate::model::World;

/// Projects; two of them are one actor's each.
const PROJECTS: usize = 4;
/// Places of each.
const PLACES: usize = 4;

pub(crate) struct Load {
    pub(crate) stage: Arc<Stage>,
    actors: Vec<Actor>,
    living: JoinSet<Actor>,
    enough: CancellationToken,
}

impl Load {
    pub(crate) async fn prepare(deployment: &Deployment, seed: u64) -> Self {
        let world = World::make(&deployment.simulator, PROJECTS).await;
        // Each actor writes to the same place of two projects, so four meet in each project.
        let actors: Vec<Actor> = (0..PROJECTS / 2 * PLACES)
            .map(|number| {
                let (pair, place) = (number / PLACES, number % PLACES);
                let at = |project: usize| world.destinations()[project * PLACES + place].clone();
                let places = vec![at(2 * pair), at(2 * pair + 1)];
                Actor::new(number, places, Dice::new(seed, number as u64))
            })
            .collect();
        let repos: BTreeSet<_> = actors.iter().map(Actor::repo).collect();
        for repo in repos {
            let body = json!({ "repoFullName": repo });
            deployment.caller.insist("/v1/vaults", &body).await;
        }
        let stage = Stage {
            caller: Arc::clone(&deployment.caller),
            ledger: Arc::clone(&deployment.ledger),
            simulator: Arc::clone(&deployment.simulator),
            world,
            connection: deployment.connect().await,
        };
        Self {
            stage: Arc::new(stage),
            actors,
            living: JoinSet::new(),
            enough: CancellationToken::new(),
        }
    }

    /// A round of everybody, while nothing goes wrong.
    pub(crate) async fn round(&mut self) {
        let rounds = self.actors.iter_mut().map(|actor| actor.round(&self.stage));
        join_all(rounds).await;
    }

    /// From now on they go on by themselves.
    pub(crate) fn begin(&mut self) {
        for actor in self.actors.drain(..) {
            let stage = Arc::clone(&self.stage);
            self.living.spawn(actor.live(stage, self.enough.clone()));
        }
    }

    /// Each brings its round to an end.
    pub(crate) async fn end(&mut self) {
        self.enough.cancel();
        while let Some(actor) = self.living.join_next().await {
            self.actors.push(actor.unwrap());
        }
    }

    /// One more sync of everything.
    pub(crate) async fn reconcile(&mut self) {
        let last = self
            .actors
            .iter_mut()
            .map(|actor| actor.reconcile(&self.stage));
        join_all(last).await;
    }

    /// Holds what was told against what is there.
    pub(crate) async fn check(&self, what: &str) {
        let now = self.stage.simulator.snapshot().await;
        for actor in &self.actors {
            actor.check(&self.stage, &now, what);
        }
        let outside = self.stage.world.outside(&now);
        if !outside.is_empty() {
            let text = format!("{what}: changed outside of any destination: {outside:?}");
            self.stage.ledger.wrong(text);
        }
    }
}
