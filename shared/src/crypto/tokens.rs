//! API keys and other random tokens.

use sha2::{Digest, Sha256};

use crate::ambient::Ambient;
use crate::domain::account::KeyEnvironment;
use crate::secret::Secret;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Random characters of an API key: 238 bits.
const API_KEY_CHARS: usize = 40;
/// How many of them are shown in lists.
const SHOWN_CHARS: usize = 8;
/// Letters of a code that somebody types: no vowels, so that it is no word, and nothing that looks
/// like a digit.
const TYPED: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// 43 bits, for a quarter of an hour.
const TYPED_CHARS: usize = 10;
/// What the token of a session begins with.
const SESSION_START: &str = "kws_";
/// 256 bits.
const TOKEN_CHARS: usize = 43;

/// A new API key, shown once.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// `kw_live_…` or `kw_test_…`.
    pub token: Secret,
    /// Its visible beginning.
    pub prefix: String,
    /// What is stored of it.
    pub hash: [u8; 32],
}

/// Makes an API key.
pub fn new_api_key(ambient: &Ambient, environment: KeyEnvironment) -> NewApiKey {
    let random = base62(ambient, API_KEY_CHARS);
    let start = format!("kw_{}_", environment.as_str());
    let token = Secret::new(format!("{start}{}", random.expose()));
    NewApiKey {
        prefix: token.expose()[..start.len() + SHOWN_CHARS].to_owned(),
        hash: hash_token(token.expose()),
        token,
    }
}

/// Whether a text can be an API key at all. What cannot is refused without a look into storage.
pub fn is_api_key_format(text: &str) -> bool {
    KeyEnvironment::ALL.iter().any(|environment| {
        text.strip_prefix("kw_")
            .and_then(|rest| rest.strip_prefix(environment.as_str()))
            .and_then(|rest| rest.strip_prefix('_'))
            .is_some_and(|random| {
                random.len() == API_KEY_CHARS && random.bytes().all(|b| BASE62.contains(&b))
            })
    })
}

/// A new session's token.
pub fn new_session_token(ambient: &Ambient) -> Secret {
    let random = random_token(ambient);
    Secret::new(format!("{SESSION_START}{}", random.expose()))
}

/// Whether a text can be a session's token at all.
pub fn is_session_format(text: &str) -> bool {
    text.strip_prefix(SESSION_START).is_some_and(|random| {
        random.len() == TOKEN_CHARS && random.bytes().all(|b| BASE62.contains(&b))
    })
}

/// SHA-256. Enough for tokens that are random throughout: there is nothing to guess.
pub fn hash_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A token of 256 bits, for states, cookies and tickets.
pub fn random_token(ambient: &Ambient) -> Secret {
    base62(ambient, TOKEN_CHARS)
}

/// A code that somebody types, as `XXXXX-XXXXX`.
pub fn new_user_code(ambient: &Ambient) -> String {
    // The largest multiple of 20 in a byte is 240.
    let mut code = String::with_capacity(TYPED_CHARS + 1);
    while code.len() <= TYPED_CHARS {
        for byte in ambient.random::<16>() {
            if byte < 240 && code.len() <= TYPED_CHARS {
                if code.len() == TYPED_CHARS / 2 {
                    code.push('-');
                }
                code.push(char::from(TYPED[usize::from(byte) % TYPED.len()]));
            }
        }
    }
    code
}

/// The code that somebody meant by what they typed; `None` when it cannot be one.
pub fn typed_user_code(text: &str) -> Option<String> {
    let letters: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let fits = letters.len() == TYPED_CHARS && letters.bytes().all(|byte| TYPED.contains(&byte));
    fits.then(|| {
        let (first, second) = letters.split_at(TYPED_CHARS / 2);
        format!("{first}-{second}")
    })
}

/// Random characters, each as likely as the other: bytes beyond the largest multiple of 62 are
/// thrown away.
fn base62(ambient: &Ambient, chars: usize) -> Secret {
    const FAIR: u8 = u8::MAX - (u8::MAX % 62) - 1;
    let mut text = String::with_capacity(chars);
    while text.len() < chars {
        let bytes = zeroize::Zeroizing::new(ambient.random::<64>());
        let missing = chars - text.len();
        text.extend(
            bytes
                .iter()
                .filter(|byte| **byte <= FAIR)
                .take(missing)
                .map(|byte| char::from(BASE62[usize::from(byte % 62)])),
        );
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_the_format_and_its_own_hash() {
        let ambient = Ambient::system();
        for environment in KeyEnvironment::ALL {
            let key = new_api_key(&ambient, *environment);
            let token = key.token.expose();
            assert!(is_api_key_format(token));
            assert_eq!(token.len(), 48);
            assert_eq!(key.prefix.len(), 16);
            assert!(token.starts_with(&key.prefix));
            assert_eq!(key.hash, hash_token(token));
        }
        assert_eq!(random_token(&ambient).len(), 43);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let random = "a".repeat(40);
        assert!(is_api_key_format(&format!("kw_live_{random}")));
        for text in [
            String::new(),
            format!("kw_live_{random}a"),
            format!("kw_prod_{random}"),
            format!("KW_live_{random}"),
            format!("kw_live{random}_"),
            format!("kw_live_{}-", "a".repeat(39)),
            format!("kw_live_{}é", "a".repeat(38)),
        ] {
            assert!(!is_api_key_format(&text), "{text}");
        }
    }

    #[test]
    fn a_session_is_no_api_key() {
        let token = new_session_token(&Ambient::system());
        assert!(is_session_format(token.expose()));
        assert!(!is_api_key_format(token.expose()));
        for text in ["kws_", "kws_short", &format!("{}x", token.expose())] {
            assert!(!is_session_format(text), "{text}");
        }
    }

    #[test]
    fn a_code_can_be_typed_as_people_type() {
        let code = new_user_code(&Ambient::system());
        assert_eq!(code.len(), 11);
        assert_eq!(typed_user_code(&code).as_ref(), Some(&code));
        let sloppy = format!(" {} ", code.replace('-', " ").to_lowercase());
        assert_eq!(typed_user_code(&sloppy), Some(code));
        for bad in [
            "",
            "BCDFG-BCDF",
            "BCDFG-BCDFGH",
            "ABCDF-BCDFG",
            "BCDFG-BCDF1",
        ] {
            assert_eq!(typed_user_code(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_character_is_as_likely_as_another() {
        let ambient = Ambient::system();
        let mut counts = [0_u32; 62];
        let text = base62(&ambient, 62_000);
        for byte in text.expose().bytes() {
            let index = BASE62.iter().position(|c| *c == byte).unwrap();
            counts[index] += 1;
        }
        // Eight standard deviations around 1000; a bias of modulo 62 would be 25 %.
        assert!(counts.iter().all(|count| (750..1250).contains(count)));
    }
}
