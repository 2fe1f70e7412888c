//! The codes that Vercel's own tools know, and our words for them. Codes come in either case.

/// What is meant by a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Conflict,
    TooLarge,
    Variable,
    MaybeType,
    NotFound,
    Forbidden,
    /// The call is refused until a person does something at Vercel.
    Person,
    Limited,
    Server,
}

/// The codes that Vercel's own tools know, and our words for them.
const CODES: &[(&str, Class, &str)] = &[
    ("env_conflict", Class::Conflict, CONFLICT),
    ("env_already_exists", Class::Conflict, CONFLICT),
    ("existing_key_and_target", Class::Conflict, CONFLICT),
    (
        "too_many_keys",
        Class::TooLarge,
        "Vercel takes no more variables in this environment.",
    ),
    (
        "too_many_ids",
        Class::TooLarge,
        "Vercel takes fewer variables at once.",
    ),
    (
        "max_envs_exceeded",
        Class::TooLarge,
        "Vercel takes no more variables in this environment.",
    ),
    (
        "env_too_many_keys",
        Class::TooLarge,
        "Vercel takes no more variables in this environment.",
    ),
    (
        "key_invalid_characters",
        Class::Variable,
        "Vercel does not take this name.",
    ),
    (
        "env_key_invalid_characters",
        Class::Variable,
        "Vercel does not take this name.",
    ),
    (
        "invalid_key",
        Class::Variable,
        "Vercel does not take this name.",
    ),
    (
        "key_invalid_length",
        Class::Variable,
        "Vercel does not take a name of this length.",
    ),
    (
        "env_key_invalid_length",
        Class::Variable,
        "Vercel does not take a name of this length.",
    ),
    (
        "key_reserved",
        Class::Variable,
        "Vercel reserves this name.",
    ),
    (
        "reserved_env_variable",
        Class::Variable,
        "Vercel reserves this name.",
    ),
    (
        "value_invalid_length",
        Class::Variable,
        "Vercel does not take a value of this length.",
    ),
    (
        "env_value_invalid_length",
        Class::Variable,
        "Vercel does not take a value of this length.",
    ),
    (
        "invalid_value",
        Class::Variable,
        "Vercel does not take this value.",
    ),
    (
        "system_env_with_value",
        Class::Variable,
        "The platform gives this variable its value.",
    ),
    (
        "missing_key",
        Class::Variable,
        "Vercel found the request incomplete.",
    ),
    (
        "missing_target",
        Class::Variable,
        "Vercel found the request incomplete.",
    ),
    (
        "missing_value",
        Class::Variable,
        "Vercel does not take an empty value here.",
    ),
    (
        "branch_not_found",
        Class::Variable,
        "The project's repository has no such branch.",
    ),
    (
        "value_invalid_type",
        Class::MaybeType,
        "Vercel does not take a value of this type.",
    ),
    (
        "bad_request",
        Class::MaybeType,
        "Vercel refused this variable.",
    ),
    (
        "not_decryptable",
        Class::Variable,
        "The value cannot be read.",
    ),
    ("not_found", Class::NotFound, "Vercel does not know it."),
    ("id_not_found", Class::NotFound, "Vercel does not know it."),
    (
        "team_not_found",
        Class::NotFound,
        "Vercel does not know the team.",
    ),
    (
        "forbidden",
        Class::Forbidden,
        "The connection may not change this variable.",
    ),
    (
        "not_authorized",
        Class::Forbidden,
        "The connection may not change this variable.",
    ),
    ("challenge_required", Class::Person, CHALLENGE),
    ("challenge_required_email_otp", Class::Person, CHALLENGE),
    ("user_auth_required", Class::Person, CHALLENGE),
    (
        "integration_configuration_disabled",
        Class::Person,
        "The integration is disabled at Vercel; enable it there, nothing is lost here.",
    ),
    ("rate_limited", Class::Limited, "Vercel limits requests."),
    (
        "internal_server_error",
        Class::Server,
        "Vercel failed on this variable.",
    ),
    (
        "unknown_error",
        Class::Server,
        "Vercel failed on this variable.",
    ),
];

const CONFLICT: &str =
    "Vercel has this key already in a variable that serves some of the same environments.";
const CHALLENGE: &str =
    "Vercel asks for a fresh sign-in before it shows this; connect with another token.";
/// What stands for a code that has unsafe characters, or for none.
pub(super) const UNRECOGNISED: &str = "unrecognised";

/// What a code means, when it is known.
pub(super) fn known(code: &str) -> Option<(Class, &'static str)> {
    CODES
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(code))
        .map(|(_, class, sentence)| (*class, *sentence))
}

/// A code in the characters that codes have. What has others is not a code and may be anything: a
/// value that the provider repeats, for one.
pub(super) fn reduce(code: Option<&str>) -> Option<String> {
    let code = code?.to_ascii_lowercase();
    let safe =
        (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    Some(if safe { code } else { UNRECOGNISED.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_in_either_case_and_reduced_to_safe_characters() {
        assert_eq!(known("Env_Conflict"), known("ENV_CONFLICT"));
        assert_eq!(
            known("ENV_CONFLICT").map(|(class, _)| class),
            Some(Class::Conflict)
        );
        assert_eq!(known("never-heard-of"), None);
        assert_eq!(reduce(Some("NEW_Code")).as_deref(), Some("new_code"));
        for odd in ["", "a b", "sk_live\n", "s3cret-value", "é", &"x".repeat(65)] {
            assert_eq!(reduce(Some(odd)).as_deref(), Some(UNRECOGNISED));
        }
        assert_eq!(reduce(None), None);
    }
}
