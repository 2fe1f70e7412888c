//! The `.env` text of an environment.
//!
//! It is written for the parser of the existing command line client, which trims each line, strips
//! exactly one pair of equal quotes around the value, and unescapes nothing. So nothing is escaped:
//! every value without a line break comes back as it was. A line break cannot be carried to that
//! client in any form; other readers of `.env` files take it inside quotes.

use std::collections::BTreeMap;

use crate::secret::Secret;

/// The whole text, a line for each key, in order of the keys.
pub fn write(values: &BTreeMap<String, Secret>) -> Secret {
    // Room for `=`, two quotes and the end of the line: a text that grows leaves its beginnings behind.
    let room = values
        .iter()
        .map(|(key, value)| key.len() + value.len() + 4);
    let mut text = String::with_capacity(room.sum());
    for (key, value) in values {
        text.push_str(key);
        text.push('=');
        let value = value.expose();
        match quote_for(value) {
            None => text.push_str(value),
            Some(quote) => {
                text.push(quote);
                text.push_str(value);
                text.push(quote);
            }
        }
        text.push('\n');
    }
    Secret::new(text)
}

fn quote_for(value: &str) -> Option<char> {
    let is_quote = |c| c == '"' || c == '\'';
    let bare = !value.contains(|c: char| c.is_whitespace() || c == '#')
        && !value.starts_with(is_quote)
        && !value.ends_with(is_quote);
    if bare {
        None
    } else if value.contains('"') && !value.contains('\'') {
        Some('\'')
    } else {
        Some('"')
    }
}

/// Whether `pushed` is what that client makes of the first line of `stored`: the rest of a value of
/// several lines was lost on the way, and writing it back would destroy the value.
pub fn is_torn(stored: &str, pushed: &str) -> bool {
    let Some((first, _)) = stored.split_once('\n') else {
        return false;
    };
    let line = match quote_for(stored) {
        Some(quote) => format!("{quote}{first}"),
        None => first.to_owned(),
    };
    client_reads(&line) == pushed
}

/// What the client makes of the text after the `=` of one line.
pub(crate) fn client_reads(text: &str) -> &str {
    let text = text.trim();
    ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: &str) -> String {
        let values = BTreeMap::from([("KEY".to_owned(), Secret::new(value))]);
        let text = write(&values);
        let (key, value) = text
            .expose()
            .trim_end_matches('\n')
            .split_once('=')
            .unwrap();
        assert_eq!(key, "KEY");
        client_reads(value).to_owned()
    }

    #[test]
    fn every_value_of_one_line_comes_back() {
        let parts = [
            "", " ", "\"", "'", "#", "=", "a", "\\", "\t", "é", "\u{a0}", "$x",
        ];
        for a in parts {
            for b in parts {
                for c in parts {
                    for d in parts {
                        let value = [a, b, c, d].concat();
                        assert_eq!(round_trip(&value), value);
                    }
                }
            }
        }
    }

    #[test]
    fn plain_values_stay_bare() {
        let values = BTreeMap::from([
            ("A".to_owned(), Secret::new("postgres://u:p@h/db?x=1")),
            ("B".to_owned(), Secret::new("two words")),
            ("C".to_owned(), Secret::new(r#"{"a": 1}"#)),
            ("D".to_owned(), Secret::new("")),
        ]);
        assert_eq!(
            write(&values).expose(),
            "A=postgres://u:p@h/db?x=1\nB=\"two words\"\nC='{\"a\": 1}'\nD=\n"
        );
    }

    #[test]
    fn a_torn_value_is_known() {
        let key = "-----BEGIN KEY-----\nabc=\n-----END KEY-----";
        assert!(is_torn(key, "\"-----BEGIN KEY-----"));
        assert!(!is_torn(key, key));
        assert!(!is_torn(key, "another value"));
        assert!(!is_torn("one line", "\"one line"));
        assert!(is_torn("{\n  \"a\": 1\n}", "'{"));
        assert!(is_torn("both ' and \"\nrest", "both ' and "));
    }
}
