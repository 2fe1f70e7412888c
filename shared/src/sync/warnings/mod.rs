//! What a preview warns of: what would fail later, or could surprise. Pure, like the plan.

mod references;
mod sizes;

use serde::{Deserialize, Serialize};

use super::options::{Direction, VariableType};
use super::plan::{Action, Plan, Reason};
use super::planner::{Inputs, Refusal};
use super::remote::{RemoteRow, RemoteValue, RowOwner};
use crate::domain::words;
use crate::secret::Secret;
use references::references;
use sizes::sizes;

words! {
    /// What a warning is about. Stable: clients match on it.
    pub enum WarningCode {
        /// A sync with the same fields is refused: the source is empty.
        EmptySource = "empty-source",
        /// A sync is refused: an automatic run may not delete that much.
        TooManyDeletes = "too-many-deletes",
        /// A sync is refused: the target would hold more than it takes.
        TooManySecrets = "too-many-secrets",
        /// The target comes near the most that it takes.
        NearTheLimit = "near-the-limit",
        /// All values together are more than a deployment takes.
        TotalSize = "total-size",
        /// A value is larger than the edge runtime takes.
        EdgeSize = "edge-size",
        /// A name belongs to the platform and is left out.
        Reserved = "reserved",
        /// A name is public by its prefix, so that its value cannot be made sensitive.
        PublicName = "public-name",
        /// Values that differ only in quotes around them or in a newline at their end.
        QuotesOrNewline = "quotes-or-newline",
        /// A value that would be deleted and cannot be read: nobody could bring it back.
        Unrecoverable = "unrecoverable",
        /// The provider showed only a part of its variables.
        IncompleteView = "incomplete-view",
        /// Values that refer to other variables at the provider: left out unless that is said to be meant.
        Reference = "reference",
        /// References at the provider that would be overwritten with what is none.
        ReplacesReference = "replaces-reference",
        /// Deletes that deploy, each by itself.
        DeletesDeploy = "deletes-deploy",
        /// A sync makes more calls than the account may make at once, and waits in between.
        Budget = "budget",
        /// A sync of the project was under way, so that what is shown may not be what it leaves.
        SyncRunning = "sync-running",
        /// An earlier sync stopped between two calls. The next one finishes that first.
        OpenSplit = "open-split",
    }
}

/// One warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about.
    pub code: WarningCode,
    /// The same as a sentence.
    pub message: String,
    /// The keys that it is about, sorted; none when it is about all of them.
    pub keys: Vec<String>,
}

impl Warning {
    /// The warning of a view that a sync may have changed since.
    pub fn sync_running() -> Self {
        Self {
            code: WarningCode::SyncRunning,
            message:
                "A sync of this project is under way: what is shown may not be what it leaves."
                    .to_owned(),
            keys: Vec::new(),
        }
    }

    /// The warning of keys that an earlier sync left between two calls.
    pub fn open_split(keys: Vec<String>) -> Self {
        Self {
            code: WarningCode::OpenSplit,
            message: "An earlier sync stopped while it gave these a value of their own. The next \
                      sync of the project finishes that first."
                .to_owned(),
            keys,
        }
    }
}

/// Percent of the most variables from which a preview warns: 900 of 1,000.
const NEAR: usize = 90;

