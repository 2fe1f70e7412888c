//! Giving staged secrets to the machines of an app: each is updated with the config that it has, and
//! takes the secrets of the moment with that. UNCERTAIN: that a restart would do; an update does.
//!
//! One after another, each only when the one before it runs again, and none after one that failed: as in
//! a deployment, what keeps one machine from starting must not take all of them down.

use super::client::Client;
use super::errors::Failure;
use super::wire::{Machine, MachineUpdate, NewLease, Values};
use crate::domain::job::ErrorCode;
use crate::providers::{ChangeFailure, ProviderError, RolledOut, Session};
use crate::secret::Secret;

/// A name that no app has a secret of. To unset it does nothing, and the answer tells the version of the
/// secrets that there are: what Fly.io's own client asks in this way.
const NO_SECRET: &str = "KEYWAY_ASKS_FOR_THE_VERSION";

/// A lease ends by itself when this process does. It outlasts two calls and what they wait for.
const LEASE: NewLease = NewLease {
    ttl: 60,
    description: "Rolling out secrets",
};

/// Waits for a machine to start: a minute, when each takes its time.
const WAITS: usize = 12;

const NO_CONFIG: &str = "Fly.io did not show the machine's config.";
const NO_LEASE: &str = "Fly.io gave no lease of the machine.";
const NOT_STARTED: &str = "The machine was given the secrets and has not started since.";
const UNSEEN: &str = "The machine was given the secrets, and whether it started is not known.";
const NOT_ATTEMPTED: &str = "Not tried, because a machine before it failed.";

/// Why a machine did not get the secrets.
struct Fault {
    error: ProviderError,
    message: Option<&'static str>,
    /// The machine may have changed.
    changed: bool,
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self {
            error: failure.error,
            message: None,
            changed: false,
        }
    }
}

impl Fault {
    const fn protocol(message: &'static str) -> Self {
        Self {
            error: ProviderError::Protocol,
            message: Some(message),
            changed: false,
        }
    }

    fn of_unit(self) -> ChangeFailure {
        let message = self
            .message
            .map_or_else(|| self.error.to_string(), str::to_owned);
        ChangeFailure {
            code: self.error.code(),
            message,
        }
    }

    /// Whether the run is to end with it, instead of telling it of the machine: nothing has happened, so
    /// that it can be done all over; or the job is to stop.
    fn ends_the_run(&self, any_changed: bool) -> bool {
        !(any_changed || self.changed) || self.error == ProviderError::Stopped
    }
}

/// Every machine of the app.
pub(super) async fn all(
    client: &Client,
    session: &Session,
    app: &str,
) -> Result<Vec<RolledOut>, ProviderError> {
    let machines = client.machines(session, app).await?;
    let machines: Vec<_> = machines.into_iter().filter(is_there).collect();
    if machines.is_empty() {
        return Ok(Vec::new());
    }
    let values = Values::from([(NO_SECRET, None)]);
    let answer = client.update(session, app, &values).await?;
    let version = answer.version().ok_or(ProviderError::Protocol)?;
    let mut units: Vec<RolledOut> = Vec::with_capacity(machines.len());
    let (mut any_changed, mut failed) = (false, false);
    for machine in machines {
        let Some(id) = machine.id else {
            return Err(ProviderError::Protocol);
        };
        let result = if failed {
            Err(ChangeFailure {
                code: ErrorCode::NotAttempted,
                message: NOT_ATTEMPTED.to_owned(),
            })
        } else {
            let unit = Unit {
                client,
                session,
                app,
                id: &id,
                version,
            };
            match unit.roll_out().await {
                Ok(true) => Ok(()),
                Ok(false) => continue,
                Err(fault) if fault.ends_the_run(any_changed) => return Err(fault.error),
                Err(fault) => Err(fault.of_unit()),
            }
        };
        any_changed = true;
        failed |= result.is_err();
        units.push(RolledOut {
            unit: id,
            name: machine.name,
            result,
        });
    }
    Ok(units)
}

