//! A value for `all` contexts, from which ours is taken out: each other context gets a value of its own,
//! the one that it had.
//!
//! A single call does it, which replaces the variable as a whole, so that nothing is ever half done. What
//! it would undo is an edit that somebody made since the list; the variable is read once more right
//! before, and when it is not what the list showed any more, the run looks at everything again.

use super::apply::{Item, REMOVED, Run};
use super::rows::{ALL, CONTEXTS, context, is_at};
use super::wire::{NewValue, NewVariable, Variable};
use crate::domain::job::ErrorCode;
use crate::providers::ProviderError;
use crate::secret::Secret;
use crate::sync::plan::Action;

/// Every scope; a variable that has them all was not narrowed.
const SCOPES: usize = 4;

const HIDDEN: &str = "The variable has one value for all contexts, and Netlify does not show it: it cannot be kept for the \
     other contexts.";

impl Run<'_> {
    /// Gives our context a value of its own, or takes its value away. The others keep theirs.
    pub(super) async fn rewrite(&mut self, key: &str, action: Action, value: Option<&Secret>) {
        let now = match self.client.variable(self.session, self.place, key).await {
            Ok(now) => now,
            Err(ProviderError::NotFound) if action == Action::Delete => {
                return self.done(key, action, Ok(None));
            }
            Err(ProviderError::NotFound) => {
                return self.refuse(key, action, ErrorCode::Conflict, REMOVED);
            }
            Err(error) => return self.stop(error),
        };
        let held = |context: &str| {
            let mut values = now.values.iter();
            values.find(|held| held.context.as_deref() == Some(context))
        };
        let Some(all) = held(ALL) else {
            return self.stop(ProviderError::Conflict);
        };
        if now.values.iter().any(|held| is_at(held, self.destination)) {
            return self.stop(ProviderError::Conflict);
        }
        let Some(of_all) = all.value.as_ref().filter(|_| now.is_secret != Some(true)) else {
            return self.refuse(key, action, ErrorCode::Rejected, HIDDEN);
        };
        let (ours, branch) = context(self.destination);
        let mut values = Vec::new();
        for other in &now.values {
            let (Some(context), Some(value)) = (&other.context, &other.value) else {
                return self.refuse(key, action, ErrorCode::Rejected, HIDDEN);
            };
            if context != ALL {
                values.push(NewValue {
                    context,
                    context_parameter: other.context_parameter.as_deref(),
                    value,
                });
            }
        }
        let spread = CONTEXTS
            .iter()
            .filter(|&&context| context != ours && held(context).is_none());
        values.extend(spread.map(|&context| NewValue {
            context,
            context_parameter: None,
            value: of_all,
        }));
        values.extend(value.map(|value| NewValue {
            context: ours,
            context_parameter: branch,
            value,
        }));
        let new = NewVariable {
            key,
            values,
            scopes: narrowed(&now),
            is_secret: None,
        };
        match (
            self.client.replace(self.session, self.place, &new).await,
            value,
        ) {
            (Ok(variable), Some(value)) => self.confirm(&Item { key, value, action }, &variable),
            (Ok(_), None) => self.done(key, action, Ok(None)),
            (Err(ProviderError::NotFound), _) => self.stop(ProviderError::Conflict),
            (Err(error), _) => self.failed(key, action, error),
        }
    }
}

/// The scopes to keep, where the variable does not have them all: naming them needs a plan that pays,
/// which whoever narrowed them has. The API answers them with an underscore and takes them with a dash.
fn narrowed(variable: &Variable) -> Option<Vec<&str>> {
    let scopes = &variable.scopes;
    (!scopes.is_empty() && scopes.len() < SCOPES).then(|| {
        let word = |scope: &'_ String| match scope.as_str() {
            "post_processing" => "post-processing",
            _ => "",
        };
        scopes
            .iter()
            .map(|scope| match word(scope) {
                "" => scope.as_str(),
                known => known,
            })
            .collect()
    })
}
