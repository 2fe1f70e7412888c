//! `keyway rotate-keys`

use std::time::Duration;

use clap::Args;
use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::key_rotation::{Hindrance, KeyRotation, RotationState};
use keyway_shared::store::{ALIVE_WITHIN, Store, StoreError};
use uuid::Uuid;

use crate::args::StorageArgs;
use crate::failure::{Failure, Outcome};
use crate::key_use::{self, Keys};
use crate::{compose, output};

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(500);

const HELP: &str = "\
To change the key of an installation that runs:
  1. Put the new key at the end of KEYWAY_ENCRYPTION_KEYS, and restart every process: all can read it.
  2. Put it first, and restart every process: all seal with it.
  3. keyway rotate-keys
  4. keyway doctor says which keys nothing needs any more: take them off, and restart.
With `keyway serve` as the only process, 1 can be left out.

Examples:
  keyway rotate-keys
  keyway rotate-keys --no-wait && keyway doctor

Exit codes: 0 everything is sealed with the first key, 1 it is not, 2 wrong flags or settings.";

/// Seal everything that is stored with the first encryption key
///
/// Workers do it, in batches, while everything goes on; this command asks them to, or joins what runs
/// already, and shows how far it is. Whatever ends before its time, this command, a worker or
/// all of them, nothing is lost: the next goes on with what is left. What does not open is named, and left as it
/// is. Refused while a process runs that seals with another key.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct RotateKeysArgs {
    /// Ask for it and end, without waiting until it is done
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

pub(crate) async fn run(args: &RotateKeysArgs) -> Outcome {
    args.storage.log.init(Some("warn"))?;
    let ambient = Ambient::system();
    let store = compose::open_for_command(&args.storage, &ambient).await?;
    let outcome = rotate(args, &store, &ambient).await;
    store.close().await;
    outcome
}

async fn rotate(args: &RotateKeysArgs, store: &Store, ambient: &Ambient) -> Outcome {
    let keys = Keys::look(store).await?;
    check(&keys, args.no_wait)?;
    let running = keys.rotation.as_ref().filter(|rotation| {
        rotation.state == RotationState::Running && rotation.key_id == keys.first()
    });
    if running.is_none() && keys.behind() == 0 {
        return conclude(&keys);
    }
    let rotation = begin(store, ambient, &keys).await?;
    if args.no_wait {
        output::line(format!(
            "workers seal {} rows with '{}'; `keyway rotate-keys` shows how far they are",
            (rotation.total - rotation.done).max(0),
            rotation.key_id
        ))?;
        return Ok(());
    }
    let ended = follow(store, &rotation).await?;
    match ended.state {
        RotationState::Cancelled => Err(Failure::new(format!(
            "the rotation to '{}' was given up for one to another key",
            ended.key_id
        ))),
        RotationState::Partial => Err(partial(&ended)),
        RotationState::Running | RotationState::Succeeded => {
            output::line(format!("sealed {} rows again", ended.done))?;
            conclude(&Keys::look(store).await?)
        }
    }
}

/// That whoever runs can read what is sealed, and seals with the same key; and that somebody will do it.
fn check(keys: &Keys, no_wait: bool) -> Outcome {
    let first = keys.first();
    let hindrances: Vec<_> = keys
        .holders
        .iter()
        .filter_map(|holder| {
            let why = match holder.hindrance(first)? {
                Hindrance::Untold => "is of a version that does not tell its keys".to_owned(),
                Hindrance::Lacks => format!("does not have '{first}'"),
                Hindrance::SealsWith(other) => format!("seals with '{other}'"),
            };
            Some(format!("\n  {} {} {why}", holder.role, holder.id))
        })
        .collect();
    if !hindrances.is_empty() {
        return Err(Failure::new(format!(
            "not everybody seals with '{first}' yet:{}",
            hindrances.concat()
        ))
        .hint(format!(
            "give every process the same keys, '{first}' first, and restart it (one that has just \
             stopped counts for {} s); `keyway rotate-keys --help` tells the order",
            ALIVE_WITHIN.num_seconds()
        )));
    }
    if !no_wait && keys.behind() > 0 && !keys.holders.iter().any(|holder| holder.role == "worker") {
        return Err(Failure::new("no worker runs that could do it").hint(
            "start `keyway serve` or `keyway worker`, or ask with --no-wait: the next one that starts \
             begins",
        ));
    }
    Ok(())
}

