//! What our API tells of a provider, as sentences.

use crate::commands::demo::stage::Words;
use crate::commands::demo::wire::{Capabilities, Effect, Reading, Rollout};

/// How the provider is read and written, and what writes set off.
pub(super) fn sentences(of: &Capabilities, words: &Words) -> Vec<String> {
    let mut told = vec![reading(of), calls(of, words), effects(of, words)];
    told.extend(of.rollout.map(rollout));
    told
}

fn reading(of: &Capabilities) -> String {
    let shown = match of.reading {
        Reading::Listed => "Values there are read in one list",
        Reading::Single => "Values there are read one by one, each by a call of its own",
        Reading::Digest => {
            return "Values are never shown to anybody: a list has names, and a digest of each value."
                .to_owned();
        }
    };
    match &of.write_only_type {
        Some(kind) => format!("{shown}; those of {kind} variables cannot be read."),
        None => format!("{shown}."),
    }
}

fn calls(of: &Capabilities, words: &Words) -> String {
    let many = |limit: Option<u32>| match limit {
        None => "any number".to_owned(),
        Some(1) => "one".to_owned(),
        Some(limit) => format!("up to {limit}"),
    };
    format!(
        "A call creates {} of {}, updates {}, deletes {}.",
        many(of.creates_per_call),
        words.variables,
        many(of.updates_per_call),
        many(of.deletes_per_call)
    )
}

fn effects(of: &Capabilities, words: &Words) -> String {
    let (write, delete) = (of.write_effect, of.delete_effect);
    if write == delete {
        return format!("Writes and deletes {}.", effect(write, words));
    }
    format!(
        "Writes {}; deletes {}.",
        effect(write, words),
        effect(delete, words)
    )
}

fn effect(of: Effect, words: &Words) -> String {
    match of {
        Effect::NextDeployment => format!("deploy nothing, and count from {} on", words.next),
        Effect::Deploys => "deploy by themselves".to_owned(),
        Effect::Staged => format!("are staged: what runs is as before until {}", words.next),
    }
}

fn rollout(of: Rollout) -> String {
    let step = match of {
        Rollout::Redeploy => "deploys the service once more, as it is",
        Rollout::Machines => {
            "updates each machine with the config that it has, and so with all that is staged, by \
             whomever"
        }
        Rollout::Build => "begins a build",
    };
    format!("Asked to (rollout), a sync that has written everything {step}.")
}

/// Why what cannot be read is written.
pub(super) fn unverifiable(of: &Capabilities) -> &'static str {
    match of.reading {
        Reading::Digest => {
            "A digest tells nothing of a value that somebody else has set, so a sync sets it. From \
             then on it is known."
        }
        _ if of.stamps_writes => {
            "What cannot be read cannot be compared, so a sync writes it. From then on it is known."
        }
        _ => "What cannot be read cannot be compared, so each sync writes it.",
    }
}

/// How what cannot be read is known once it was written.
pub(super) const fn known_by(of: &Capabilities) -> &'static str {
    match of.reading {
        Reading::Digest => {
            "shown as a digest only, and it is the digest of what was written: nobody has changed it"
        }
        _ => {
            "not readable, and as it was written: a keyed hash of that was kept, and nobody has changed \
             the variable since"
        }
    }
}

/// What a sync that wrote has changed for what runs.
pub(super) fn redeploy(of: &Capabilities, words: &Words) -> String {
    let runs = "What runs has the old values";
    match of.write_effect {
        Effect::NextDeployment | Effect::Staged => format!("{runs} until {}.", words.next),
        Effect::Deploys => format!("{runs} until the deployments that this began are done."),
    }
}

/// What a rollout did.
pub(super) const fn rolled_out(of: &Capabilities) -> &'static str {
    match of.rollout {
        Some(Rollout::Redeploy) => {
            "One new deployment, of the code that runs, has everything that was written by both syncs."
        }
        Some(Rollout::Build) => {
            "What the build makes has everything that was written by both syncs, once it is published."
        }
        Some(Rollout::Machines) | None => {
            "Each machine was updated with its own config, and so has all that was staged, by both \
             syncs and by others."
        }
    }
}