/// Everything there is to warn of before this plan is carried out.
pub fn warnings(inputs: &Inputs<'_>, plan: &Plan, refusal: Option<&Refusal>) -> Vec<Warning> {
    let rows = inputs.view.at(inputs.destination);
    let limits = inputs.rules.limits;
    let pushes = inputs.request.direction == Direction::Push;
    let mut found = Vec::new();
    let mut warn = |code: WarningCode, message: String, keys: Vec<String>| {
        found.push(Warning {
            code,
            message,
            keys,
        });
    };

    if let Some((code, message)) = refused(refusal) {
        warn(code, message, Vec::new());
    }
    if let Some(why) = &inputs.view.incomplete {
        let message = format!("{why} What depends on a variable's absence is left out.");
        let keys = keys_with(plan, |_, reason| reason == Reason::IncompleteView);
        warn(WarningCode::IncompleteView, message, keys);
    }
    if pushes {
        let creates = plan.with(Action::Create).count();
        let deletes = plan.with(Action::Delete).count();
        // Deletes come last: at its fullest the target holds what it had and what is new.
        let fullest = rows.len() + creates;
        if let Some(most) = limits.max_variables
            && fullest * 100 >= most * NEAR
            && fullest <= most
        {
            let message = format!(
                "The environment would hold {} variables ({fullest} before deletes); it takes at \
                 most {most}.",
                fullest - deletes
            );
            warn(WarningCode::NearTheLimit, message, Vec::new());
        }
        sizes(inputs, plan, &mut warn);
        references(inputs, plan, &mut warn);
        deploying(inputs, plan, &mut warn);
    }
    let reserved = keys_with(plan, |key, reason| {
        let of_source = if pushes {
            inputs.vault.values.contains_key(key)
        } else {
            let row = rows.get(key);
            row.is_some_and(|row| row.owner != RowOwner::Platform)
        };
        reason == Reason::Reserved && of_source
    });
    if !reserved.is_empty() {
        let message = "Names that the platform reserves or sets itself are left out.".to_owned();
        warn(WarningCode::Reserved, message, reserved);
    }
    if pushes && inputs.request.variable_type == VariableType::Sensitive {
        let public = |key: &str| {
            let prefixes = limits.public_prefixes;
            prefixes.iter().any(|prefix| key.starts_with(prefix))
        };
        let keys = plan.with(Action::Create).map(|planned| &planned.key);
        let keys: Vec<_> = keys.filter(|key| public(key)).cloned().collect();
        if !keys.is_empty() {
            let message = "Public by their prefix, hence created as encrypted and not as \
                           sensitive: the provider takes no sensitive variables of such names."
                .to_owned();
            warn(WarningCode::PublicName, message, keys);
        }
    }
    let nearly: Vec<_> = plan
        .with(Action::Update)
        .filter(|planned| {
            let ours = inputs.vault.values.get(&planned.key);
            let row = rows.get(planned.key.as_str());
            ours.zip(row)
                .is_some_and(|(ours, row)| differs_in_wrapping(inputs, row, ours))
        })
        .map(|planned| planned.key.clone())
        .collect();
    if !nearly.is_empty() {
        let message =
            "The two sides differ only in quotes around the value or in a newline at its \
                       end, which the provider stores as they are."
                .to_owned();
        warn(WarningCode::QuotesOrNewline, message, nearly);
    }
    let lost: Vec<_> = plan
        .with(Action::Delete)
        .filter(|planned| {
            let row = rows.get(planned.key.as_str());
            row.is_some_and(|row| row.value == RemoteValue::Unreadable)
                && !inputs.managed.contains(&planned.key)
        })
        .map(|planned| planned.key.clone())
        .collect();
    if !lost.is_empty() {
        let message =
            "Would be deleted, were not written by this vault, and cannot be read: their \
                       values could not be brought back."
                .to_owned();
        warn(WarningCode::Unrecoverable, message, lost);
    }
    found
}

/// Deletes that deploy, each by itself.
fn deploying(
    inputs: &Inputs<'_>,
    plan: &Plan,
    warn: &mut impl FnMut(WarningCode, String, Vec<String>),
) {
    let deletes = plan.with(Action::Delete);
    let keys: Vec<_> = deletes.map(|planned| planned.key.clone()).collect();
    if inputs.rules.delete_deploys && !keys.is_empty() {
        let message =
            "The provider deploys at each delete, with no way around it; what is created and \
                       updated waits for a deployment."
                .to_owned();
        warn(WarningCode::DeletesDeploy, message, keys);
    }
}

fn refused(refusal: Option<&Refusal>) -> Option<(WarningCode, String)> {
    match refusal? {
        Refusal::VaultCorrupt(_) => None,
        Refusal::EmptySource => Some((
            WarningCode::EmptySource,
            "The source has no secrets: a sync that may delete is refused unless it says \
             confirmEmptySource."
                .to_owned(),
        )),
        Refusal::TooManyDeletes { planned, allowed } => Some((
            WarningCode::TooManyDeletes,
            format!("An automatic sync would delete {planned} keys, and may delete {allowed}."),
        )),
        Refusal::TooManySecrets { planned, allowed } => Some((
            WarningCode::TooManySecrets,
            format!(
                "A sync is refused: the target would hold {planned} variables, and takes at most \
                 {allowed}."
            ),
        )),
    }
}

fn keys_with(plan: &Plan, is: impl Fn(&str, Reason) -> bool) -> Vec<String> {
    let keys = plan.keys.iter();
    keys.filter(|planned| is(&planned.key, planned.reason))
        .map(|planned| planned.key.clone())
        .collect()
}

/// Whether the values are different texts of the same thing: told by the values where both are known,
/// else by asking the fingerprint for each form that ours could have there.
fn differs_in_wrapping(inputs: &Inputs<'_>, row: &RemoteRow, ours: &Secret) -> bool {
    if let RemoteValue::Known(theirs) = &row.value {
        return theirs != ours && bare(theirs.expose()) == bare(ours.expose());
    }
    let Some(print) = inputs.fingerprints.get(&row.key) else {
        return false;
    };
    let (text, own) = (bare(ours.expose()), ours.expose());
    let forms = [
        text.to_owned(),
        format!("\"{text}\""),
        format!("'{text}'"),
        format!("{text}\n"),
        format!("{text}\r\n"),
    ];
    print.holds_for(row)
        && forms
            .into_iter()
            .filter(|form| form != own)
            .any(|form| print.mac == (inputs.mac)(&row.key, &Secret::new(form)))
}

/// The text without one newline at its end and one pair of quotes around it.
fn bare(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    for quote in ['"', '\''] {
        let inner = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    text
}
