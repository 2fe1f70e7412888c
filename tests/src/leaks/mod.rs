//! Secrets, tokens and keys stay where they belong. What a test hands over or is given is known here,
//! and at the end of each app it is looked for in all that the app leaves behind: its log, its
//! metrics, its database, its names in Redis, and its answers, but for those that are there to show it.

mod log;
mod redis;
mod scan;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyway_simulator::{github, vercel};
use serde_json::Value;

pub use log::{Sink, log};
pub use scan::{Leak, find};

use crate::database::{Database, TEST_RING};

/// Shorter texts are in other texts by chance: `1`, `new`.
const SHORTEST: usize = 8;
/// Members of JSON whose texts are values, tokens or keys.
const MEMBERS: &[&str] = &[
    "accessToken",
    "apiKey",
    "password",
    "refreshToken",
    "secret",
    "secrets",
    "sessionToken",
    "token",
    "value",
];
/// How much of a text is looked for: a longer one would be found by its beginning.
const LONGEST: usize = 64;
/// Operations whose answers are where a value or a new token belongs.
const SHOW: &[&str] = &[
    "create_api_key",
    "create_webhook",
    "finish_sign_in",
    "get_secret_value",
    "get_secret_version_value",
    "poll_device_sign_in",
    "pull_secrets",
    "rotate_webhook_secret",
    "sign_in_with_key",
    "view_secret",
];

#[derive(Debug, Default)]
struct Known {
    planted: BTreeSet<String>,
    /// Operation and text of each answer.
    answers: Vec<(String, String)>,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

fn known() -> MutexGuard<'static, Option<Known>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to note what is logged, and plants what every app has.
pub(crate) fn begin() {
    log::begin();
    let (_, key) = TEST_RING.split_once(':').unwrap_or_default();
    for text in [
        key,
        vercel::TOKEN,
        vercel::CLIENT_SECRET,
        // How the tokens begin that the stand-in gives for a code.
        "vci_simulated",
        github::CLIENT_SECRET,
    ] {
        plant(text);
    }
}

/// Looks for a text from now on.
pub fn plant(text: &str) {
    let ordinary = text.len() < SHORTEST || ORDINARY.contains(&text);
    if !ordinary {
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let mut known = known();
        known
            .get_or_insert_default()
            .planted
            .insert(text.to_owned());
    }
}

/// What tests give as a value and what stands elsewhere all the same.
const ORDINARY: &[&str] = &[
    "production",
    "development",
    "postgres",
    "encrypted",
    "sensitive",
];

/// Looks for every text of a JSON document that is where values, tokens and keys are.
pub fn plant_members(json: &Value) {
    match json {
        Value::Object(members) => {
            for (name, member) in members {
                if MEMBERS.contains(&name.as_str()) {
                    plant_texts(member);
                } else {
                    plant_members(member);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(plant_members),
        _ => {}
    }
}

fn plant_texts(json: &Value) {
    match json {
        Value::String(text) => plant(text),
        Value::Array(items) => items.iter().for_each(plant_texts),
        Value::Object(members) => members.values().for_each(plant_texts),
        _ => {}
    }
}

/// Keeps an answer until the end.
pub(crate) fn note_answer(operation: &str, text: String) {
    if !SHOW.contains(&operation) {
        let mut known = known();
        let answers = &mut known.get_or_insert_default().answers;
        answers.push((operation.to_owned(), text));
    }
}

/// Everything planted that is found in what an app has left so far. What was looked at is not looked
/// at again.
pub async fn look(database: &Database, prefix: &str, metrics: String) -> Vec<Leak> {
    let (planted, answers) = {
        let mut known = known();
        let known = known.get_or_insert_default();
        (known.planted.clone(), std::mem::take(&mut known.answers))
    };
    let mut places = vec![
        ("the log".to_owned(), log::taken()),
        ("the metrics".to_owned(), metrics),
        ("the database".to_owned(), database.dump().await),
    ];
    if !prefix.is_empty() {
        places.push(("Redis".to_owned(), redis::dump(prefix).await));
    }
    for (operation, text) in answers {
        places.push((format!("an answer of {operation}"), text));
    }
    find(&planted, &places)
}
