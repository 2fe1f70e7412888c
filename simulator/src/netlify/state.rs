//! The whole state, and the changes that people make to it by hand.

use std::collections::BTreeMap;

use super::model::{
    Account, BEGINNING, EnvSeed, Held, Place, Plan, Repository, Role, SCOPES, Shown, Site, Token,
    User, Variable,
};
use super::oauth::{Code, Ticket};
use super::options::Options;
use crate::clock::{Clock, now_ms};
use crate::fault::Faults;
use crate::log::Log;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) options: Options,
    pub(super) users: BTreeMap<String, User>,
    pub(super) accounts: Vec<Account>,
    /// In the order in which lists show them.
    pub(super) sites: Vec<Site>,
    pub(super) tokens: BTreeMap<String, Token>,
    /// OAuth codes that were not exchanged yet.
    pub(super) codes: BTreeMap<String, Code>,
    /// Users by the refresh token of theirs, each of which works once.
    pub(super) refreshes: BTreeMap<String, String>,
    pub(super) tickets: BTreeMap<String, Ticket>,
    /// The one address that authorizations may send the browser back to; none: any.
    pub(super) callback: Option<String>,
    pub(super) faults: Faults,
    pub(super) log: Log,
    /// Start of the window, and calls since, of each user.
    pub(super) windows: BTreeMap<String, (u64, u32)>,
    pub(super) clock: Clock,
    /// How far its time is ahead of the world's.
    pub(super) ahead_ms: u64,
    serial: u64,
}

/// Whose variables: a site's or, shared by its sites, a team's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holder {
    Site(usize),
    Account(usize),
}

impl State {
    pub(super) fn now(&self) -> u64 {
        now_ms() + self.ahead_ms
    }

    /// The time of a write: later than that of any write before.
    pub(super) fn tick(&self) -> u64 {
        self.clock.tick() + self.ahead_ms
    }

    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A new id as the service makes them for sites and values.
    pub(super) fn uuid(&mut self) -> String {
        format!("51b0a7ed-0000-4000-8000-{:012x}", self.serial())
    }

    pub(super) fn add_user(&mut self, id: &str, full_name: &str) {
        let email = format!("{}@example.com", full_name.to_lowercase().replace(' ', "."));
        let full_name = full_name.to_owned();
        self.users.insert(id.to_owned(), User { full_name, email });
    }

    pub(super) fn add_account(
        &mut self,
        id: &str,
        name: &str,
        plan: Plan,
        members: &[(&str, Role)],
    ) {
        self.accounts.push(Account {
            id: id.to_owned(),
            slug: name.to_lowercase().replace(' ', "-"),
            name: name.to_owned(),
            plan,
            members: members
                .iter()
                .map(|(user, role)| ((*user).to_owned(), *role))
                .collect(),
            saml: false,
            variables: Vec::new(),
        });
    }

    pub(super) fn add_site(
        &mut self,
        name: &str,
        account: &str,
        repository: Option<Repository>,
        framework: Option<&str>,
    ) -> String {
        let id = self.uuid();
        let created_at = BEGINNING + self.serial;
        self.sites.push(Site {
            id: id.clone(),
            name: name.to_owned(),
            account: account.to_owned(),
            custom_domain: None,
            repository,
            framework: framework.map(str::to_owned),
            variables: Vec::new(),
            builds: Vec::new(),
            created_at,
        });
        id
    }

    pub(super) fn add_token(&mut self, user: &str, lifetime_secs: Option<u64>) -> String {
        let token = format!("nfp_simulated{:08}", self.serial());
        self.insert_token(&token, user, lifetime_secs);
        token
    }

    pub(super) fn insert_token(&mut self, token: &str, user: &str, lifetime_secs: Option<u64>) {
        let expires_at = lifetime_secs.map(|seconds| self.now() + seconds * 1000);
        self.tokens.insert(
            token.to_owned(),
            Token {
                user: user.to_owned(),
                saml: false,
                expires_at,
            },
        );
    }

