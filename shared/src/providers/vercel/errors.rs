//! What Vercel's refusals mean. By status and by code, never by passing on what it says: messages
//! echo values. Codes come in either case and are compared in lower case.

use super::codes::{self, Class, UNRECOGNISED, reduce};
use super::wire::{Env, ErrorBody, ErrorDetail, Failed, Limit};
use crate::domain::job::ErrorCode;
use crate::providers::http::Classified;
use crate::providers::message::Answer;
use crate::providers::{ChangeFailure, ProviderError};

/// What a refusal is about, as far as the executor must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The whole call: going on would meet it again.
    Call,
    /// The batch is too large.
    TooLarge,
    /// Some variable of the batch, for good.
    Variable,
    /// The same, and another type might do.
    MaybeType,
}

/// A call that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: ProviderError,
    pub refusal: Refusal,
    /// A sentence of ours.
    pub sentence: String,
    /// What the refusal bears besides.
    pub beside: Box<Beside>,
}

/// The details of a refusal.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// What was done all the same.
    pub created: Vec<Env>,
    /// What was refused, one by one.
    pub failed: Vec<Failed>,
    /// The variable that it names.
    pub key: Option<String>,
    /// How many calls there may be.
    pub total: Option<u32>,
}

impl Failure {
    fn new(error: ProviderError, refusal: Refusal, sentence: impl Into<String>) -> Self {
        Self {
            error,
            refusal,
            sentence: sentence.into(),
            beside: Box::default(),
        }
    }

    /// What to tell of a change that ended so.
    pub(super) fn of_change(&self) -> ChangeFailure {
        ChangeFailure {
            code: self.error.code(),
            message: self.sentence.clone(),
        }
    }

    /// Whether it is certain that a write did nothing.
    pub(super) fn nothing_happened(&self) -> bool {
        !matches!(
            self.error,
            ProviderError::OutcomeUnknown | ProviderError::Protocol | ProviderError::Timeout
        )
    }

    /// Whether the refusal says of each variable what became of it.
    pub(super) fn is_an_outcome(&self) -> bool {
        let about_variables =
            self.refusal != Refusal::Call || self.error == ProviderError::Forbidden;
        about_variables && !self.beside.failed.is_empty()
    }