/// Whether there is something to update.
fn is_there(machine: &Machine) -> bool {
    !matches!(machine.state.as_deref(), Some("destroyed" | "destroying"))
}

/// Whether it runs. Whatever else a machine is, it must not be started because of its secrets.
fn runs(machine: &Machine) -> bool {
    matches!(
        machine.state.as_deref(),
        Some("started" | "starting" | "restarting")
    )
}

/// What became of an update.
enum Updated {
    /// There is no machine any more.
    Gone,
    /// It has the secrets for when somebody starts it.
    Stopped,
    /// It starts with them, as this version if that was told.
    Launched(Option<String>),
}

/// One machine.
struct Unit<'a> {
    client: &'a Client,
    session: &'a Session,
    app: &'a str,
    id: &'a str,
    /// Of the secrets that it is to have.
    version: u64,
}

impl Unit<'_> {
    /// Gives the machine the secrets. False when it is not there any more.
    async fn roll_out(&self) -> Result<bool, Fault> {
        let lease = match self
            .client
            .lease(self.session, self.app, self.id, &LEASE)
            .await
        {
            Ok(lease) => lease.nonce(),
            Err(failure) if failure.error == ProviderError::NotFound => return Ok(false),
            // That the lease may have been given does not make the machine another one.
            Err(failure) => return Err(failure.into()),
        };
        let nonce = lease.ok_or(Fault::protocol(NO_LEASE))?;
        let updated = self.update(&nonce).await;
        // It would end by itself: nothing hangs on this call.
        let released = self
            .client
            .release(self.session, self.app, self.id, &nonce)
            .await;
        if let Err(failure) = released {
            tracing::debug!(error = %failure.error, "a lease was not given back");
        }
        match updated? {
            Updated::Gone => return Ok(false),
            Updated::Stopped => {}
            Updated::Launched(version) => self.wait(version.as_deref()).await?,
        }
        Ok(true)
    }

    /// Updates the machine with the config that it has now, under the lease.
    async fn update(&self, nonce: &Secret) -> Result<Updated, Fault> {
        let machine = match self.client.machine(self.session, self.app, self.id).await {
            Ok(machine) => machine,
            Err(failure) if failure.error == ProviderError::NotFound => return Ok(Updated::Gone),
            Err(failure) => return Err(failure.into()),
        };
        if !is_there(&machine) {
            return Ok(Updated::Gone);
        }
        let config = machine
            .config
            .as_deref()
            .ok_or(Fault::protocol(NO_CONFIG))?;
        let runs = runs(&machine);
        let update = MachineUpdate {
            config,
            min_secrets_version: self.version,
            skip_launch: !runs,
        };
        let updated = self
            .client
            .update_machine(self.session, self.app, self.id, nonce, &update)
            .await;
        match updated {
            Ok(updated) if runs => Ok(Updated::Launched(updated.instance_id)),
            Ok(_) => Ok(Updated::Stopped),
            Err(failure) => Err(Fault {
                changed: failure.error == ProviderError::OutcomeUnknown,
                ..failure.into()
            }),
        }
    }

    /// Waits until the machine runs again.
    async fn wait(&self, version: Option<&str>) -> Result<(), Fault> {
        for _ in 0..WAITS {
            let waited = self.client.wait(self.session, self.app, self.id, version);
            match waited.await.map_err(|failure| failure.error) {
                Ok(()) => return Ok(()),
                Err(ProviderError::Timeout | ProviderError::RateLimited { .. }) => {}
                Err(error) => {
                    return Err(Fault {
                        error,
                        message: Some(UNSEEN),
                        changed: true,
                    });
                }
            }
        }
        Err(Fault {
            error: ProviderError::Timeout,
            message: Some(NOT_STARTED),
            changed: true,
        })
    }
}
