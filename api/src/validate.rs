//! Rules that several requests share.

use chrono::TimeDelta;
use keyway_shared::domain::names::{
    ENVIRONMENT_NAME_RULE, MAX_VALUE_BYTES, REPO_NAME_RULE, SECRET_NAME_RULE, is_environment_name,
    is_secret_name, split_repo,
};
use keyway_shared::secret::Secret;

use crate::error::{ApiError, FieldError};

/// How long the trash keeps a secret.
pub(crate) const TRASH_KEEPS: TimeDelta = TimeDelta::days(30);

/// Collects every field that does not fit, so that the caller hears of all at once.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<FieldError>);

impl Checks {
    /// `message` is a half sentence that follows the field's name, without the value.
    pub(crate) fn that(&mut self, fits: bool, field: &str, message: impl Into<String>) {
        if !fits {
            self.0.push(FieldError::new(field, message));
        }
    }

    pub(crate) fn secret_name(&mut self, field: &str, name: &str) {
        self.that(is_secret_name(name), field, SECRET_NAME_RULE);
    }

    pub(crate) fn secret_value(&mut self, field: &str, value: &Secret) {
        self.that(
            value.len() <= MAX_VALUE_BYTES,
            field,
            format!("must be at most {MAX_VALUE_BYTES} bytes"),
        );
        self.that(
            !value.expose().contains('\0'),
            field,
            "must not hold a NUL character",
        );
    }

    pub(crate) fn environment_name(&mut self, field: &str, name: &str) {
        self.that(is_environment_name(name), field, ENVIRONMENT_NAME_RULE);
    }

    /// A text for people: something to see, on one line.
    pub(crate) fn label(&mut self, field: &str, text: &str, max: usize) {
        let fits = !text.trim().is_empty()
            && text.chars().count() <= max
            && !text.chars().any(char::is_control);
        self.that(
            fits,
            field,
            format!("must be 1 to {max} characters on one line"),
        );
    }

    /// 422 with all that was found, if anything was.
    pub(crate) fn done(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Validation(self.0))
        }
    }
}

/// Splits `owner/repo`, or 422 naming the field.
pub(crate) fn repo<'a>(field: &str, full_name: &'a str) -> Result<(&'a str, &'a str), ApiError> {
    split_repo(full_name).ok_or_else(|| ApiError::field(field, REPO_NAME_RULE))
}