    /// Whether Vercel said that a value cannot be read by anybody.
    pub(super) fn is_not_decryptable(&self) -> bool {
        matches!(&self.error, ProviderError::Invalid { code, .. } if code == "not_decryptable")
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let sentence = error.to_string();
        Self::new(error, Refusal::Call, sentence)
    }
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Classified for Failure {
    fn class(&self) -> &ProviderError {
        &self.error
    }

    fn told_total(&self) -> Option<u32> {
        self.beside.total
    }
}

const SAML: &str = "The team asks for a fresh single sign-on; sign in at Vercel and connect again.";
const UNPAID: &str = "Vercel has blocked the account; its billing page says why.";
const REFUSED: &str = "Vercel refused this variable.";

/// What a call that Vercel did not accept means.
pub(super) fn refusal(answer: &Answer) -> Failure {
    let mut body: ErrorBody = serde_json::from_slice(&answer.body).unwrap_or_default();
    let limit = body.limit.pop();
    let detail = body
        .error
        .pop()
        .or_else(|| body.err.pop())
        .unwrap_or(ErrorDetail {
            code: body.code,
            message: body.message,
            ..ErrorDetail::default()
        });
    let limit = detail.limit.first().cloned().or(limit).unwrap_or_default();
    let mut failure = judge(answer, &detail, &limit);
    *failure.beside = Beside {
        created: body.created,
        failed: body.failed,
        key: detail.env_var_key.or(detail.key),
        total: limit.total.map(|total| total as u32),
    };
    failure
}

fn judge(answer: &Answer, detail: &ErrorDetail, limit: &Limit) -> Failure {
    let known = known(detail);
    let limited = || ProviderError::RateLimited {
        until: answer.retry_at(limit.reset, limit.reset_ms),
    };
    match answer.status {
        401 => ProviderError::Unauthorized.into(),
        402 => invalid(Some("payment_required"), UNPAID, Refusal::Call),
        429 => limited().into(),
        // A gateway's 502 to 504, and a 500 after the fact, may follow a write that took effect,
        // and nothing in the answer tells. Listing again costs a call; being wrong costs a secret.
        408 | 500.. if answer.writes => ProviderError::OutcomeUnknown.into(),
        408 => ProviderError::Timeout.into(),
        503 if answer.has_retry_after() => limited().into(),
        500.. => ProviderError::Unavailable.into(),
        400..500 => refused(answer.status, detail, known, limited),
        _ => ProviderError::Protocol.into(),
    }
}

fn refused(
    status: u16,
    detail: &ErrorDetail,
    known: Option<(Class, &'static str)>,
    limited: impl FnOnce() -> ProviderError,
) -> Failure {
    let code = detail.code.as_deref();
    if detail.invalid_token == Some(true) {
        return ProviderError::Unauthorized.into();
    }
    if detail.saml == Some(true) {
        return invalid(Some("saml"), SAML, Refusal::Call);
    }
    if in_progress(detail) {
        return ProviderError::Conflict.into();
    }
    if status == 413 || says(detail, "too large") {
        return invalid(
            Some(code.unwrap_or("too_large")),
            "Vercel takes less at once.",
            Refusal::TooLarge,
        );
    }
    match (known, status) {
        (Some((Class::Conflict, sentence)), _) => {
            Failure::new(ProviderError::Conflict, Refusal::Variable, sentence)
        }
        (_, 409) => ProviderError::Conflict.into(),
        (Some((Class::TooLarge, sentence)), _) => invalid(code, sentence, Refusal::TooLarge),
        (Some((Class::Person, sentence)), _) => invalid(code, sentence, Refusal::Call),
        (Some((Class::Limited, _)), _) => limited().into(),
        (Some((Class::Variable, sentence)), _) => invalid(code, sentence, Refusal::Variable),
        (Some((Class::Forbidden, _)), _) | (_, 403) => ProviderError::Forbidden.into(),
        (Some((Class::NotFound, _)), _) | (_, 404) => ProviderError::NotFound.into(),
        (Some((Class::MaybeType, sentence)), _) => invalid(code, sentence, Refusal::MaybeType),
        // What Vercel means by 410 is not described: not "gone for good", which would let a delete
        // pass for done.
        _ => invalid(code, REFUSED, Refusal::MaybeType),
    }
}

/// What one refused variable of a batch means, and whether another type might do.
pub(super) fn of_failed(detail: &ErrorDetail) -> (ChangeFailure, bool) {
    let (code, sentence, maybe_type) = match known(detail) {
        _ if in_progress(detail) => (ErrorCode::Conflict, "Another change was in the way.", false),
        Some((Class::Conflict, sentence)) => (ErrorCode::Conflict, sentence, false),
        Some((Class::Forbidden | Class::Person, sentence)) => {
            (ErrorCode::Forbidden, sentence, false)
        }
        Some((Class::Limited, sentence)) => (ErrorCode::RateLimited, sentence, false),
        Some((Class::Server, sentence)) => (ErrorCode::ProviderError, sentence, false),
        Some((Class::NotFound, sentence)) => (ErrorCode::NotFound, sentence, false),
        Some((Class::MaybeType, sentence)) => (ErrorCode::Rejected, sentence, true),
        Some((Class::Variable | Class::TooLarge, sentence)) => {
            (ErrorCode::Rejected, sentence, false)
        }
        None => (ErrorCode::Rejected, REFUSED, true),
    };
    let message = match reduce(detail.code.as_deref()) {
        Some(code) => format!("{sentence} ({code})"),
        None => sentence.to_owned(),
    };
    (ChangeFailure { code, message }, maybe_type)
}

fn invalid(code: Option<&str>, sentence: &str, refusal: Refusal) -> Failure {
    let code = reduce(code).unwrap_or_else(|| UNRECOGNISED.to_owned());
    let message = format!("{sentence} ({code})");
    Failure::new(
        ProviderError::Invalid {
            code,
            message: message.clone(),
            key: None,
        },
        refusal,
        message,
    )
}

fn known(detail: &ErrorDetail) -> Option<(Class, &'static str)> {
    codes::known(detail.code.as_deref()?)
}

/// Another write to the same project is under way. Its code is not described, so that the phrase
/// counts as well.
fn in_progress(detail: &ErrorDetail) -> bool {
    says(detail, "already in progress")
        || detail
            .code
            .as_deref()
            .is_some_and(|code| code.to_ascii_lowercase().contains("in_progress"))
}

fn says(detail: &ErrorDetail, phrase: &str) -> bool {
    detail
        .message
        .as_ref()
        .is_some_and(|message| message.expose().contains(phrase))
}
