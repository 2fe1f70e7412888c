//! The rows, held against what the replays do, against the OpenAPI document, and against the page that
//! shows them.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::callers::Who::{self, Browser, Cli, Dashboard, Mcp, Nobody};
use super::rows::ROWS;
use super::rows::Row::{self, Missing, Served};
use super::{account, bulk, connections, dashboard, login, refusals, sync};

const BEGIN: &str = "<!-- calls: begin (written by `KEYWAY_UPDATE=1 cargo nextest run -p keyway-tests --test e2e clients::table`) -->\n";
const END: &str = "<!-- calls: end -->\n";

fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().flat_map(|(_, rows)| *rows)
}

/// The calls that are not served.
pub(super) fn missing() -> impl Iterator<Item = &'static str> {
    rows().filter_map(|row| match row {
        Served(..) => None,
        Missing(call, _) => Some(*call),
    })
}

/// The call of the table that a request is.
pub(super) fn call(method: &str, path: &str) -> &'static str {
    let path = path.split('?').next().unwrap_or_default();
    let given: Vec<_> = path.split('/').collect();
    let fits = |call: &str| {
        let (verb, template) = call.split_once(' ').unwrap_or_default();
        let parts: Vec<_> = template.split('/').collect();
        verb == method
            && parts.len() == given.len()
            && parts
                .iter()
                .zip(&given)
                .all(|(part, given)| part.starts_with('{') || part == given)
    };
    // A literal path before one with a place in it.
    let mut found: Vec<_> = rows()
        .filter_map(|row| match row {
            Served(call, _) if fits(call) => Some(*call),
            _ => None,
        })
        .collect();
    found.sort_by_key(|call| call.matches('{').count());
    let first = found.first();
    first.unwrap_or_else(|| panic!("{method} {path} is not in the table"))
}

/// The calls that a test is to make.
pub(super) fn covered_by(test: &str) -> BTreeSet<(Who, &'static str)> {
    let mut calls = BTreeSet::new();
    for row in rows() {
        if let Served(call, tests) = row {
            let ours = tests.iter().filter(|(_, name)| *name == test);
            calls.extend(ours.map(|(who, _)| (*who, *call)));
        }
    }
    calls
}

fn text() -> String {
    let name = |who: Who| match who {
        Cli => "command line",
        Dashboard => "dashboard",
        Mcp => "MCP",
        Browser => "browser",
        Nobody => "nobody",
    };
    let mut text = String::new();
    for (title, rows) in ROWS {
        let _ = writeln!(
            text,
            "**{title}**\n\n| call | by | test, or why not |\n| --- | --- | --- |"
        );
        for row in *rows {
            let _ = match row {
                Served(call, tests) => {
                    let who: BTreeSet<_> = tests.iter().map(|(who, _)| *who).collect();
                    let who: Vec<_> = who.into_iter().map(name).collect();
                    let tests: BTreeSet<_> = tests.iter().map(|(_, test)| *test).collect();
                    let tests: Vec<_> = tests.iter().map(|test| format!("`{test}`")).collect();
                    writeln!(
                        text,
                        "| `{call}` | {} | {} |",
                        who.join(", "),
                        tests.join(", ")
                    )
                }
                Missing(call, why) => writeln!(text, "| `{call}` | | not served: {why} |"),
            };
        }
        text.push('\n');
    }
    text
}

#[test]
fn every_row_has_a_replay_and_every_replay_a_row() {
    let known: BTreeSet<&str> = [
        account::TESTS,
        bulk::TESTS,
        connections::TESTS,
        dashboard::TESTS,
        login::TESTS,
        refusals::TESTS,
        sync::TESTS,
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect();
    let mut named = BTreeSet::new();
    for row in rows() {
        if let Served(call, tests) = row {
            assert!(!tests.is_empty(), "{call} has no replay");
            named.extend(tests.iter().map(|(_, test)| *test));
        }
    }
    assert_eq!(named, known);
}

#[test]
fn what_is_served_is_documented_and_what_is_not_is_not() {
    let document = serde_json::to_value(keyway_api::openapi()).unwrap();
    let served = |call: &str| {
        let (method, path) = call.split_once(' ').unwrap();
        let item = &document["paths"][path];
        item.get(method.to_lowercase()).is_some()
    };
    for row in rows() {
        match row {
            Served(call, _) => assert!(served(call), "{call}"),
            Missing(call, _) => assert!(!served(call), "{call}"),
        }
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "whether to write is told by who runs the tests"
)]
fn the_page_shows_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/clients.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the begin marker");
    let (_, after) = rest.split_once(END).expect("the end marker");
    let fresh = format!("{before}{BEGIN}\n{}{END}{after}", text());
    if std::env::var("KEYWAY_UPDATE").is_ok_and(|value| value == "1") {
        std::fs::write(path, &fresh).unwrap();
    } else {
        assert!(
            page == fresh,
            "docs/clients.md is out of date: run the tests once with KEYWAY_UPDATE=1"
        );
    }
}
