//! Tells a webhook of an event, as <https://www.standardwebhooks.com> has it: at least once, in no
//! promised order, under an id that stays the same over all attempts.

use keyway_shared::crypto::webhooks::sign;
use keyway_shared::domain::job::ErrorCode;
use keyway_shared::domain::webhook::Attempt;
use keyway_shared::guarded::{Answered, CallError};
use keyway_shared::providers::retry_after::{RetryHints, retry_at};

use super::Run;
use super::finished::{Answer, Finished};
use super::refusal::gone;
use crate::engine::{Failure, Undelivered};

impl Run<'_> {
    pub(super) async fn deliver(&self) -> Result<Finished, Failure> {
        let Ok(_room) = self.engine.deliveries.try_acquire() else {
            return Err(Failure::Busy);
        };
        let mut tx = self.engine.store().begin_read().await?;
        let outgoing = tx.outgoing(self.job.id).await?;
        tx.commit().await?;
        // It is told of what may have been committed a moment ago.
        self.engine.store().settle_on_disk().await?;
        let outgoing = outgoing
            .filter(|outgoing| !outgoing.is_disabled)
            .ok_or_else(|| gone("The webhook is disabled or gone."))?;
        let id = format!("msg_{}", self.job.id.simple());
        let timestamp = self.engine.context.ambient.now().timestamp();
        let headers = [
            (
                "webhook-signature",
                sign(&outgoing.secrets, &id, timestamp, &outgoing.body),
            ),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-id", id),
        ];
        let answer = match self.engine.outward() {
            Ok(client) => client.post(&outgoing.url, &headers, outgoing.body).await,
            Err(error) => {
                tracing::error!(%error, "webhooks cannot be called");
                Err(error)
            }
        };
        let attempt = Attempt {
            status: answer.as_ref().ok().map(|answered| answered.status),
        };
        self.learn(|learnt| learnt.attempt = Some(attempt));
        metrics::counter!("keyway_webhook_attempts_total", "outcome" => word(&answer)).increment(1);
        if attempt.is_delivered() {
            return Ok(Finished::view(Answer::Nothing));
        }
        Err(Failure::Undelivered(self.undelivered(&answer)))
    }

    fn undelivered(&self, answer: &Result<Answered, CallError>) -> Undelivered {
        let (code, message, may_pass) = match answer {
            Ok(Answered { status: 410, .. }) => (
                ErrorCode::Undelivered,
                "It was answered with 410: there is nobody any more.".to_owned(),
                false,
            ),
            Ok(Answered { status, .. }) => (
                ErrorCode::Undelivered,
                format!("It was answered with {status}, again and again."),
                true,
            ),
            Err(CallError::Refused) => (
                ErrorCode::TargetRefused,
                "The address leads to a network that is not public.".to_owned(),
                false,
            ),
            Err(CallError::NoAnswer | CallError::Setup) => (
                ErrorCode::Unavailable,
                "There was no answer, again and again.".to_owned(),
                true,
            ),
        };
        let hints = RetryHints {
            retry_after: answer
                .as_ref()
                .ok()
                .and_then(|answered| answered.retry_after.as_deref()),
            ..RetryHints::default()
        };
        let now = self.engine.context.ambient.now();
        let asked = retry_at(&hints, now).map(|at| (at - now).to_std().unwrap_or_default());
        Undelivered {
            code,
            message,
            may_pass,
            asked: asked.unwrap_or_default(),
        }
    }
}

fn word(answer: &Result<Answered, CallError>) -> &'static str {
    match answer {
        Ok(Answered {
            status: 200..300, ..
        }) => "delivered",
        Ok(_) => "answered",
        Err(CallError::Refused) => "refused",
        Err(CallError::NoAnswer | CallError::Setup) => "no_answer",
    }
}
