//! A stand-in of GitHub's REST API, as far as it tells who somebody is and what they may do in a
//! repository.

mod handler;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fault::{Fault, Faults};
use crate::server::{Bound, Server};

/// The app that people sign in through.
pub const CLIENT_ID: &str = "Iv1.simulated";
/// Its secret.
pub const CLIENT_SECRET: &str = "simulated-github-client-secret";

/// A running stand-in. Stops when dropped.
#[derive(Debug)]
pub struct GitHub {
    shared: Arc<Shared>,
    server: Server,
}

#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<State>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Repo {
    id: i64,
    owner: String,
    name: String,
    private: bool,
    /// What users were given.
    permissions: BTreeMap<i64, Permission>,
}

#[derive(Debug)]
struct Code {
    user: i64,
    redirect_uri: String,
    challenge: Option<String>,
}

/// What somebody may do in a repository, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Read.
    Pull,
    /// Read, and care for issues.
    Triage,
    /// Write.
    Push,
    /// Write, and care for settings.
    Maintain,
    /// Everything.
    Admin,
}

#[derive(Debug, Default)]
struct State {
    last_id: i64,
    /// Logins by number.
    users: BTreeMap<i64, String>,
    /// Users by token.
    tokens: BTreeMap<String, i64>,
    repos: Vec<Repo>,
    /// Codes of people who agreed.
    codes: BTreeMap<String, Code>,
    /// Users by the refresh token of theirs, each of which works once.
    refreshes: BTreeMap<String, i64>,
    /// Seconds that tokens of a sign-in last; `None` is for ever, and then none is refreshed.
    tokens_last: Option<u64>,
    faults: Faults,
    /// Paths with their queries.
    calls: Vec<String>,
}

impl State {
    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        1000 + self.last_id
    }

    fn user(&self, login: &str) -> Option<i64> {
        let mut users = self.users.iter();
        users
            .find(|(_, name)| name.eq_ignore_ascii_case(login))
            .map(|(id, _)| *id)
    }

    fn repo(&mut self, full_name: &str) -> Option<&mut Repo> {
        self.repos
            .iter_mut()
            .find(|repo| repo.full_name().eq_ignore_ascii_case(full_name))
    }
}

impl Repo {
    fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl GitHub {
    /// Starts on a free port of the loopback address, with nobody and nothing there.
    pub async fn start() -> io::Result<Self> {
        Self::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts on this address.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let bound = Bound::to(address).await?;
        let shared = Arc::new(Shared::default());
        let server = bound.serve(handler::router(Arc::clone(&shared)));
        Ok(Self { shared, server })
    }

    /// Its origin.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Stops answering.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Adds somebody, and gives a token of theirs.
    pub fn add_user(&self, login: &str) -> String {
        let mut state = self.shared.state();
        let id = state.next_id();
        state.users.insert(id, login.to_owned());
        let token = format!("ghp_{login}{id}");
        state.tokens.insert(token.clone(), id);
        token
    }

    /// Renames somebody; from then on the old login is free.
    pub fn rename_user(&self, login: &str, to: &str) {
        let mut state = self.shared.state();
        if let Some(id) = state.user(login) {
            state.users.insert(id, to.to_owned());
        }
    }

    /// Makes tokens of coming sign-ins end, with a refresh token each.
    pub fn let_tokens_last(&self, seconds: u64) {
        self.shared.state().tokens_last = Some(seconds);
    }

    /// Ends all tokens that are taken, as time does.
    pub fn end_tokens(&self) {
        self.shared.state().tokens.clear();
    }

    /// Makes a token one that is not taken.
    pub fn revoke_token(&self, token: &str) {
        self.shared.state().tokens.remove(token);
    }

    /// Adds a repository, `owner/name`, in which nobody has a part.
    pub fn add_repo(&self, full_name: &str, private: bool) {
        let mut state = self.shared.state();
        let id = state.next_id();
        let (owner, name) = full_name.split_once('/').unwrap_or((full_name, ""));
        state.repos.push(Repo {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            private,
            permissions: BTreeMap::new(),
        });
    }

    /// Renames a repository; from then on its name is free.
    pub fn rename_repo(&self, full_name: &str, name: &str) {
        if let Some(repo) = self.shared.state().repo(full_name) {
            name.clone_into(&mut repo.name);
        }
    }

    /// Gives somebody a part in a repository, or takes it away.
    pub fn grant(&self, full_name: &str, login: &str, permission: Option<Permission>) {
        let mut state = self.shared.state();
        let user = state.user(login);
        if let (Some(user), Some(repo)) = (user, state.repo(full_name)) {
            match permission {
                Some(permission) => {
                    repo.permissions.insert(user, permission);
                }
                None => {
                    repo.permissions.remove(&user);
                }
            }
        }
    }

    /// A fault for the next calls that match. It can answer or break the connection.
    pub fn fault(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// How many calls there were whose path has this part.
    pub fn calls(&self, part: &str) -> usize {
        let state = self.shared.state();
        state
            .calls
            .iter()
            .filter(|call| call.contains(part))
            .count()
    }

    /// All tokens that are taken.
    pub fn tokens(&self) -> BTreeSet<String> {
        self.shared.state().tokens.keys().cloned().collect()
    }
}
