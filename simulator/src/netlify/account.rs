//! The user, and the teams that they are in.

use serde_json::{Value, json};

use super::model::{Account, BEGINNING, Plan, Role, Token, avatar, time};
use super::reply::{Outcome, Refusal, Reply, not_found, refusal};
use super::state::State;

pub(super) fn user(state: &State, token: &Token) -> Outcome {
    let user = state.users.get(&token.user);
    let user = user.ok_or_else(|| not_found("User"))?;
    let sites = super::sites::seen(state, token).count();
    Ok(Reply::json(
        200,
        json!({
            "id": token.user, "uid": Value::Null, "full_name": user.full_name,
            "avatar_url": avatar(&token.user), "email": user.email, "affiliate_id": Value::Null,
            "site_count": sites, "created_at": time(BEGINNING), "last_login": time(BEGINNING),
            "login_providers": ["github"], "onboarding_progress": { "slides": Value::Null },
        }),
    ))
}

pub(super) fn list(state: &State, token: &Token) -> Reply {
    let accounts = state.accounts.iter();
    let mine = accounts.filter(|account| account.members.contains_key(&token.user));
    let documents = mine.map(|account| document(state, account));
    Reply::json(200, documents.collect())
}

pub(super) fn one(state: &State, token: &Token, name: &str) -> Outcome {
    let account = find(state, token, name, Named::ById)?;
    Ok(Reply::json(200, document(state, &state.accounts[account])))
}

fn document(state: &State, account: &Account) -> Value {
    let sites = state.sites.iter();
    let sites = sites.filter(|site| site.account == account.id).count();
    let owners = account
        .members
        .iter()
        .filter(|(_, role)| **role == Role::Owner)
        .map(|(user, _)| user);
    let (plan, id) = match account.plan {
        Plan::Free => ("Free", "free"),
        Plan::Pro => ("Pro", "pro"),
    };
    json!({
        "id": account.id, "name": account.name, "slug": account.slug, "type": "TEAM",
        "type_name": plan, "type_id": id, "owner_ids": owners.collect::<Vec<_>>(),
        "roles_allowed": ["Owner", "Collaborator"],
        "capabilities": {
            "sites": { "included": 500, "used": sites },
            "collaborators": { "included": 10, "used": account.members.len() },
        },
        "created_at": time(BEGINNING), "updated_at": time(BEGINNING),
    })
}

/// What a path names a team by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    ById,
    BySlug,
}

/// A team that the token's user is in. Others do not exist for them.
pub(super) fn find(
    state: &State,
    token: &Token,
    name: &str,
    named: Named,
) -> Result<usize, Refusal> {
    let either = state.options.account_by_slug;
    let found = state.accounts.iter().position(|account| match named {
        Named::ById => account.id == name || (either && account.slug == name),
        Named::BySlug => account.slug == name || (either && account.id == name),
    });
    let found = found.filter(|index| state.accounts[*index].members.contains_key(&token.user));
    let index = found.ok_or_else(|| not_found("Account"))?;
    if state.accounts[index].saml && !token.saml {
        let text = "This token has no access to a team that enforces SAML";
        return Err(refusal(state.options.saml_status, text));
    }
    Ok(index)
}
