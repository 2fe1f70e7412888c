//! Putting into effect what a push wrote, where its request says so and the provider has a step for it.

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::domain::names::shown_name;
use keyway_shared::domain::report::{KeyOutcome, RolloutStatus, RolloutUnit};
use keyway_shared::providers::{ProviderError, RolledOut, capabilities};
use keyway_shared::store::Renewal;
use keyway_shared::sync::plan::Action;

use super::Run;
use super::finished::sentence;
use super::push::is_final;
use super::scene::Scene;
use crate::engine::Failure;
use crate::engine::guard::Stop;

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    /// Each part; `None` when it failed as a whole.
    pub(super) units: Option<Vec<RolloutUnit>>,
    /// Why not everything is in effect.
    pub(super) error: Option<(ErrorCode, String)>,
}

impl Run<'_> {
    /// Rolls out what this job wrote, whichever of its runs did, or what an earlier job with the same wish
    /// left. Only after a full success: half of a change is not to be put into effect.
    pub(super) async fn roll_out(
        &self,
        scene: &Scene,
        outcomes: &[KeyOutcome],
    ) -> Result<Option<Rollout>, Failure> {
        let can_be = scene.provider.descriptor().writes.rollout.is_some();
        if !(self.job.request.rollout && can_be) || outcomes.iter().any(KeyOutcome::failed) {
            return Ok(None);
        }
        // Else each run of a link would deploy for a value that no run can know.
        if self.has_nothing_new(scene, outcomes) && !scene.rollout_due {
            self.learn(|learnt| learnt.rollout_due = Some(false));
            return Ok(None);
        }
        let done = outcomes.iter().filter(|one| one.action != Action::Skip);
        let done: Vec<KeyOutcome> = done.cloned().collect();
        if done.is_empty() && !scene.rollout_due {
            return Ok(None);
        }
        // Should this be the last run and not come to its end, it still tells what was written, and a later
        // job knows what is left to do.
        self.learn(|learnt| {
            learnt.done = done;
            learnt.rollout_due = Some(true);
        });
        // This run may have written nothing: see `Engine::claim`.
        if self.engine.renew(self.job.id, self.lease_id).await? == Renewal::Lost {
            return Err(Failure::Stopped(Stop::LeaseLost));
        }
        let (provider, session) = (&scene.provider, &scene.session);
        let error = match provider.rollout(session, &scene.destination).await {
            Ok(units) => {
                let rollout = Rollout::of(units);
                let due = rollout.error.is_some();
                self.learn(|learnt| learnt.rollout_due = Some(due));
                return Ok(Some(rollout));
            }
            Err(error) => error,
        };
        match self
            .judge(provider, session, Failure::Provider(error))
            .await
        {
            // A machine that has the values is only looked at; a build or a deployment would be begun once
            // more for each try.
            Failure::Provider(ProviderError::OutcomeUnknown)
                if scene.provider.descriptor().writes.rollout
                    != Some(capabilities::Rollout::Machines) =>
            {
                self.learn(|learnt| learnt.rollout_due = Some(false));
                Ok(Some(Rollout::unconfirmed()))
            }
            Failure::Provider(error) if is_final(&error) => Ok(Some(Rollout::failed(&error))),
            failure => Err(failure),
        }
    }
}

impl Rollout {
    fn of(units: Vec<RolledOut>) -> Self {
        let units: Vec<_> = units.into_iter().map(unit).collect();
        let error = describe(&units).map(|text| (ErrorCode::RolloutFailed, text));
        let units = Some(units);
        Self { units, error }
    }

    /// It may have begun, and is not begun once more.
    fn unconfirmed() -> Self {
        let message = "Everything was written. The provider did not confirm the rollout: look there \
                       whether it has begun.";
        Self {
            units: None,
            error: Some((ErrorCode::RolloutFailed, message.to_owned())),
        }
    }

    /// It failed as a whole, and no later run would be spared that.
    fn failed(error: &ProviderError) -> Self {
        let code = match error {
            // The connection is dead, whatever it was needed for.
            ProviderError::Unauthorized => error.code(),
            _ => ErrorCode::RolloutFailed,
        };
        let message = format!(
            "Everything was written, and nothing was rolled out. {}",
            sentence(error)
        );
        Self {
            units: None,
            error: Some((code, message)),
        }
    }
}

fn unit(rolled: RolledOut) -> RolloutUnit {
    let (code, message) = match rolled.result {
        Ok(()) => (None, None),
        Err(failure) => (Some(failure.code), Some(failure.message)),
    };
    RolloutUnit {
        unit: shown_name(&rolled.unit).unwrap_or_default(),
        name: rolled.name.as_deref().and_then(shown_name),
        status: match code {
            None => RolloutStatus::Done,
            Some(_) => RolloutStatus::Failed,
        },
        code,
        message,
    }
}

/// "Everything was written, and 2 of 3 did not get it: web, 148e (why)."
fn describe(units: &[RolloutUnit]) -> Option<String> {
    const SHOWN: usize = 5;
    let failed: Vec<_> = units
        .iter()
        .filter(|unit| unit.status == RolloutStatus::Failed)
        .collect();
    let why = failed.first()?.message.as_deref().unwrap_or_default();
    let names = failed.iter().take(SHOWN);
    let names = names.map(|unit| unit.name.as_ref().unwrap_or(&unit.unit).as_str());
    let more = match failed.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(format!(
        "Everything was written, and {} of {} did not get it: {}{more} ({why}).",
        failed.len(),
        units.len(),
        names.collect::<Vec<_>>().join(", ")
    ))
}
