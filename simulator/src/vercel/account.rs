//! Users, teams, projects and OAuth.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::env::{Reply, error};
use super::model::{Token, environment};
use super::presets::{BEGINNING, CLIENT_ID, CLIENT_SECRET, USER};
use super::state::State;

pub(super) fn user(state: &State, token: &Token) -> Reply {
    let name = state.users.get(&token.user);
    (
        200,
        json!({ "user": {
            "id": token.user, "username": name, "name": name, "avatar": Value::Null,
            "email": format!("{}@example.com", name.map_or("nobody", String::as_str)),
            "defaultTeamId": Value::Null, "limited": true,
        }}),
    )
}

pub(super) fn teams(state: &State) -> Reply {
    let teams: Vec<Value> = state
        .teams
        .iter()
        .map(|(id, name)| {
            let mut team = team_fields(id, name);
            team["limited"] = json!(true);
            team["limitedBy"] = json!([]);
            team
        })
        .collect();
    let count = teams.len();
    (
        200,
        json!({ "teams": teams, "pagination": { "count": count, "next": Value::Null, "prev": Value::Null } }),
    )
}

pub(super) fn team(state: &State, id: &str) -> Reply {
    match state.teams.get(id) {
        Some(name) => {
            let mut team = team_fields(id, name);
            team["billing"] = Value::Null;
            team["creatorId"] = json!(USER);
            team["description"] = Value::Null;
            team["stagingPrefix"] = json!(name.to_lowercase());
            team["updatedAt"] = json!(BEGINNING);
            (200, team)
        }
        None => error(404, "not_found", "Team not found"),
    }
}

/// What everybody sees of a team.
fn team_fields(id: &str, name: &str) -> Value {
    json!({ "id": id, "slug": name.to_lowercase(), "name": name, "avatar": Value::Null,
        "createdAt": BEGINNING })
}

/// Pages of projects; the cursor is opaque to callers.
pub(super) fn projects(state: &State, owner: &str, query: &BTreeMap<String, String>) -> Reply {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(20).clamp(1, 100);
    let from = number("from").unwrap_or_default();
    let mine: Vec<_> = state.projects.iter().filter(|p| p.owner == owner).collect();
    let page: Vec<Value> = mine
        .iter()
        .skip(from)
        .take(limit)
        .map(|project| project.document())
        .collect();
    let next = (from + limit < mine.len()).then_some(from + limit);
    (
        200,
        json!({ "projects": page, "pagination": { "count": page.len(), "next": next, "prev": Value::Null } }),
    )
}

pub(super) fn custom_environments(custom: &[(String, String)]) -> Reply {
    let environments: Vec<Value> = custom.iter().map(environment).collect();
    (
        200,
        json!({ "accountLimit": { "total": 12 }, "environments": environments }),
    )
}

/// Exchanges a code, once.
pub(super) fn exchange(state: &mut State, form: &BTreeMap<String, String>) -> Reply {
    let is = |name: &str, value: &str| form.get(name).is_some_and(|given| given == value);
    if !is("client_id", CLIENT_ID) || !is("client_secret", CLIENT_SECRET) {
        return error(404, "not_found", "The client was not found");
    }
    let code = form.get("code").and_then(|code| state.codes.remove(code));
    let Some((installation, team)) = code else {
        return (
            400,
            json!({ "error": "invalid_grant", "error_description": "The code is not valid" }),
        );
    };
    let access_token = state.issue(&installation, team.clone());
    (
        200,
        json!({ "token_type": "Bearer", "access_token": access_token,
            "installation_id": installation, "user_id": USER, "team_id": team }),
    )
}

/// Removes an installation, and with it its tokens and what they wrote.
pub(super) fn uninstall(state: &mut State, token: &Token, id: &str) -> Reply {
    if token.installation.as_deref() != Some(id) {
        return error(404, "not_found", "The configuration was not found");
    }
    state.uninstall(id);
    (204, Value::Null)
}
