//! The calls that a provider saw, by kind.

use keyway_simulator::RequestRecord;

/// The kinds of calls, in the order of their first, and how many there were of each.
pub(in crate::commands::demo) fn kinds(requests: &[RequestRecord]) -> Vec<(String, usize)> {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for request in requests {
        let kind = kind(request);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    kinds
}

/// What a call is named by: its operations where one address is for everything, else its method and path
/// with `*` for whatever a path names.
fn kind(request: &RequestRecord) -> String {
    if !request.operations.is_empty() {
        return request.operations.join(" + ");
    }
    let path: Vec<&str> = request
        .path
        .split('/')
        .map(|part| if is_word(part) { part } else { "*" })
        .collect();
    format!("{} {}", request.method, path.join("/"))
}

/// Whether it is a part of the API itself, as `v1` and `env` are.
fn is_word(part: &str) -> bool {
    let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
    (letters == "v" || letters.len() == part.len())
        && letters.chars().all(|c| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_names_is_no_word() {
        for part in ["", "v1", "v10", "accounts", "env"] {
            assert!(is_word(part), "{part}");
        }
        for part in ["prj_myapp", "my-app", "API_URL", "5b0000000000000000000001"] {
            assert!(!is_word(part), "{part}");
        }
    }
}
