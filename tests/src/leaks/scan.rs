//! Finding texts in whatever form they take.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Letters of what is around a leak.
const AROUND: usize = 120;

/// One planted text, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// What was planted.
    pub planted: String,
    /// Where it is.
    pub place: String,
    /// What is around it.
    pub around: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is in {}: {:?}",
            self.planted, self.place, self.around
        )
    }
}

/// Each planted text that is in a place, once for each.
///
/// # Panics
/// When there are more texts than can be looked for at once.
pub fn find(planted: &BTreeSet<String>, places: &[(String, String)]) -> Vec<Leak> {
    let mut forms = Vec::new();
    let mut owners = Vec::new();
    for text in planted {
        for form in forms_of(text) {
            forms.push(form);
            owners.push(text);
        }
    }
    let searcher = AhoCorasick::new(&forms).expect("few texts");
    let mut leaks = Vec::new();
    for (place, text) in places {
        let mut seen = BTreeSet::new();
        for found in searcher.find_overlapping_iter(text) {
            let planted = owners[found.pattern().as_usize()];
            if !seen.insert(planted) {
                continue;
            }
            let begin = text.floor_char_boundary(found.start().saturating_sub(AROUND));
            let end = text.ceil_char_boundary(found.end() + AROUND);
            leaks.push(Leak {
                planted: planted.clone(),
                place: place.clone(),
                around: text[begin..end].to_owned(),
            });
        }
    }
    leaks
}

/// As it is, as a part of JSON or of a debug text, of a URL, as hexadecimal digits, and as base64 that
/// it begins.
fn forms_of(text: &str) -> BTreeSet<String> {
    let json = serde_json::Value::from(text).to_string();
    let debug = format!("{text:?}");
    let url = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    let hex = text.bytes().fold(String::new(), |mut hex, byte| {
        // Writing to a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    // The last letters of base64 depend on what comes next.
    let whole = &text.as_bytes()[..text.len() / 3 * 3];
    BTreeSet::from([
        text.to_owned(),
        json[1..json.len() - 1].to_owned(),
        debug[1..debug.len() - 1].to_owned(),
        url.to_string(),
        hex.to_uppercase(),
        hex,
        STANDARD_NO_PAD.encode(whole),
        URL_SAFE_NO_PAD.encode(whole),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_each_of_its_forms() {
        let planted = "p\"ss/wörd+1\n".to_owned();
        for hidden in [
            planted.clone(),
            format!("{planted:?}"),
            serde_json::json!({ "a": [planted] }).to_string(),
            "x=p%22ss%2Fw%C3%B6rd%2B1%0A&y".to_owned(),
            "702273732f77c3b672642b310a".to_owned(),
            "702273732F77C3B672642B310A".to_owned(),
            STANDARD_NO_PAD.encode(planted.as_bytes()),
            URL_SAFE_NO_PAD.encode(format!("{planted} and more")),
        ] {
            let places = [
                ("here".to_owned(), format!("before {hidden} after")),
                ("there".to_owned(), "nothing".to_owned()),
            ];
            let leaks = find(&BTreeSet::from([planted.clone()]), &places);
            assert_eq!(leaks.len(), 1, "{hidden}");
            assert_eq!(
                (&leaks[0].planted, leaks[0].place.as_str()),
                (&planted, "here")
            );
            assert!(leaks[0].around.contains(&hidden));
        }
        let places = [("here".to_owned(), "p\"ss/word+1".to_owned())];
        assert_eq!(find(&BTreeSet::from([planted]), &places), []);
    }

    #[test]
    fn each_planted_text_is_told_once_for_each_place() {
        let planted = BTreeSet::from(["canary-one".to_owned(), "canary-one-two".to_owned()]);
        let places = [("here".to_owned(), "canary-one-two canary-one".to_owned())];
        let leaks = find(&planted, &places);
        let found: Vec<_> = leaks.iter().map(|leak| leak.planted.as_str()).collect();
        assert_eq!(found, ["canary-one", "canary-one-two"]);
    }
}
