//! Who the caller is, and apps.

use serde_json::{Value, json};

use super::call::Call;
use super::model::{App, Token};
use super::options::AppTokenList;
use super::reply::{Outcome, Reply, not_found, refusal};
use super::state::State;

pub(super) fn current_tokens(state: &State, tokens: &[Token]) -> Reply {
    let shown = tokens.iter().map(|token| {
        let grant = &token.grant;
        let mut organizations = state.organizations.iter();
        let organization = organizations.find(|found| found.slug == grant.organization);
        json!({
            "token_id": token.id, "organization": organization.map(|found| &found.name),
            "org_slug": grant.organization, "apps": grant.apps, "user": grant.user,
            "restricted_to_machine": Value::Null, "source_machine_id": Value::Null,
        })
    });
    Reply::json(200, json!({ "tokens": shown.collect::<Vec<_>>() }))
}

/// All apps of an organization: there are no pages. No app has a role, and so `app_role` is not looked
/// at.
pub(super) fn list(state: &State, tokens: &[Token], call: &Call) -> Outcome {
    // UNCERTAIN: the statuses; that it is needed, and that `personal` will do, is described.
    let Some(slug) = call.query.get("org_slug").filter(|slug| !slug.is_empty()) else {
        return Err(refusal(400, "org_slug is needed"));
    };
    let reaches = |slug: &str| tokens.iter().any(|token| token.grant.organization == slug);
    let mut organizations = state.organizations.iter();
    let organization = if slug == "personal" {
        organizations.find(|found| found.personal && reaches(&found.slug))
    } else {
        organizations.find(|found| found.slug == *slug)
    };
    let organization = organization.ok_or_else(|| not_found("organization"))?;
    let of_it = |token: &&Token| token.grant.organization == organization.slug;
    let grants: Vec<_> = tokens
        .iter()
        .filter(of_it)
        .map(|token| &token.grant)
        .collect();
    if grants.is_empty() {
        let status = state.options.out_of_reach_status;
        return Err(refusal(
            status,
            "the token has no access to this organization",
        ));
    }
    let whole = grants.iter().any(|grant| grant.apps.is_none());
    let form = state.options.app_token_list;
    // UNCERTAIN: reported by users.
    if !whole && form == AppTokenList::Refused {
        return Err(refusal(403, "the token may not list apps"));
    }
    let own = |name: &String| {
        let mut apps = grants.iter().filter_map(|grant| grant.apps.as_ref());
        form == AppTokenList::OwnApps && apps.any(|apps| apps.contains(name))
    };
    let apps = state
        .apps
        .iter()
        .filter(|app| app.organization == organization.slug && (whole || own(&app.name)));
    let apps: Vec<Value> = apps.map(|app| document(state, app)).collect();
    Ok(Reply::json(
        200,
        json!({ "total_apps": apps.len(), "apps": apps }),
    ))
}

pub(super) fn one(state: &State, app: usize) -> Reply {
    Reply::json(200, document(state, &state.apps[app]))
}

fn document(state: &State, app: &App) -> Value {
    let mut organizations = state.organizations.iter();
    let organization = organizations.find(|found| found.slug == app.organization);
    let live = || {
        let machines = app.machines.iter();
        machines.filter(|machine| machine.state != "destroyed")
    };
    let volumes = live().filter_map(|machine| machine.config["mounts"].as_array());
    json!({
        "id": app.id, "internal_numeric_id": app.number, "name": app.name,
        "status": if live().next().is_some() { "deployed" } else { "pending" },
        "organization": organization.map(|found| json!({ "name": found.name, "slug": found.slug })),
        "machine_count": live().count(), "volume_count": volumes.map(Vec::len).sum::<usize>(),
        "network": "default",
    })
}
