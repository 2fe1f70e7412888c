//! The gates inside one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Caller, Effect, News, held};
use crate::domain::gate::{Ask, Budget, CallFamily, Circuit, ClosedGate, Gate, Threshold, Turn};

/// Accounts beyond this are looked through for some that can be forgotten.
const MANY: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct LocalGates(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What SQL remembers has been looked up.
    known: bool,
    hosts: HashMap<Arc<str>, Circuit>,
    accounts: HashMap<Arc<str>, Account>,
    /// Accounts at which the next look is due.
    next_look: usize,
}

#[derive(Debug, Default)]
struct Account {
    gates: [Gate; CallFamily::ALL.len()],
    circuit: Circuit,
}

impl Account {
    fn is_idle(&self, now: i64) -> bool {
        self.circuit.is_idle(now) && self.gates.iter().all(|gate| gate.is_idle(now))
    }
}

impl State {
    fn account(&mut self, name: &Arc<str>, now: i64) -> &mut Account {
        if !self.accounts.contains_key(name) {
            if self.accounts.len() >= self.next_look.max(MANY) {
                self.accounts.retain(|_, account| !account.is_idle(now));
                self.hosts.retain(|_, circuit| !circuit.is_idle(now));
                self.next_look = self.accounts.len() * 2;
            }
            self.accounts.insert(Arc::clone(name), Account::default());
        }
        self.accounts.entry(Arc::clone(name)).or_default()
    }
}

impl LocalGates {
    pub(super) fn ask(&self, caller: &Caller, family: CallFamily, ask: &Ask) -> Option<Turn> {
        let mut state = self.lock();
        if !state.known {
            return None;
        }
        let now = ask.now;
        let host = state.hosts.get(&caller.host);
        let host_held = host.and_then(|host| host.held(now));
        let account = state.account(&caller.account, now);
        if let Some(turn) = held(host_held, account.circuit.held(now)) {
            return Some(turn);
        }
        let mut turn = account.gates[family as usize].ask(ask);
        if let Turn::Go { watched, .. } = &mut turn {
            *watched |= account.circuit.enter(now);
            if let Some(host) = state.hosts.get_mut(&caller.host) {
                *watched |= host.enter(now);
            }
        }
        Some(turn)
    }

    pub(super) fn tell(
        &self,
        caller: &Caller,
        family: CallFamily,
        budget: Option<Budget>,
        now: i64,
        news: News,
    ) -> Effect {
        let mut state = self.lock();
        if news == News::Failed {
            let source = &caller.account;
            let account = &mut state.account(source, now).circuit;
            let mut opened = account.failed(now, source, Threshold::ACCOUNT);
            let account_held = account.held(now);
            let host = state.hosts.entry(Arc::clone(&caller.host)).or_default();
            opened |= host.failed(now, source, Threshold::HOST);
            return Effect {
                opened,
                held: host.held(now).max(account_held),
                closed: false,
            };
        }
        if let Some(host) = state.hosts.get_mut(&caller.host) {
            host.answered();
        }
        let account = state.account(&caller.account, now);
        account.circuit.answered();
        let gate = &mut account.gates[family as usize];
        let mut effect = Effect::default();
        match news {
            News::Refused { until, total } => effect.closed = gate.close(now, until, total, budget),
            News::Left { total, left, end } => {
                gate.answered();
                gate.told(now, total, left, end);
            }
            News::Answered | News::Failed => gate.answered(),
        }
        effect
    }

    pub(super) fn restore(&self, closed: &[ClosedGate], now: i64) {
        let mut state = self.lock();
        state.known = true;
        for one in closed {
            let account = state.account(&one.account.as_str().into(), now);
            account.gates[one.family as usize].restore(now, one.until, one.total);
        }
    }

    pub(super) fn held(&self, host: &Arc<str>, now: i64) -> Option<i64> {
        self.lock().hosts.get(host)?.held(now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