    /// Ends every token of a user, as a new password does.
    pub(super) fn reset_password(&mut self, user: &str) {
        self.tokens.retain(|_, token| token.user != user);
        self.refreshes.retain(|_, owner| owner != user);
    }

    /// By id, by the free domain or by the custom one.
    pub(super) fn site(&self, site: &str) -> Option<usize> {
        self.sites.iter().position(|found| {
            found.id == site
                || found.domain() == site
                || found.custom_domain.as_deref() == Some(site)
        })
    }

    /// A team by its id or slug, a site by its id, for those who change it by hand.
    pub(super) fn holder(&self, id: &str) -> Option<Holder> {
        let accounts = &mut self.accounts.iter();
        let account = accounts.position(|account| account.id == id || account.slug == id);
        account
            .map(Holder::Account)
            .or_else(|| self.site(id).map(Holder::Site))
    }

    pub(super) fn variables(&self, holder: Holder) -> &Vec<Variable> {
        match holder {
            Holder::Site(index) => &self.sites[index].variables,
            Holder::Account(index) => &self.accounts[index].variables,
        }
    }

    pub(super) fn variables_mut(&mut self, holder: Holder) -> &mut Vec<Variable> {
        match holder {
            Holder::Site(index) => &mut self.sites[index].variables,
            Holder::Account(index) => &mut self.accounts[index].variables,
        }
    }

    /// Adds a variable, or replaces it, without any rule. False where there is no such holder.
    pub(super) fn put_env(&mut self, holder: &str, seed: &EnvSeed, by: &str) -> bool {
        let Some(holder) = self.holder(holder) else {
            return false;
        };
        let values = seed.values.iter().map(|(place, value)| {
            let (context, parameter) = split(place);
            Held {
                id: self.uuid(),
                value: value.clone(),
                context: context.to_owned(),
                parameter: parameter.map(str::to_owned),
            }
        });
        let values = values.collect();
        let scopes = if seed.scopes.is_empty() {
            SCOPES.map(str::to_owned).to_vec()
        } else {
            seed.scopes.clone()
        };
        let variable = Variable {
            key: seed.key.clone(),
            scopes,
            values,
            is_secret: seed.is_secret,
            updated_at: self.tick(),
            updated_by: by.to_owned(),
        };
        let variables = self.variables_mut(holder);
        match variables.iter_mut().find(|found| found.key == seed.key) {
            Some(found) => *found = variable,
            None => variables.push(variable),
        }
        true
    }

    pub(super) fn remove_env(&mut self, holder: &str, key: &str) {
        if let Some(holder) = self.holder(holder) {
            self.variables_mut(holder)
                .retain(|variable| variable.key != key);
        }
    }

    pub(super) fn snapshot(&self, holder: &str) -> BTreeMap<Place, Shown> {
        let mut places = BTreeMap::new();
        let holder = self.holder(holder);
        for variable in holder.into_iter().flat_map(|holder| self.variables(holder)) {
            for held in &variable.values {
                let place = Place {
                    key: variable.key.clone(),
                    context: held.place(),
                };
                let shown = Shown {
                    value: held.value.clone(),
                    is_secret: variable.is_secret,
                    scopes: variable.scopes.clone(),
                };
                places.insert(place, shown);
            }
        }
        places
    }

    /// What a deployment would get: a site's variable goes before its team's.
    pub(super) fn value(
        &self,
        site: &str,
        key: &str,
        context: &str,
        branch: Option<&str>,
    ) -> Option<String> {
        let site = &self.sites[self.site(site)?];
        let mut accounts = self.accounts.iter();
        let shared = accounts.find(|account| account.id == site.account);
        let places = [Some(&site.variables), shared.map(|team| &team.variables)];
        places
            .into_iter()
            .flatten()
            .find_map(|variables| {
                let variable = variables.iter().find(|variable| variable.key == key)?;
                variable.resolve(context, branch)
            })
            .map(|held| held.value.clone())
    }
}

/// `branch:NAME` is the context `branch` with a parameter.
fn split(place: &str) -> (&str, Option<&str>) {
    match place.split_once(':') {
        Some((context, parameter)) => (context, Some(parameter)),
        None => (place, None),
    }
}
