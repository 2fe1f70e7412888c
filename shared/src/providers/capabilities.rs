//! What a provider is and can do, as data. Whoever wants to know asks this, and never which provider
//! it is.

use crate::domain::connection::{AuthMethod, ProviderName};
use crate::domain::gate::{Budget, CallFamily};
use crate::domain::words;
use crate::sync::limits::Limits;
use crate::sync::reserved::ReservedNames;

/// A provider.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// Its name in paths, SQL and metrics.
    pub name: ProviderName,
    /// Its name for people.
    pub display_name: &'static str,
    /// How a user can connect.
    pub sign_in: SignIn,
    /// Which environments its projects have.
    pub environments: Environments,
    /// Whether projects have services, each with values of its own.
    pub services: bool,
    /// What can be known of values.
    pub values: Values,
    /// How it is written to.
    pub writes: Writes,
    /// What it takes.
    pub limits: Limits,
    /// Names that are not ours to write.
    pub reserved: ReservedNames,
    /// Whether it takes variables of a name that a vault takes.
    pub allows_name: fn(&str) -> bool,
    /// How many calls an account may make, as the provider's documentation says.
    pub budgets: Budgets,
}

/// How a user can connect.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// OAuth, where the provider has it for services like this one.
    pub oauth: Option<OAuth>,
    /// The tokens that can be pasted, the recommended kind first.
    pub tokens: &'static [TokenKind],
}

impl SignIn {
    /// How a user can connect now, with this configuration.
    pub fn methods(&self) -> Vec<AuthMethod> {
        let oauth = self.oauth.as_ref().filter(|oauth| oauth.is_configured);
        let token = (!self.tokens.is_empty()).then_some(AuthMethod::Token);
        oauth
            .map(|_| AuthMethod::OAuth)
            .into_iter()
            .chain(token)
            .collect()
    }
}

/// OAuth with a provider.
#[derive(Debug, Clone, Copy)]
pub struct OAuth {
    /// The operator has set it up.
    pub is_configured: bool,
    /// The code is bound to who began, by a verifier that only they know (RFC 7636).
    pub pkce: bool,
    /// Its tokens end and are renewed.
    pub renews: bool,
    /// An authorization can be begun on the provider's pages as well.
    pub begins_there: bool,
    /// What the operator has to set.
    pub settings: &'static [&'static str],
}

/// A kind of token that users can make at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenKind {
    /// Its name in JSON and SQL.
    pub name: &'static str,
    /// The provider's own name for it.
    pub display_name: &'static str,
    /// What can be reached with it, as a sentence.
    pub reach: &'static str,
}

/// The environments of a project.
#[derive(Debug, Clone, Copy)]
pub struct Environments {
    /// Those that every project has.
    pub fixed: &'static [&'static str],
    /// Whether projects have environments of their own making as well.
    pub named: bool,
    /// The one that a branch may narrow.
    pub branches: Option<&'static str>,
    /// Whether one value can be that of several environments at once.
    pub share_values: bool,
    /// What vault environments of usual names stand for. Nothing that is not here is guessed: least of
    /// all is it production.
    pub suggested: &'static [(&'static str, &'static str)],
}

impl Environments {
    /// The environment that a vault's environment of this name stands for, if that can be said.
    pub fn suggested(&self, vault_environment: &str) -> Option<&'static str> {
        let mut suggested = self.suggested.iter();
        let (_, environment) = suggested.find(|(name, _)| *name == vault_environment)?;
        Some(environment)
    }
}

words! {
    /// How a provider's values are known.
    pub enum Reading {
        /// A list shows them.
        Listed = "listed",
        /// A list shows names, and each value is read by itself.
        Single = "single",
        /// Never: only a digest, which tells that a value is the one that we wrote last.
        Digest = "digest",
    }
}

/// What can be known of values.
#[derive(Debug, Clone, Copy)]
pub struct Values {
    /// How they are read.
    pub reading: Reading,
    /// The provider's word for variables that nobody can read again, where others can be read.
    pub write_only: Option<WriteOnly>,
    /// Whether the answer to a write bears what tells later, without reading it, that a value is still
    /// the one that was written.
    pub stamps_writes: bool,
    /// What begins a reference to another variable inside of a value, where the provider resolves them:
    /// such a text is no literal there.
    pub reference: Option<&'static str>,
}

/// Variables that nobody can read again.
#[derive(Debug, Clone, Copy)]
pub struct WriteOnly {
    /// The provider's word.
    pub kind: &'static str,
    /// Whether a sync can make new ones, when asked for `sensitive`.
    pub can_be_made: bool,
}

words! {
    /// What a change of a variable sets off by itself.
    pub enum Effect {
        /// Nothing: deployments to come get it.
        NextDeployment = "next-deployment",
        /// A deployment.
        Deploys = "deploys",
        /// Nothing: it is staged until somebody rolls it out or deploys.
        Staged = "staged",
    }
}

words! {
    /// What puts values into effect that were written, where that is a call of its own.
    pub enum Rollout {
        /// One new deployment of the service, of the code that it runs.
        Redeploy = "redeploy",
        /// An update of each machine.
        Machines = "machines",
        /// A build.
        Build = "build",
    }
}

/// How a provider is written to.
#[derive(Debug, Clone, Copy)]
pub struct Writes {
    /// Most variables that one call creates; `None`: any number.
    pub creates_per_call: Option<u32>,
    /// Most that one call updates.
    pub updates_per_call: Option<u32>,
    /// Most that one call deletes.
    pub deletes_per_call: Option<u32>,
    /// What creates and updates set off.
    pub effect: Effect,
    /// What deletes set off.
    pub delete_effect: Effect,
    /// What a sync can do to put into effect what it wrote; `None`: nothing.
    pub rollout: Option<Rollout>,
    /// The only environment whose values that puts into effect; `None`: any.
    pub rollout_of: Option<&'static str>,
}

/// How many calls an account may make.
#[derive(Debug, Clone, Copy)]
pub enum Budgets {
    /// Each family is counted by itself.
    Apart(&'static [(CallFamily, Budget)]),
    /// All calls are counted together; `None`: how many there may be is known only from answers.
    Together(Option<Budget>),
}

impl Budgets {
    /// The family under which a call is counted.
    pub const fn counted_as(&self, family: CallFamily) -> CallFamily {
        match self {
            Self::Apart(_) => family,
            Self::Together(_) => CallFamily::Read,
        }
    }

    /// The budget that a call of a family is counted in, if it is known.
    pub fn of(&self, family: CallFamily) -> Option<Budget> {
        match self {
            Self::Apart(budgets) => {
                let (_, budget) = budgets.iter().find(|(of, _)| *of == family)?;
                Some(*budget)
            }
            Self::Together(budget) => *budget,
        }
    }
}