/// The rotation that runs, or a new one.
async fn begin(store: &Store, ambient: &Ambient, keys: &Keys) -> Result<KeyRotation, StoreError> {
    let mut tx = store.begin().await?;
    let now = tx.now().await?;
    let last = tx.last_rotation().await?;
    if let Some(other) =
        last.filter(|last| last.state == RotationState::Running && last.key_id != keys.first())
    {
        tx.cancel_rotation(other.id, now).await?;
    }
    // Of two that ask at once, the second joins the first.
    tx.insert_rotation(ambient.new_id(), keys.behind(), now)
        .await?;
    let rotation = tx.last_rotation().await?;
    tx.commit().await?;
    rotation.ok_or_else(|| gone(Uuid::nil()))
}

fn gone(id: Uuid) -> StoreError {
    StoreError::RowsAffected {
        table: "key_rotations",
        id: id.to_string(),
        rows: 0,
    }
}

/// Shows how far it is until it has ended.
async fn follow(store: &Store, rotation: &KeyRotation) -> Outcome<KeyRotation> {
    let progress = Progress::new(rotation);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut told, mut alone) = (0, false);
    loop {
        looks.tick().await;
        let mut tx = store.begin_read().await?;
        let seen = tx.find_rotation(rotation.id).await?;
        let now = tx.now().await?;
        let workers = tx.live_processes("worker", now - ALIVE_WITHIN).await?;
        tx.commit().await?;
        let seen = seen.ok_or_else(|| gone(rotation.id))?;
        progress.show(&seen, &mut told)?;
        if seen.state != RotationState::Running {
            progress.end();
            return Ok(seen);
        }
        if workers == 0 && !alone {
            progress.tell("no worker runs any more; the next one that starts goes on")?;
        }
        alone = workers == 0;
    }
}

/// A bar in a terminal, else a line for each tenth.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn new(rotation: &KeyRotation) -> Self {
        if !Term::stderr().is_term() {
            return Self(None);
        }
        let bar = ProgressBar::new(rotation.total.unsigned_abs());
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} rows");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(format!("sealing with '{}'", rotation.key_id));
        Self(Some(bar))
    }

    fn show(&self, rotation: &KeyRotation, told: &mut i64) -> std::io::Result<()> {
        if let Some(bar) = &self.0 {
            bar.set_position(rotation.done.unsigned_abs());
            return Ok(());
        }
        let tenths = 10 * rotation.done / rotation.total.max(1);
        if tenths > *told {
            *told = tenths;
            output::line(format!(
                "sealed {} of {} rows with '{}'",
                rotation.done, rotation.total, rotation.key_id
            ))?;
        }
        Ok(())
    }

    fn tell(&self, text: &str) -> std::io::Result<()> {
        match &self.0 {
            Some(bar) => {
                bar.println(text);
                Ok(())
            }
            None => output::line(text),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// What was left as it is, by name.
fn partial(rotation: &KeyRotation) -> Failure {
    let mut names: Vec<_> = rotation
        .failures
        .iter()
        .map(|row| format!("\n  {}", key_use::name(row)))
        .collect();
    let more = rotation.failed - rotation.failures.len() as i64;
    if more > 0 {
        names.push(format!("\n  and {more} more"));
    }
    Failure::new(format!(
        "sealed {} rows again; {} do not open and are as they were:{}",
        rotation.done,
        rotation.failed,
        names.concat()
    ))
    .hint(
        "unknown-key: put that key at the end of the list, and run this again. damaged: restore the row from a \
         backup, and run this again; or write the secret anew, connect again, rotate the webhook. What is given \
         up opens with no key, so it needs none to be kept",
    )
}

/// What everything has come to.
fn conclude(keys: &Keys) -> Outcome {
    output::line(format!("everything is sealed with '{}'", keys.first()))?;
    for sentence in keys.sentences().iter().skip(1) {
        output::line(sentence)?;
    }
    Ok(())
}
