//! The rules for names that come in requests. One rule for each kind of name, everywhere.

/// Longest value of a secret, in bytes.
pub const MAX_VALUE_BYTES: usize = 65_536;
/// Most secrets in one environment of a vault; Vercel takes no more in one of its environments.
pub const MAX_SECRETS: usize = 1_000;

/// What a secret's name must look like; also applied to names that a pull finds at a provider.
pub const SECRET_NAME_RULE: &str =
    "must start with a letter or _ and hold only letters, digits and _, at most 256 characters";
/// What an environment's name must look like.
pub const ENVIRONMENT_NAME_RULE: &str =
    "must start with a letter and hold only a-z, 0-9, _ and -, 2 to 30 characters";
/// What a repository's name must look like.
pub const REPO_NAME_RULE: &str =
    "must be owner/repo, each of letters, digits, '.', '_' and '-', at most 100 characters";
/// What a user's name must look like.
pub const USERNAME_RULE: &str = "must start with a letter or digit and hold only letters, digits, '.', '_' and '-', at most 64 characters";
/// What a provider's project, environment, service or branch must look like.
pub const PROVIDER_REF_RULE: &str = "must be 1 to 250 visible characters";

/// `^[A-Za-z_][A-Za-z0-9_]{0,255}$`
pub fn is_secret_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 256
        && bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `^[a-z][a-z0-9_-]{1,29}$`
pub fn is_environment_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    (2..=30).contains(&name.len())
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
}

/// One half of `owner/repo`. `.` and `..` are refused: they would change a path's meaning.
pub fn is_repo_part(part: &str) -> bool {
    (1..=100).contains(&part.len())
        && part != "."
        && part != ".."
        && part
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Splits `owner/repo`; `None` when it is not one.
pub fn split_repo(full_name: &str) -> Option<(&str, &str)> {
    let (owner, repo) = full_name.split_once('/')?;
    (is_repo_part(owner) && is_repo_part(repo)).then_some((owner, repo))
}

/// A login name.
pub fn is_username(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 64
        && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// An id or name that will be sent to a provider: checked here and percent-encoded as one path
/// segment there, so that it cannot name another resource.
pub fn is_provider_ref(text: &str) -> bool {
    (1..=250).contains(&text.len())
        && text != "."
        && text != ".."
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// A name that somebody else chose, as it may be shown: cut, and without what would change how the
/// text around it is shown. `None` when nothing is left.
pub fn shown_name(text: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let shows = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let shown: String = text.chars().filter(shows).take(LONGEST).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_shown_without_what_moves_the_rest() {
        assert_eq!(
            shown_name("My App é 日本"),
            Some("My App é 日本".to_owned())
        );
        let hostile = "\u{1b}[31mev\r\nERROR il\u{202e}\u{200b}\u{0}";
        assert_eq!(shown_name(hostile), Some("[31mevERROR il".to_owned()));
        for empty in ["", " ", "\n", "\u{202e}\u{feff}"] {
            assert_eq!(shown_name(empty), None);
        }
        assert_eq!(
            shown_name(&"é".repeat(300)).map(|name| name.chars().count()),
            Some(200)
        );
    }

    #[test]
    fn names_at_the_edges_of_their_rules() {
        assert!(is_secret_name("_"));
        assert!(is_secret_name(&"A".repeat(256)));
        assert!(!is_secret_name(&"A".repeat(257)));
        assert!(!is_secret_name("1A") && !is_secret_name("") && !is_secret_name("A-B"));
        assert!(is_environment_name("qa") && !is_environment_name("q"));
        assert!(!is_environment_name("Production") && !is_environment_name("-prod"));
        assert_eq!(split_repo("acme/app"), Some(("acme", "app")));
        assert_eq!(split_repo("acme/.."), None);
        assert_eq!(split_repo("acme/app/x"), None);
        assert!(is_provider_ref("feat/x") && !is_provider_ref("..") && !is_provider_ref("a b"));
    }
}
