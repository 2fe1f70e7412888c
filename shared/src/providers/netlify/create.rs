//! The one call that creates all new keys. It is taken or refused as a whole and does not say for which
//! key, so a refusal is halved down to the keys that it is about.

use std::collections::VecDeque;

use super::apply::{Item, Run};
use super::errors::{TOO_LARGE, of_change};
use super::rows::context;
use super::wire::{NewValue, NewVariable, Variable};
use crate::domain::job::ErrorCode;
use crate::providers::ProviderError;
use crate::providers::halving::{Halving, Next};
use crate::sync::options::VariableType;

/// The scopes that a secret may have; it has to name them.
const SECRET_SCOPES: &[&str] = &["builds", "functions", "runtime"];

const NO_SECRETS: &str = "Netlify does not take secret variables from this connection; the team's plan or the user's role \
     may not include them.";

impl Run<'_> {
    /// Creates them. Keys that turn out to be there end the run: it looks again.
    pub(super) async fn create(&mut self, items: Vec<Item<'_>>) {
        let mut queue: VecDeque<Item<'_>> = items.into();
        let mut halving = Halving::new();
        while !queue.is_empty() && self.stopped.is_none() {
            let size = halving.size(queue.len());
            match self.post(&queue.make_contiguous()[..size]).await {
                Ok(made) => {
                    for item in queue.drain(..size) {
                        self.made(&item, &made);
                    }
                    halving.taken();
                }
                Err(ProviderError::Invalid { code, .. }) if code == TOO_LARGE && size > 1 => {
                    halving.too_large(size);
                }
                Err(error @ ProviderError::Invalid { .. }) => match halving.refused(size) {
                    Next::Again => {}
                    Next::Found => {
                        if let Some(item) = queue.pop_front() {
                            self.refused(&item, &error).await;
                        }
                    }
                    Next::GiveUp => {
                        for item in queue.drain(..) {
                            let message = "Not sent, because Netlify refused too many others.";
                            self.refuse(item.key, item.action, ErrorCode::NotAttempted, message);
                        }
                    }
                },
                // The right to write may be there, and that to make secrets not.
                Err(ProviderError::Forbidden) if self.makes_secrets() => {
                    for item in queue.drain(..) {
                        self.refuse(item.key, item.action, ErrorCode::Forbidden, NO_SECRETS);
                    }
                }
                Err(error) => self.stop(error),
            }
        }
    }

    fn makes_secrets(&self) -> bool {
        self.options.variable_type == VariableType::Sensitive
    }

    async fn post(&self, items: &[Item<'_>]) -> Result<Vec<Variable>, ProviderError> {
        let (context, context_parameter) = context(self.destination);
        let is_secret = self.makes_secrets();
        let new = items.iter().map(|item| NewVariable {
            key: item.key,
            values: vec![NewValue {
                context,
                context_parameter,
                value: item.value,
            }],
            // Only what pays may name scopes, so they are left out where they may be.
            scopes: is_secret.then(|| SECRET_SCOPES.to_vec()),
            is_secret: is_secret.then_some(true),
        });
        let new: Vec<_> = new.collect();
        self.client.create(self.session, self.place, &new).await
    }

    /// A key that the call was taken for. The answer shows what is there now: one that somebody else made
    /// in the same moment may have been kept.
    fn made(&mut self, item: &Item<'_>, made: &[Variable]) {
        let shown = made
            .iter()
            .find(|variable| variable.key.as_deref() == Some(item.key));
        match shown {
            Some(variable) => self.confirm(item, variable),
            None => self.stop(ProviderError::OutcomeUnknown),
        }
    }

    /// A key that was refused alone: for what it is, or because it is there by now.
    async fn refused(&mut self, item: &Item<'_>, error: &ProviderError) {
        let now = self.client.variable(self.session, self.place, item.key);
        match now.await {
            Ok(_) => self.stop(ProviderError::Conflict),
            Err(ProviderError::NotFound) => {
                self.done(item.key, item.action, Err(of_change(error)));
            }
            Err(error) => self.stop(error),
        }
    }
}
